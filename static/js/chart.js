// Charts from <figure data-chart>: a spec in JSON in, a Plotly chart with its table and downloads out.
//
//   {kind: "line" | "scatter" | "bar" | "heatmap", x: {title, type, min, max, hidden}, y: {…}, horizontal, stacked, labels,
//    series: [{name, x: [...], y: [...], text: [...], size: [...], line: true, faint: true}], z, lines: [{axis: "y", value, label}]}
import { number } from "./lib.js";
import { colour, config, dash, layout, palette, scale } from "./chart-theme.js";

const charts = new Map();
const REDRAW_EVERY = 250;
let loading;

/** Plotly is 5 MB, so it comes only when the first chart does. */
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    // Marks that tell plotly.js and the maplibre inside it to inject no style sheet; the rules are in components.css.
    for (const id of ["plotly.js-style-global", "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53"]) {
      const mark = document.createElement("meta");
      mark.id = id;
      mark.className = "no-inline-styles";
      document.head.append(mark);
    }
    const script = document.createElement("script");
    script.src = document.querySelector("meta[name=plotly]").content;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly.min.js did not load"));
    document.head.append(script);
  });
  return loading;
}

function traces(spec) {
  const colours = palette();
  if (spec.kind === "heatmap") {
    return [{ type: "heatmap", x: spec.series[0].x, y: spec.series[0].y, z: spec.series[0].z, colorscale: scale(), xgap: 2, ygap: 2, showscale: false, hoverongaps: false, texttemplate: "%{z:.3~g}", hovertemplate: "%{y}, %{x}: %{z:.4~g}<extra></extra>" }];
  }
  return spec.series.map((one, at) => {
    const paint = one.faint ? colour("--text-faint") : colours[at % colours.length];
    const base = { name: one.name, x: one.x, y: one.y, text: one.text, showlegend: spec.series.length > 1 && !labelled(spec) };
    if (spec.kind === "bar") {
      const across = spec.horizontal ? { orientation: "h", x: one.y, y: one.x } : {};
      return { ...base, ...across, type: "bar", marker: { color: paint, cornerradius: 3 }, textposition: "none" };
    }
    if (spec.kind === "scatter") {
      return {
        ...base, type: "scatter", mode: one.text && spec.labels !== false && one.x.length <= 24 ? "markers+text" : "markers", textposition: "top center", textfont: { size: 11 }, cliponaxis: false,
        hovertemplate: spec.labels === false ? `%{text}<extra>${one.name || ""}</extra>` : `${one.text ? "%{text}: " : ""}%{x:.4~g}, %{y:.4~g}<extra>${one.name || ""}</extra>`,
        marker: { symbol: one.faint ? "circle-open" : "circle", color: paint, size: one.size || (one.x.length > 400 ? 5 : 9), sizemode: "diameter", opacity: one.x.length > 100 ? 0.75 : 1, line: { width: 1, color: colour("--card") } },
        ...(one.line ? { mode: one.text && one.x.length <= 24 ? "lines+markers+text" : "lines+markers", line: { color: paint, width: 1.5, dash: "dot" } } : {}),
      };
    }
    return { ...base, type: "scatter", mode: one.x.length === 1 ? "markers" : "lines", line: { color: paint, width: 2, dash: dash(at), shape: "linear" }, marker: { color: paint } };
  });
}

/** Up to five lines carry their name at their end; more get a legend. */
const labelled = (spec) => spec.kind === "line" && spec.series.length > 1 && spec.series.length <= 5;

/** Where a value lies on its axis: Plotly wants the power of ten for notes and ranges of a log axis. */
const onAxis = (axis, value) => (axis?.type === "log" ? Math.log10(value) : value);

