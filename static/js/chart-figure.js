// From a chart's spec, and how the reader wants to see it, to what Plotly draws.
//
// ``look`` = {smoothing: 0 to 1, log: whether the y axis is logarithmic, hidden: Set of the names of lines that are switched off}
import { number } from "./lib.js";
import { colour, dash, layout, palette, scale } from "./chart-theme.js";
import { smooth } from "./chart-curves.js";

/** Up to five lines carry their name at their end; more, or where the spec asks for it, get a legend of buttons below. */
export const labelled = (spec) => spec.kind === "line" && spec.series.length > 1 && spec.series.length <= 5 && !spec.legend;
export const legended = (spec) => spec.kind === "line" && spec.series.length > 1 && !labelled(spec);

/** How the line at that place looks, in the plot and in the legend. */
export const styleOf = (spec, at, colours = palette()) => ({ color: colours[at % colours.length], dash: legended(spec) ? dash(at + 8 * at) : dash(at) });

function lineTraces(spec, look) {
  const colours = palette();
  return spec.series.flatMap((one, at) => {
    if (look.hidden.has(one.name)) return [];
    const { color, dash: dashed } = styleOf(spec, at, colours);
    const base = { x: one.x, type: "scatter", mode: one.x.length === 1 ? "markers" : "lines", showlegend: false, marker: { color } };
    const ys = smooth(one.x, one.y, look.smoothing);
    const line = { color, width: 2, dash: dashed, shape: "linear" };
    if (ys === one.y) return [{ ...base, name: one.name, y: one.y, line }];
    const raw = { ...base, name: one.name, y: one.y, line: { ...line, width: 1 }, opacity: 0.3, hoverinfo: "skip" };
    return [raw, { ...base, name: one.name, y: ys, line }];
  });
}

/** Small marks along the axis, as an axis of their own: what they say comes up with the other values of the step. */
function tickTrace({ name, x }) {
  const color = colour("--text-faint");
  return { name, x, y: x.map(() => 0.02), yaxis: "y2", type: "scatter", mode: "markers", showlegend: false, cliponaxis: false, marker: { symbol: "triangle-up", size: 8, color }, hovertemplate: `${name} %{x}<extra></extra>` };
}

export function traces(spec, look) {
  if (spec.kind === "line") return [...lineTraces(spec, look), ...(spec.ticks?.x.length ? [tickTrace(spec.ticks)] : [])];
  if (spec.kind === "heatmap") {
    return [{ type: "heatmap", x: spec.series[0].x, y: spec.series[0].y, z: spec.series[0].z, colorscale: scale(), xgap: 2, ygap: 2, showscale: false, hoverongaps: false, texttemplate: "%{z:.3~g}", hovertemplate: "%{y}, %{x}: %{z:.4~g}<extra></extra>" }];
  }
  const colours = palette();
  return spec.series.map((one, at) => {
    const paint = one.faint ? colour("--text-faint") : colours[at % colours.length];
    const base = { name: one.name, x: one.x, y: one.y, text: one.text, showlegend: spec.series.length > 1 };
    if (spec.kind === "bar") {
      const across = spec.horizontal ? { orientation: "h", x: one.y, y: one.x } : {};
      return { ...base, ...across, type: "bar", marker: { color: paint, cornerradius: 3 }, textposition: "none" };
    }
    return {
      ...base, type: "scatter", mode: one.text && spec.labels !== false && one.x.length <= 24 ? "markers+text" : "markers", textposition: "top center", textfont: { size: 11 }, cliponaxis: false,
      hovertemplate: spec.labels === false ? `%{text}<extra>${one.name || ""}</extra>` : `${one.text ? "%{text}: " : ""}%{x:.4~g}, %{y:.4~g}<extra>${one.name || ""}</extra>`,
      marker: { symbol: one.faint ? "circle-open" : "circle", color: paint, size: one.size || (one.x.length > 400 ? 5 : 9), sizemode: "diameter", opacity: one.x.length > 100 ? 0.75 : 1, line: { width: 1, color: colour("--card") } },
      ...(one.line ? { mode: one.text && one.x.length <= 24 ? "lines+markers+text" : "lines+markers", line: { color: paint, width: 1.5, dash: "dot" } } : {}),
    };
  });
}

/** Where a value lies on its axis: Plotly wants the power of ten for notes and ranges of a log axis. */
const onAxis = (axis, value) => (axis?.type === "log" ? Math.log10(value) : value);

