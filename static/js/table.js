// Tables: keys, selection, bulk actions, saved views. Sorting, filtering and pages are links the server answers.
import { eachOnArrival, isTyping, number, recall, remember, toast } from "./lib.js";

const rowsOf = (view) => [...view.querySelectorAll("tbody tr")];
const boxesOf = (view) => [...view.querySelectorAll("tbody input[name=ids]")];
let lastBox = null;

function paint(view, everything = false) {
  const boxes = boxesOf(view);
  const selected = boxes.filter((box) => box.checked);
  const bulk = view.querySelector("[data-bulk]");
  const page = view.querySelector("[data-select-page]");
  boxes.forEach((box) => box.closest("tr").classList.toggle("is-selected", box.checked));
  if (page) {
    page.checked = selected.length > 0 && selected.length === boxes.length;
    page.indeterminate = selected.length > 0 && selected.length < boxes.length;
  }
  if (!bulk) return;
  const total = Number(view.querySelector(".table-results").dataset.count);
  const count = everything ? total : selected.length;
  bulk.hidden = count === 0;
  bulk.querySelector("[data-bulk-all]").value = everything ? "1" : "";
  bulk.querySelector("[data-bulk-count]").textContent = number(count);
  const every = bulk.querySelector("[data-bulk-everything]");
  if (every) every.hidden = everything;
  bulk.querySelectorAll("[data-confirm]").forEach((button) => { button.dataset.confirmCount = `${number(count)} ${count === 1 ? view.dataset.noun : view.dataset.plural}`; });
}

document.addEventListener("change", (event) => {
  const view = event.target.closest?.("[data-table]");
  if (!view) return;
  if (event.target.matches("[data-select-page]")) {
    boxesOf(view).forEach((box) => { box.checked = event.target.checked; });
    paint(view);
  } else if (event.target.matches("input[name=ids]")) paint(view);
  else if (event.target.matches(".table-filter")) event.target.classList.toggle("is-set", event.target.value !== "");
});

document.addEventListener("click", (event) => {
  const view = event.target.closest?.("[data-table]");
  if (!view) return;
  const box = event.target.closest("input[name=ids]");
  if (box) {
    if (event.shiftKey && lastBox && view.contains(lastBox)) {
      const boxes = boxesOf(view);
      const [from, to] = [boxes.indexOf(lastBox), boxes.indexOf(box)].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach((one) => { one.checked = box.checked; });
      paint(view);
    }
    lastBox = box;
  } else if (event.target.closest("[data-bulk-everything]")) {
    boxesOf(view).forEach((one) => { one.checked = true; });
    paint(view, true);
  } else if (event.target.closest("[data-bulk-clear]")) {
    boxesOf(view).forEach((one) => { one.checked = false; });
    paint(view);
  } else if (event.target.closest("[data-view-save]")) saveView(view);
  else if (event.target.closest("[data-view-drop]")) dropView(view, event.target.closest("[data-view-drop]").dataset.viewDrop);
});

function visit(row) {
  if (!row) return;
  row.parentElement.querySelectorAll(".is-current").forEach((other) => other.classList.remove("is-current"));
  row.classList.add("is-current");
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open], .menu:popover-open")) return;
  const inRow = event.target.closest?.("[data-table] tbody tr");
  const view = event.target.closest?.("[data-table]") || document.querySelector("[data-table]");
  if (!view) return;
  const rows = rowsOf(view);
  const current = view.querySelector("tr.is-current");
  const at = rows.indexOf(current);
  const arrows = inRow !== null && inRow !== undefined;
  if (event.key === "/") view.querySelector("input[type=search]")?.focus();
  else if (event.key === "j" || (arrows && event.key === "ArrowDown")) visit(rows[Math.min(at + 1, rows.length - 1)]);
  else if (event.key === "k" || (arrows && event.key === "ArrowUp")) visit(rows[Math.max(at - 1, 0)]);
  else if (event.key === "x" && current?.querySelector("input[name=ids]")) current.querySelector("input[name=ids]").click();
  else if (event.key === "Enter" && current && (event.target === current || event.target === document.body)) current.querySelector("a[href], a[hx-get], button[hx-get]")?.click();
  else return;
  event.preventDefault();
});

// Typing has searched already; asking again when the box is left would take the rows from under the keys.
document.addEventListener("change", (event) => { if (event.target.matches?.(".table-search input")) event.stopPropagation(); }, true);

// In the search box: Escape empties it, the down arrow goes into the rows.
document.addEventListener("keydown", (event) => {
  if (!event.target.matches?.(".table-search input")) return;
  const view = event.target.closest("[data-table]");
  if (event.key === "ArrowDown") {
    event.preventDefault();
    visit(rowsOf(view)[0]);
  } else if (event.key === "Escape" && event.target.value) {
    event.target.value = "";
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
    event.preventDefault();
  } else if (event.key === "Escape") event.target.blur();
});

// Saved views live in this browser: a name and a query string for each.
const viewsKey = (view) => `views:${location.pathname}:${view.dataset.table}`;
const viewsOf = (view) => JSON.parse(recall(viewsKey(view)) || "[]");
function keep(view, views) {
  remember(viewsKey(view), views.length ? JSON.stringify(views) : null);
  drawViews(view);
}
function saveView(view) {
  const form = view.querySelector("[data-table-query]");
  const words = [...form.querySelectorAll("select")].filter((one) => one.value).map((one) => one.selectedOptions[0].textContent);
  const search = form.querySelector("input[type=search]")?.value;
  const name = [search, ...words].filter(Boolean).join(", ") || `All ${view.dataset.plural}`;
  keep(view, [...viewsOf(view).filter((one) => one.name !== name), { name, query: location.search }]);
  toast(`Saved as “${name}”. It is under Views.`, { tone: "good" });
}
function dropView(view, name) {
  keep(view, viewsOf(view).filter((one) => one.name !== name));
}
function drawViews(view) {
  const list = view.querySelector("[data-views-list]");
  if (!list) return;
  const views = viewsOf(view);
  list.replaceChildren(...views.map(({ name, query }) => {
    const line = document.createElement("div");
    line.className = "row-line";
    const link = document.createElement("a");
    link.className = "menu-item";
    link.href = location.pathname + query;
    link.textContent = name;
    const drop = document.createElement("button");
    drop.className = "btn btn-quiet btn-small";
    drop.type = "button";
    drop.dataset.viewDrop = name;
    drop.textContent = "Remove";
    line.append(link, drop);
    return line;
  }));
  if (!views.length) {
    const none = document.createElement("p");
    none.className = "menu-label";
    none.textContent = "Search, filter or sort, then save what you see.";
    list.append(none);
  }
}

eachOnArrival("[data-table]", (view) => {
  drawViews(view);
  paint(view);
});
// Filters that are not set have no place in the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches("[data-table-query]")) return;
  for (const name of new Set(event.detail.formData.keys())) if (!event.detail.formData.getAll(name).some(Boolean)) event.detail.formData.delete(name);
});
// What the export link brings follows what is on the screen.
document.addEventListener("htmx:pushedIntoHistory", () => document.querySelectorAll("[data-export]").forEach((link) => { link.href = link.dataset.export + location.search; }));