function endLabels(spec) {
  if (!labelled(spec)) return [];
  const colours = palette();
  const seen = spec.series.flatMap((one) => one.y).filter(Number.isFinite).map((y) => onAxis(spec.y, y));
  const [low, high] = seen.reduce(([least, most], y) => [Math.min(least, y), Math.max(most, y)], [Infinity, -Infinity]);
  const ends = spec.series.map((one, at) => ({ name: one.name, at, y: onAxis(spec.y, one.y.findLast(Number.isFinite)) })).filter((one) => Number.isFinite(one.y)).sort((a, b) => b.y - a.y);
  let last = Infinity;
  return ends.map(({ name, at, y }) => {
    // Labels that would lie on one another move down, a line's height at a time.
    last = Math.min(y, last - ((high - low) || 1) * 0.07);
    return { x: 1, xref: "paper", xanchor: "left", xshift: 6, y: last, text: name, showarrow: false, font: { size: 12, color: colours[at % colours.length] } };
  });
}

function references(spec) {
  const faint = colour("--text-faint");
  const shapes = (spec.lines || []).map((line) => ({ type: "line", line: { color: faint, width: 1, dash: "dash" }, ...(line.axis === "x" ? { x0: line.value, x1: line.value, yref: "paper", y0: 0, y1: 1 } : { y0: line.value, y1: line.value, xref: "paper", x0: 0, x1: 1 }) }));
  const notes = (spec.lines || []).filter((line) => line.label).map((line) => ({ text: line.label, showarrow: false, font: { size: 11, color: faint }, ...(line.axis === "x" ? { x: onAxis(spec.x, line.value), yref: "paper", y: 1, xanchor: "left", yanchor: "top", xshift: 4 } : { y: onAxis(spec.y, line.value), xref: "paper", x: 1, xanchor: "right", yanchor: "bottom", xshift: -4 }) }));
  return { shapes, notes };
}

/** 1, 2 and 5 of each decade: Plotly's own choice crowds a short axis with bare digits. */
function logTicks(values) {
  const positive = values.filter((value) => value > 0);
  const from = Math.floor(Math.log10(Math.min(...positive)));
  const to = Math.ceil(Math.log10(Math.max(...positive)));
  const steps = to - from > 3 ? [1] : [1, 2, 5];
  const tickvals = [];
  for (let power = from; power <= to; power += 1) tickvals.push(...steps.map((step) => step * 10 ** power));
  return { tickvals, ticktext: tickvals.map((value) => number(Number(value.toPrecision(1)))) };
}

function figure(spec) {
  const made = layout();
  const { shapes, notes } = references(spec);
  const annotations = [...endLabels(spec), ...notes];
  const [x, y] = spec.horizontal ? [spec.y, spec.x] : [spec.x, spec.y];
  const axis = (kept, given = {}, values = []) => ({ ...kept, ...(given.hidden ? { visible: false } : {}), ...(given.type === "log" ? logTicks(values) : {}), ...(given.type ? { type: given.type } : {}), title: { ...kept.title, text: given.title || "" }, ...(given.min !== undefined || given.max !== undefined ? { range: [given.min, given.max].map((end) => (end === undefined ? null : onAxis(given, end))), autorange: given.min === undefined ? "min" : given.max === undefined ? "max" : false } : {}), ...(given.format ? { tickformat: given.format, hoverformat: given.format } : {}) });
  const values = (name) => (spec.kind === "heatmap" ? [] : spec.series.flatMap((one) => one[name]));
  made.xaxis = axis(made.xaxis, x, values(spec.horizontal ? "y" : "x"));
  made.yaxis = axis(made.yaxis, y, values(spec.horizontal ? "x" : "y"));
  made.shapes = shapes;
  made.annotations = annotations;
  if (spec.stacked) made.barmode = "stack";
  if (spec.horizontal) {
    made.yaxis = { ...made.yaxis, showgrid: false, autorange: "reversed" };
    made.xaxis = { ...made.xaxis, showgrid: true, showline: false };
    made.hovermode = "y unified";
  }
  if (spec.kind === "scatter" || spec.kind === "heatmap") made.hovermode = "closest";
  if (spec.kind === "scatter") made.xaxis.showgrid = true;
  if (spec.kind === "heatmap") made.yaxis = { ...made.yaxis, showgrid: false, autorange: "reversed" };
  if (labelled(spec)) made.margin.r = 18 + 7 * Math.max(...spec.series.map((one) => one.name.length));
  return { data: traces(spec), layout: made };
}

