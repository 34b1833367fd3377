// The keys of the review page. A key presses the button that has it printed on; inside a text field every key is text.
import { isTyping } from "./lib.js";

const page = document.querySelector("[data-review]");

document.addEventListener("keydown", (event) => {
  if (!page || event.defaultPrevented) return;
  if (event.key === "Escape" && isTyping(event.target) && page.contains(event.target)) {
    event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
  if (document.querySelector("dialog[open], .menu:popover-open")) return;
  if (event.key === "e") {
    page.querySelector("textarea[name=answer]")?.focus();
    event.preventDefault();
    return;
  }
  const button = page.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!button || button.getAttribute("aria-busy") === "true") return;
  event.preventDefault();
  button.click();
});

// "Ask for changes" without a note: say where it is missing instead of sending an empty one.
page?.querySelector("form")?.addEventListener("submit", (event) => {
  if (event.submitter?.value !== "changes") return;
  const note = page.querySelector("[name=note]");
  if (note.value.trim()) return;
  event.preventDefault();
  note.closest("details")?.setAttribute("open", "");
  note.setCustomValidity("Say what should change.");
  note.reportValidity();
  note.focus();
  for (const kind of ["input", "blur"]) note.addEventListener(kind, () => note.setCustomValidity(""), { once: true });
});

// The evidence stands in the upper third of its passage, without moving the page.
for (const passage of page?.querySelectorAll(".passage") ?? []) {
  const mark = passage.querySelector("mark");
  if (mark) passage.scrollTop = mark.offsetTop - passage.clientHeight / 3;
}