function endLabels(spec, look) {
  if (!labelled(spec)) return [];
  const colours = palette();
  const seen = spec.series.flatMap((one) => one.y).filter(Number.isFinite).map((y) => onAxis(spec.y, y)).filter(Number.isFinite);
  const [low, high] = seen.reduce(([least, most], y) => [Math.min(least, y), Math.max(most, y)], [Infinity, -Infinity]);
  const end = (one) => onAxis(spec.y, smooth(one.x, one.y, look.smoothing).findLast(Number.isFinite));
  const ends = spec.series.map((one, at) => ({ name: one.name, at, y: end(one) })).filter((one) => Number.isFinite(one.y)).sort((a, b) => b.y - a.y);
  let last = Infinity;
  return ends.map(({ name, at, y }) => {
    // Labels that would lie on one another move down, a line's height at a time.
    last = Math.min(y, last - ((high - low) || 1) * 0.07);
    return { x: 1, xref: "paper", xanchor: "left", xshift: 6, y: last, text: name, showarrow: false, font: { size: 12, color: colours[at % colours.length] } };
  });
}

function references(spec) {
  const paint = (line) => colour(line.tone === "bad" ? "--bad-text" : "--text-faint");
  const ends = spec.series.flatMap((one) => [one.x[0], one.x.at(-1)]);
  const middle = (Math.min(...ends) + Math.max(...ends)) / 2;
  const lines = spec.lines || [];
  const shapes = lines.map((line) => ({ type: "line", line: { color: paint(line), width: 1, dash: "dash" }, ...(line.axis === "x" ? { x0: line.value, x1: line.value, yref: "paper", y0: 0, y1: 1 } : { y0: line.value, y1: line.value, xref: "paper", x0: 0, x1: 1 }) }));
  let beside = 0;
  const notes = lines.filter((line) => line.label).map((line) => {
    const note = { text: line.label, showarrow: false, font: { size: 11, color: paint(line) }, bgcolor: colour("--card"), opacity: 0.85, borderpad: 1 };
    if (line.axis !== "x") return { ...note, y: onAxis(spec.y, line.value), xref: "paper", x: 1, xanchor: "right", yanchor: "bottom", xshift: -4 };
    // Two of them may stand at one step: each has a row of its own.
    beside += 1;
    const side = line.value > middle ? { xanchor: "right", xshift: -3 } : { xanchor: "left", xshift: 3 };
    return { ...note, ...side, x: onAxis(spec.x, line.value), yref: "paper", y: 1, yanchor: "top", yshift: -16 * (beside - 1) };
  });
  return { shapes, notes };
}

/** 1, 2 and 5 of each decade, round steps where there is hardly one: Plotly's own choice crowds a short axis with bare digits. */
function logTicks(values) {
  const [least, most] = values.reduce(([low, high], value) => (value > 0 ? [Math.min(low, value), Math.max(high, value)] : [low, high]), [Infinity, 0]);
  if (!most) return {};
  if (most / least < 5) {
    const rough = (most - least) / 5 || most;
    const decade = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((nice) => nice * decade >= rough) * decade;
    const vals = Array.from({ length: 8 }, (_, at) => (Math.floor(least / step) + at) * step).filter((value) => value > 0);
    return { tickvals: vals, ticktext: vals.map((value) => number(Number(value.toPrecision(6)))) };
  }
  const [from, to] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  const steps = to - from > 3 ? [1] : [1, 2, 5];
  const tickvals = [];
  for (let power = from; power <= to; power += 1) tickvals.push(...steps.map((step) => step * 10 ** power));
  return { tickvals, ticktext: tickvals.map((value) => number(Number(value.toPrecision(1)))) };
}

function axisOf(kept, given = {}, values = []) {
  const bounded = given.min !== undefined || given.max !== undefined;
  return {
    ...kept, title: { ...kept.title, text: given.title || "" },
    ...(given.hidden ? { visible: false } : {}),
    ...(given.type === "log" && !given.format ? logTicks(values) : {}),
    ...(given.type ? { type: given.type } : {}),
    ...(bounded ? { range: [given.min, given.max].map((end) => (end === undefined ? null : onAxis(given, end))), autorange: given.min === undefined ? "min" : given.max === undefined ? "max" : false } : {}),
    ...(given.format ? { tickformat: given.format, hoverformat: given.format } : {}),
  };
}

/** Data and layout for Plotly. */
export function figure(given, look) {
  const spec = look.log ? { ...given, y: { ...given.y, type: "log", min: undefined, max: undefined } } : given;
  const made = layout();
  const { shapes, notes } = references(spec);
  const [x, y] = spec.horizontal ? [spec.y, spec.x] : [spec.x, spec.y];
  const values = (name) => (spec.kind === "heatmap" ? [] : spec.series.flatMap((one) => one[name]));
  made.xaxis = axisOf(made.xaxis, x, values(spec.horizontal ? "y" : "x"));
  made.yaxis = axisOf(made.yaxis, y, values(spec.horizontal ? "x" : "y"));
  if (spec.ticks?.x.length) made.yaxis2 = { overlaying: "y", range: [0, 1], visible: false, fixedrange: true };
  made.shapes = shapes;
  made.annotations = [...endLabels(spec, look), ...notes];
  // A zoom of a plain axis means nothing on a logarithmic one.
  if (look.log) made.uirevision = "log";
  made[spec.horizontal ? "xaxis" : "yaxis"].showspikes = false;
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
  return { data: traces(spec, look), layout: made };
}
