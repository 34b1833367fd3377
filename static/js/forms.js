// Saved drafts: <form data-draft="a-key"> keeps what was typed in this browser until it is sent.
import { eachOnArrival, recall, remember, toast } from "./lib.js";

const kept = "input:not([type=password], [type=file], [type=hidden], [type=checkbox], [type=radio]), textarea, select";

function restore(form, key) {
  const draft = JSON.parse(recall(key) || "null");
  if (!draft) return;
  let restored = false;
  for (const field of form.querySelectorAll(kept)) {
    if (field.name in draft && draft[field.name] !== field.value) {
      field.value = draft[field.name];
      restored = true;
    }
  }
  if (restored) toast("Your draft is back as you left it.");
}

eachOnArrival("form[data-draft]", (form) => {
  const key = `draft:${location.pathname}:${form.dataset.draft}`;
  // A form that came back with errors already holds what was typed.
  if (!form.querySelector("[aria-invalid=true]")) restore(form, key);
  let timer;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => remember(key, JSON.stringify(Object.fromEntries([...form.querySelectorAll(kept)].map((field) => [field.name, field.value])))), 300);
  });
  form.addEventListener("submit", () => {
    clearTimeout(timer);
    remember(key, null);
  });
});

// One press sends a form once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  event.submitter?.setAttribute("aria-busy", "true");
  // A form that answers with a download leaves the page standing.
  setTimeout(() => event.submitter?.removeAttribute("aria-busy"), 5000);
});

// The first field that needs mending gets the focus.
document.querySelector("form [aria-invalid=true]")?.focus();
