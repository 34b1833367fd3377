// One step, pointed at in all charts of the page that share an axis: by the mouse, or by the arrow keys on a chart.

/** Whether they are drawn over the same quantity. */
const alike = (one, other) => other.spec.kind === "line" && !other.plot.hidden && other.plot.data && one.spec.x?.title === other.spec.x?.title;
let pointing = false; // what Plotly says because of us is not passed on again

function eachAlike(chart, charts, act) {
  pointing = true;
  for (const other of charts.values()) if (other.element.isConnected && alike(chart, other)) act(other);
  pointing = false;
}

const hoverAt = (other, x) => window.Plotly.Fx.hover(other.plot, { xval: x }, "xy");
const hoverEnds = (other) => window.Plotly.Fx.unhover(other.plot);

/** Has ``chart`` tell the others where it is pointed at. Plotly must have drawn it. */
export function follow(chart, charts) {
  if (chart.spec.kind !== "line") return;
  chart.plot.on("plotly_hover", ({ points }) => {
    if (!pointing && points.length) eachAlike(chart, charts, (other) => other !== chart && hoverAt(other, points[0].x));
  });
  chart.plot.on("plotly_unhover", () => !pointing && eachAlike(chart, charts, (other) => other !== chart && hoverEnds(other)));
  chart.plot.addEventListener("blur", () => chart.at !== undefined && eachAlike(chart, charts, hoverEnds));
  chart.plot.addEventListener("keydown", (event) => {
    const steps = [...new Set(chart.spec.series.flatMap((one) => one.x))].sort((a, b) => a - b);
    const now = steps.findIndex((step) => step >= (chart.at ?? -Infinity));
    const next = { ArrowRight: chart.at === undefined ? 0 : now + 1, ArrowLeft: chart.at === undefined ? steps.length - 1 : now - 1, Home: 0, End: steps.length - 1 }[event.key];
    if (event.key === "Escape") eachAlike(chart, charts, hoverEnds);
    if (next === undefined || !steps.length) return;
    event.preventDefault();
    chart.at = steps[Math.max(0, Math.min(next, steps.length - 1))];
    eachAlike(chart, charts, (other) => hoverAt(other, chart.at));
  });
}