async function paint(chart) {
  const Plotly = await plotly();
  const { data, layout: made } = figure(chart.spec);
  await Plotly.react(chart.plot, data, made, config);
  if (!chart.tableBox.hidden) fillTable(chart);
}

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

function fillTable({ spec, tableBox }) {
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
  rows.slice(0, 1000).forEach((row) => line(row, "td", body));
  tableBox.replaceChildren(table);
}

function save(name, href) {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
}

async function download(chart, format) {
  const name = chart.element.id || "chart";
  if (format === "csv") {
    const { head, rows } = tableOf(chart.spec);
    // A cell that begins like a formula is quoted as text: spreadsheets would run it.
    const cell = (value) => (typeof value === "number" ? String(value) : `"${String(value).replace(/^[=+\-@\t\r\n]/, "'$&").replaceAll('"', '""')}"`);
    const url = URL.createObjectURL(new Blob([[head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n")], { type: "text/csv" }));
    save(`${name}.csv`, url);
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    return;
  }
  const Plotly = await plotly();
  const made = figure(chart.spec);
  made.layout.paper_bgcolor = colour("--card");
  made.layout.title = { text: chart.element.querySelector("figcaption")?.firstChild.textContent.trim(), font: { size: 16, color: colour("--text") }, x: 0.02 };
  made.layout.margin.t = 56;
  const { clientWidth: width, clientHeight: height } = chart.plot;
  save(`${name}.${format}`, await Plotly.toImage(made, { format, width: Math.max(width, 720), height: Math.max(height, 360), scale: 2 }));
}

/** Draws a <figure data-chart>; again, after its JSON was changed, it redraws with the zoom kept. */
export async function drawChart(element) {
  const spec = JSON.parse(document.getElementById(element.dataset.chart).textContent);
  const chart = charts.get(element) || { element, plot: element.querySelector(".chart-plot"), tableBox: element.querySelector(".chart-table"), timer: null };
  chart.spec = spec;
  charts.set(element, chart);
  try {
    await plotly();
    chart.plot.querySelector(".bone")?.remove();
    await paint(chart);
  } catch (error) {
    // The numbers are worth more than the picture: without Plotly the table stands in.
    console.error(error);
    chart.plot.hidden = true;
    chart.tableBox.hidden = false;
    fillTable(chart);
  }
}

/** Adds points as they arrive: [{series: "name", x, y}, …]. A name not seen before becomes a new line. */
export function extendChart(element, points) {
  const chart = charts.get(element);
  if (!chart) return;
  for (const { series, x, y } of points) {
    let one = chart.spec.series.find((other) => other.name === series);
    if (!one) chart.spec.series.push((one = { name: series, x: [], y: [] }));
    // A run that was resumed goes back to its checkpoint: what it does again takes the place of what it did before.
    while (one.x.length && one.x.at(-1) >= x) {
      one.x.pop();
      one.y.pop();
    }
    one.x.push(x);
    one.y.push(y);
  }
  chart.timer ??= setTimeout(() => {
    chart.timer = null;
    paint(chart);
  }, REDRAW_EVERY);
}

document.addEventListener("themechange", () => {
  for (const [element, chart] of charts) {
    if (element.isConnected) paint(chart);
    else charts.delete(element);
  }
});

document.addEventListener("click", (event) => {
  const element = event.target.closest?.("[data-chart]");
  const chart = element && charts.get(element);
  if (!chart) return;
  const toggle = event.target.closest("[data-chart-table]");
  const format = event.target.closest("[data-chart-download]")?.dataset.chartDownload;
  if (toggle) {
    chart.tableBox.hidden = !chart.tableBox.hidden;
    chart.plot.hidden = !chart.tableBox.hidden;
    toggle.setAttribute("aria-pressed", String(!chart.tableBox.hidden));
    if (!chart.tableBox.hidden) fillTable(chart);
    // A chart drawn while it was out of sight has no size; it gets its own now.
    else window.Plotly?.Plots.resize(chart.plot);
  } else if (format) download(chart, format);
});
