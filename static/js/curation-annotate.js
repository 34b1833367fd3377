// The annotation page: its keys, the draft that is saved as one types, the way back to a suggestion, the time looked at it.
// A key presses the button that has it printed on; inside a text field every key is text, but for Ctrl+Enter and Escape.
import { csrf, isTyping, toast } from "./lib.js";

const SAVE_AFTER = 500; // milliseconds without a key
const IDLE_AFTER = 60_000; // milliseconds without a sign of life count as away
const page = document.querySelector("[data-annotate]");
const form = page?.querySelector("form[data-response]");
const shown = document.querySelector("[data-saved]");
const editable = form?.querySelector("[data-submit]") !== null;
const field = (name) => form.elements.namedItem(name);

// --- keys ---

const VERDICTS = { y: "good", n: "bad", u: "unsure" };
const FIELDS = { e: "answer", q: "question", c: "comment", t: "tag-search" };

function write(name) {
  const target = field(name);
  target.closest("details")?.setAttribute("open", "");
  target.focus();
}

function pressed(event) {
  const { key } = event;
  if (editable && FIELDS[key] && field(FIELDS[key])) return () => write(FIELDS[key]);
  if (editable && VERDICTS[key]) return () => form.querySelector(`input[name=verdict][value=${VERDICTS[key]}]`).click();
  const tag = editable && /^[1-9]$/.test(key) && form.querySelector(`[data-tag-key="${key}"]`);
  if (tag) return () => tag.click();
  const button = document.querySelector(`#main [data-key="${CSS.escape(key)}"]`);
  return button && button.getAttribute("aria-busy") !== "true" ? () => button.click() : null;
}

document.addEventListener("keydown", (event) => {
  if (!form || event.defaultPrevented || document.querySelector("dialog[open], .menu:popover-open")) return;
  const elsewhere = isTyping(event.target) && !form.contains(event.target); // in the comments below
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    if (elsewhere) return;
    event.preventDefault();
    if (!event.repeat) form.querySelector("[data-submit]")?.click();
    return;
  }
  if (event.key === "Escape" && isTyping(event.target)) {
    event.target.blur();
    event.preventDefault();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
  const act = pressed(event);
  if (!act) return;
  event.preventDefault();
  act();
});

// The guidelines' key closes them, too.
document.getElementById("guidelines")?.addEventListener("keydown", (event) => {
  if (event.key !== "g") return;
  event.preventDefault(); // handled: or the page would open them again
  event.currentTarget.close();
});

// --- the draft ---

let timer = 0;
let saving = null;
let dirty = false;
let leaving = false;
let refused = false;

const say = (text) => { if (shown) shown.textContent = text; };

async function save({ keepalive = false } = {}) {
  clearTimeout(timer);
  if (!editable || leaving) return;
  if (saving) await saving;
  dirty = false;
  const looked = takeSeconds();
  field("seconds").value = looked;
  const body = new URLSearchParams(new FormData(form));
  field("seconds").value = 0;
  say("Saving …");
  saving = fetch(page.dataset.draftUrl, { method: "POST", body, keepalive, headers: { "X-CSRFToken": csrf() } })
    .then((reply) => reply.json().then((answer) => ({ ok: reply.ok, answer })))
    .then(({ ok, answer }) => {
      refused = !ok;
      if (refused) {
        say("Not saved");
        toast(answer.message, { tone: "bad" });
        return;
      }
      field("revision").value = answer.revision;
      const lost = page.querySelector("[data-lost]");
      lost.hidden = answer.held;
      if (!answer.held) lost.querySelector(".notice > div").lastChild.textContent = ` ${answer.message}`;
      say("Draft saved");
    })
    .catch(() => {
      seconds += looked;
      dirty = true;
      say("Not saved: the studio does not answer. It is tried again.");
      timer = setTimeout(save, 5000);
    })
    .finally(() => { saving = null; });
  await saving;
}

// Keeps what is typed, then sends another form; where that cannot be, it is said and the page stays.
async function sendOnceKept(other, submitter) {
  if (saving) await saving;
  if (dirty) await save();
  if (!dirty && !refused) other.requestSubmit(submitter);
}

if (editable) {
  form.addEventListener("input", () => {
    dirty = true;
    say("…");
    clearTimeout(timer);
    timer = setTimeout(save, SAVE_AFTER);
  });
  // Sending compares with the revision of the draft, which a save on its way changes: wait for it, then send once. What goes elsewhere
  // (undo, a comment) does not carry the words: keep them first.
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    const { submitter } = event;
    const elsewhere = submitter?.hasAttribute("formaction");
    if (saving || (dirty && elsewhere)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (elsewhere) sendOnceKept(form, submitter);
      else saving.then(() => form.requestSubmit(submitter));
      return;
    }
    field("seconds").value = takeSeconds();
    leaving = true;
  }, { capture: true });
  document.querySelector("form[data-mentions]")?.addEventListener("submit", (event) => {
    if (!saving && !dirty) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    sendOnceKept(event.currentTarget, event.submitter);
  }, { capture: true });
  const leave = () => { if (dirty) save({ keepalive: true }); };
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") leave(); });
  // Whoever comes back by the browser's back button finds the page as it was: what the server has is newer.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  // While somebody works the lock starts anew, also without a word typed.
  setInterval(() => { if (!away() && !saving) save(); }, Math.max(20_000, (Number(page.dataset.lockMinutes) * 60_000) / 3));
}

// --- the time looked at it ---

let seconds = 0;
let alive = Date.now();
const away = () => document.visibilityState === "hidden" || Date.now() - alive > IDLE_AFTER;
function takeSeconds() {
  const taken = seconds;
  seconds = 0;
  return taken;
}
if (editable) {
  setInterval(() => { if (!away()) seconds += 1; }, 1000);
  for (const kind of ["keydown", "pointermove", "scroll", "pointerdown"]) addEventListener(kind, () => { alive = Date.now(); }, { passive: true, capture: true });
}

// --- suggestions ---

function compare(name) {
  const suggestion = page.querySelector(`template[data-suggestion="${name}"]`).content.textContent;
  const same = field(name).value.replaceAll("\r\n", "\n").trim() === suggestion.replaceAll("\r\n", "\n").trim();
  page.querySelector(`[data-suggest="${name}"]`).hidden = same || !editable;
  page.querySelector(`[data-suggested-for="${name}"]`).hidden = !same;
}

for (const button of page?.querySelectorAll("[data-suggest]") ?? []) {
  const name = button.dataset.suggest;
  compare(name);
  field(name).addEventListener("input", () => compare(name));
  button.addEventListener("click", () => {
    field(name).value = page.querySelector(`template[data-suggestion="${name}"]`).content.textContent;
    field(name).dispatchEvent(new Event("input", { bubbles: true }));
    field(name).focus();
  });
}

// The evidence stands in the upper third of its passage, without moving the page.
for (const passage of page?.querySelectorAll(".passage") ?? []) {
  const mark = passage.querySelector("mark");
  if (mark) passage.scrollTop = mark.offsetTop - passage.clientHeight / 3;
}
if (page) page.dataset.ready = "yes"; // from here on the keys work
