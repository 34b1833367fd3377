// Charts from <figure data-chart>: a spec in JSON in, a Plotly chart with its table and downloads out.
//
//   {kind: "line" | "scatter" | "bar" | "heatmap", x: {title, type, min, max, hidden}, y: {…}, horizontal, stacked, labels, legend,
//    series: [{name, x: [...], y: [...], text: [...], size: [...], line: true, faint: true}], z,
//    lines: [{axis: "y", value, label, tone: "bad"}], ticks: {name, x: [...]}}
import { thin } from "./chart-curves.js";
import { figure } from "./chart-figure.js";
import { follow } from "./chart-hover.js";
import { csvOf, fillTable } from "./chart-table.js";
import { colour, config } from "./chart-theme.js";
import { drawLegend, lookOf, onSmoothing, showLook, toggleLog } from "./chart-tools.js";

const charts = new Map();
const REDRAW_EVERY = 250;
const MOST_TICKS = 200;
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

async function paint(chart) {
  const Plotly = await plotly();
  const { data, layout: made } = figure(chart.spec, lookOf(chart));
  await Plotly.react(chart.plot, data, made, config);
  drawLegend(chart, () => paint(chart));
  if (!chart.tableBox.hidden) fillTable(chart);
}

function paintSoon(chart) {
  chart.timer ??= setTimeout(() => {
    chart.timer = null;
    paint(chart);
  }, REDRAW_EVERY);
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
    const url = URL.createObjectURL(new Blob([csvOf(chart.spec)], { type: "text/csv" }));
    save(`${name}.csv`, url);
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    return;
  }
  const Plotly = await plotly();
  const made = figure(chart.spec, lookOf(chart));
  // The legend of buttons is no part of the picture
  if (chart.element.querySelector(".chart-legend")) made.data.forEach((one) => (one.showlegend = one.hoverinfo !== "skip"));
  made.layout.paper_bgcolor = colour("--card");
  made.layout.title = { text: chart.element.querySelector("figcaption")?.firstChild.textContent.trim(), font: { size: 16, color: colour("--text") }, x: 0.02 };
  made.layout.margin.t = 56;
  const { clientWidth: width, clientHeight: height } = chart.plot;
  save(`${name}.${format}`, await Plotly.toImage(made, { format, width: Math.max(width, 720), height: Math.max(height, 360), scale: 2 }));
}

/** Draws a <figure data-chart>; again, after its JSON was changed, it redraws with the zoom kept. */
export async function drawChart(element) {
  const spec = JSON.parse(document.getElementById(element.dataset.chart).textContent);
  const known = charts.get(element);
  const chart = known || { element, plot: element.querySelector(".chart-plot"), tableBox: element.querySelector(".chart-table"), timer: null, hidden: new Set() };
  chart.spec = spec;
  charts.set(element, chart);
  for (const gone of charts.keys()) if (!gone.isConnected) charts.delete(gone);
  showLook(chart);
  try {
    await plotly();
    chart.plot.querySelector(".bone")?.remove();
    await paint(chart);
    if (!known) follow(chart, charts);
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
    thin(one);
  }
  paintSoon(chart);
}

/** Marks a step on the axis of every line chart that has such marks. */
export function markStep(x) {
  for (const chart of charts.values()) {
    const ticks = chart.element.isConnected && chart.spec.ticks;
    if (!ticks || ticks.x.includes(x)) continue;
    ticks.x = [...ticks.x, x].slice(-MOST_TICKS);
    paintSoon(chart);
  }
}

const repaintAll = () => charts.forEach((chart) => (chart.element.isConnected ? paint(chart) : charts.delete(chart.element)));
document.addEventListener("themechange", repaintAll);
onSmoothing(() => charts.forEach(paintSoon));

document.addEventListener("click", (event) => {
  const element = event.target.closest?.("[data-chart]");
  const chart = element && charts.get(element);
  if (!chart) return;
  const toggle = event.target.closest("[data-chart-table]");
  const format = event.target.closest("[data-chart-download]")?.dataset.chartDownload;
  if (event.target.closest("[data-chart-log]")) {
    toggleLog(chart);
    showLook(chart);
    paint(chart);
  } else if (toggle) {
    chart.tableBox.hidden = !chart.tableBox.hidden;
    chart.plot.hidden = !chart.tableBox.hidden;
    toggle.setAttribute("aria-pressed", String(!chart.tableBox.hidden));
    if (!chart.tableBox.hidden) fillTable(chart);
    // A chart drawn while it was out of sight has no size; it gets its own now.
    else window.Plotly?.Plots.resize(chart.plot);
  } else if (format) download(chart, format);
});
