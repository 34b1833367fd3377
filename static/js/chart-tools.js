// How the reader wants charts drawn: smoothing and log axes, kept in this browser, and which lines are switched off.
import { recall, remember } from "./lib.js";
import { legended, styleOf } from "./chart-figure.js";

const SMOOTHING = "chart-smoothing";
const logKey = (element) => `chart-log:${element.id}`;

/** What ``figure`` takes as its look. */
export function lookOf(chart) {
  return { smoothing: chart.element.closest("[data-smoothable]") ? smoothing() : 0, log: chart.spec.kind === "line" && recall(logKey(chart.element)) === "yes", hidden: chart.hidden };
}

let chosen = null; // when storage is forbidden
const smoothing = () => Math.min(0.99, Math.max(0, Number(chosen ?? recall(SMOOTHING) ?? 0) || 0));

/** Buttons and slider as the reader left them. */
export function showLook(chart) {
  chart.element.querySelector("[data-chart-log]")?.setAttribute("aria-pressed", String(lookOf(chart).log));
  for (const slider of document.querySelectorAll("[data-chart-smoothing]")) setSlider(slider, smoothing());
}

function setSlider(slider, value) {
  slider.value = value;
  const said = document.querySelector(`output[for="${slider.id}"]`);
  if (said) said.textContent = value ? Number(value).toFixed(2) : "off";
}

export function toggleLog(chart) {
  remember(logKey(chart.element), lookOf(chart).log ? null : "yes");
}

/** Redraws by ``redraw`` as the slider moves. */
export function onSmoothing(redraw) {
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.("[data-chart-smoothing]")) return;
    chosen = event.target.value;
    remember(SMOOTHING, chosen);
    setSlider(event.target, Number(chosen));
    redraw();
  });
}

/** A button a line, which switches it off and on; built again only when there is another line. */
export function drawLegend(chart, redraw) {
  let box = chart.element.querySelector(".chart-legend");
  if (!legended(chart.spec)) return box?.remove();
  if (!box) {
    box = document.createElement("div");
    box.className = "chart-legend";
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Lines");
    chart.plot.after(box);
  }
  const buttons = chart.spec.series.map((one, at) => box.children[at] || entry(box, chart, one.name, redraw));
  buttons.forEach((button, at) => {
    const { color, dash } = styleOf(chart.spec, at);
    const line = button.querySelector("line");
    line.setAttribute("stroke", color);
    line.setAttribute("stroke-dasharray", { solid: "none", dash: "7 4", dot: "2 3", dashdot: "7 3 2 3" }[dash]);
    button.setAttribute("aria-pressed", String(!chart.hidden.has(chart.spec.series[at].name)));
  });
}

function entry(box, chart, name, redraw) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-quiet btn-small";
  const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  swatch.setAttribute("width", "24");
  swatch.setAttribute("height", "8");
  swatch.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(swatch.namespaceURI, "line");
  for (const [key, value] of Object.entries({ x1: 0, x2: 24, y1: 4, y2: 4, "stroke-width": 2 })) line.setAttribute(key, value);
  swatch.append(line);
  button.append(swatch, name);
  button.addEventListener("click", () => {
    if (!chart.hidden.delete(name)) chart.hidden.add(name);
    redraw();
  });
  box.append(button);
  return button;
}
