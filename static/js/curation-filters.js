// The filter builder: lines and groups are cloned from templates, and whatever stands there is kept as the tree in the hidden fields.
import { eachOnArrival } from "./lib.js";

const DAYS = "days"; // asks for a number where the field's other questions ask for a date
const FLAGS = { true: true, false: false };

const blank = (builder, name, key) => builder.querySelector(`template[data-${name}${key ? `="${CSS.escape(key)}"` : ""}]`).content.firstElementChild.cloneNode(true);

function treeOf(part) {
  if (part.matches("[data-condition]")) return conditionOf(part);
  const parts = [...part.querySelector(":scope > [data-parts]").children].map(treeOf).filter(Boolean);
  const kind = part.querySelector(":scope > .filter-kind [data-kind]").value;
  if (!parts.length) return null;
  return kind === "none" ? { not: { any: parts } } : { [kind]: parts };
}

function conditionOf(line) {
  const [field, op] = ["field", "op"].map((name) => line.querySelector(`[data-${name}]`).value);
  const holder = line.querySelector("[data-value]");
  if (holder.hidden) return { field, op };
  const { value } = holder.firstElementChild;
  if (!value.trim()) return null;
  return { field, op, value: FLAGS[value] ?? value };
}

function write(builder) {
  const tree = treeOf(builder.querySelector("[data-top] > [data-group]"));
  builder.querySelectorAll("[data-tree]").forEach((input) => { input.value = tree ? JSON.stringify(tree) : ""; });
}

/** Questions without a value hide its control, and a number of days is no date. */
function fit(line) {
  const op = line.querySelector("[data-op]").value;
  const holder = line.querySelector("[data-value]");
  holder.hidden = op === "set" || op === "empty";
  const input = holder.querySelector("input");
  const type = op === DAYS ? "number" : "date";
  if (input && ["date", "number"].includes(input.type) && line.querySelector(`option[value=${DAYS}]`) && input.type !== type) {
    input.value = "";
    input.type = type;
  }
}

eachOnArrival("[data-filter]", (builder) => {
  builder.addEventListener("change", ({ target }) => {
    const line = target.closest("[data-condition]");
    if (target.matches("[data-field]")) {
      const fresh = blank(builder, "line", target.value);
      line.replaceWith(fresh);
      fresh.querySelector("[data-op]").focus();
    } else if (target.matches("[data-op]")) fit(line);
    write(builder);
  });
  builder.addEventListener("input", () => write(builder));
  builder.addEventListener("click", ({ target }) => {
    const parts = target.closest("[data-group]")?.querySelector(":scope > [data-parts]");
    if (target.closest("[data-add-line]")) parts.append(blank(builder, "line", "status"));
    else if (target.closest("[data-add-block]")) {
      const block = blank(builder, "block");
      block.querySelector("[data-parts]").append(blank(builder, "line", "status"));
      parts.append(block);
    } else if (target.closest("[data-remove]")) target.closest("[data-condition], [data-group]").remove();
    else return;
    if (!target.closest("[data-remove]")) parts.lastElementChild.querySelector("select").focus();
    write(builder);
  });
  write(builder);
});

// Labels for many: Enter presses the button beside the field, not the form's first one, which approves.
document.addEventListener("keydown", (event) => {
  const line = event.key === "Enter" && event.target.matches?.("input, select") && event.target.closest(".bulk-line");
  if (!line) return;
  event.preventDefault();
  line.querySelector("button").click();
});
