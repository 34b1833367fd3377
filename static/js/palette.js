// Ctrl K or ⌘K: everything the page links to or can do, by name.
import { setTheme } from "./shell.js";

const dialog = document.getElementById("palette");
const input = dialog?.querySelector("input");
const list = dialog?.querySelector("[role=listbox]");
let commands = [];
let chosen = 0;

/** How well the letters of `wanted` run through `name`, or null; marks holds the places that matched. */
export function fuzzy(wanted, name) {
  const text = name.toLowerCase();
  const marks = [];
  let score = 0;
  let from = 0;
  for (const letter of wanted.toLowerCase().replaceAll(" ", "")) {
    const at = text.indexOf(letter, from);
    if (at < 0) return null;
    // Runs of letters and beginnings of words are what people mean.
    if (at === from && from > 0) score += 3;
    if (at === 0 || text[at - 1] === " ") score += 4;
    score -= (at - from) * 0.1;
    marks.push(at);
    from = at + 1;
  }
  return { score: score - name.length * 0.02, marks };
}

function collect() {
  const found = new Map();
  for (const element of document.querySelectorAll("[data-command]")) {
    if (element.closest("[hidden]") || element.matches("[aria-disabled=true], :disabled")) continue;
    const name = element.dataset.command || element.textContent.trim().replace(/\s+/g, " ");
    if (name && !found.has(name)) found.set(name, { name, icon: element.querySelector("svg:not([hidden])"), kind: element.href ? "" : "Action", run: () => element.click() });
  }
  for (const name of ["light", "dark", "system"]) found.set(`Theme: ${name}`, { name: `Theme: ${name}`, kind: "Action", run: () => setTheme(name) });
  if (document.getElementById("help")) found.set("Keyboard shortcuts", { name: "Keyboard shortcuts", kind: "Help", run: () => document.getElementById("help").showModal() });
  return [...found.values()];
}

function row(command, marks, at) {
  const item = document.createElement("div");
  item.className = "menu-item";
  item.role = "option";
  item.id = `palette-${at}`;
  if (command.icon) {
    const icon = command.icon.cloneNode(true);
    icon.setAttribute("width", "16");
    icon.setAttribute("height", "16");
    item.append(icon);
  }
  const name = document.createElement("span");
  [...command.name].forEach((letter, place) => {
    if (!marks.includes(place)) return name.append(letter);
    const mark = document.createElement("mark");
    mark.textContent = letter;
    return name.append(mark);
  });
  name.normalize();
  item.append(name);
  if (command.kind) {
    const kind = document.createElement("span");
    kind.className = "end";
    kind.textContent = command.kind;
    item.append(kind);
  }
  item.addEventListener("pointermove", () => choose(at));
  item.addEventListener("click", () => run(command));
  return item;
}

let shown = [];
function search() {
  const wanted = input.value.trim();
  shown = commands
    .map((command) => ({ command, ...(fuzzy(wanted, command.name) ?? { score: null }) }))
    .filter((hit) => hit.score !== null)
    .sort((a, b) => (wanted ? b.score - a.score : 0))
    .slice(0, 40);
  list.replaceChildren(...shown.map((hit, at) => row(hit.command, hit.marks, at)));
  if (!shown.length) {
    const none = document.createElement("div");
    none.className = "menu-label";
    none.role = "option";
    none.setAttribute("aria-disabled", "true");
    none.textContent = `Nothing is called “${wanted}”.`;
    list.append(none);
  }
  choose(0);
}

function choose(at) {
  if (!shown.length) return;
  chosen = (at + shown.length) % shown.length;
  [...list.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === chosen)));
  list.children[chosen].scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", `palette-${chosen}`);
}

function run(command) {
  dialog.close();
  command.run();
}

function open() {
  if (!dialog || dialog.open) return;
  commands = collect();
  input.value = "";
  dialog.showModal();
  search();
}

input?.addEventListener("input", search);
dialog?.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") choose(chosen + 1);
  else if (event.key === "ArrowUp") choose(chosen - 1);
  else if (event.key === "Enter" && shown.length) run(shown[chosen].command);
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    open();
  }
});
document.addEventListener("click", (event) => { if (event.target.closest?.("[data-palette-open]")) open(); });
