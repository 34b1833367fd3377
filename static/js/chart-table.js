// A chart's numbers as a table on the page and as CSV.
import { number } from "./lib.js";

const SHOWN = 1000;

/** Rows of the chart's numbers: x in the first column, one column a series. */
function tableOf(spec) {
  if (spec.kind === "heatmap") {
    const [{ x, y, z }] = spec.series;
    return { head: [spec.y?.title || "", ...x], rows: y.map((name, at) => [name, ...z[at]]) };
  }
  if (spec.kind === "scatter") {
    return { head: ["Name", spec.x?.title || "x", spec.y?.title || "y"], rows: spec.series.flatMap((one) => one.x.map((x, at) => [one.text?.[at] ?? one.name ?? "", x, one.y[at]])) };
  }
  const rows = new Map();
  spec.series.forEach((one, column) => one.x.forEach((x, at) => {
    if (!rows.has(x)) rows.set(x, [x, ...spec.series.map(() => "")]);
    rows.get(x)[column + 1] = one.y[at];
  }));
  const sorted = [...rows.values()];
  if (spec.kind === "line" && sorted.every(([x]) => typeof x === "number")) sorted.sort((a, b) => a[0] - b[0]);
  return { head: [spec.x?.title || "", ...spec.series.map((one) => one.name || spec.y?.title || "Value")], rows: sorted };
}

export function fillTable({ spec, tableBox }) {
  const { head, rows } = tableOf(spec);
  const table = document.createElement("table");
  table.className = "table";
  const line = (cells, tag, parent) => {
    const row = parent.insertRow();
    cells.forEach((cell, at) => {
      const box = document.createElement(tag);
      box.textContent = typeof cell === "number" ? number(cell) : cell;
      if (tag === "th") box.scope = "col";
      if (typeof cell === "number" || (tag === "th" && at > 0 && spec.kind !== "scatter")) box.className = "num";
      row.append(box);
    });
  };
  line(head, "th", table.createTHead());
  const body = table.createTBody();
  rows.slice(0, SHOWN).forEach((row) => line(row, "td", body));
  tableBox.replaceChildren(table);
}

export function csvOf(spec) {
  const { head, rows } = tableOf(spec);
  // A cell that begins like a formula is quoted as text: spreadsheets would run it.
  const cell = (value) => (typeof value === "number" ? String(value) : `"${String(value).replace(/^[=+\-@\t\r\n]/, "'$&").replaceAll('"', '""')}"`);
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
}
