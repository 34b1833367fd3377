// The one look of all charts. Colours come from tokens.css, so a chart follows the theme of the page.

const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** A token as #rrggbb: Plotly does not read oklch() or light-dark(). */
export function colour(token) {
  const holder = document.createElement("span");
  holder.style.color = `var(${token})`;
  document.body.append(holder);
  probe.fillStyle = getComputedStyle(holder).color;
  holder.remove();
  probe.clearRect(0, 0, 1, 1);
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  return `#${[r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

export function palette() {
  return [1, 2, 3, 4, 5, 6, 7, 8].map((at) => colour(`--chart-${at}`));
}

export const scale = () => [[0, colour("--seq-low")], [0.5, colour("--seq-mid")], [1, colour("--seq-high")]];

// Where a chart has many lines, dashes tell apart what colours repeat.
export const dash = (at) => ["solid", "dash", "dot", "dashdot"][Math.floor(at / 8) % 4];

export function layout() {
  const text = colour("--text-soft");
  const line = colour("--line");
  const axis = {
    gridcolor: line, gridwidth: 1, zeroline: false, linecolor: line, ticks: "", tickfont: { size: 11, color: text },
    title: { font: { size: 12, color: text }, standoff: 10 }, automargin: true, fixedrange: false, separatethousands: true, hoverformat: ".4~g",
    spikecolor: colour("--line-strong"), spikethickness: 1, spikedash: "solid",
  };
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: text },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 48, r: 16, t: 12, b: 40 }, dragmode: "zoom", hovermode: "x unified",
    hoverlabel: { namelength: -1, bgcolor: colour("--float"), bordercolor: line, font: { size: 12, color: colour("--text") } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 12, color: text } },
    xaxis: { ...axis, showgrid: false, showline: true }, yaxis: { ...axis }, bargap: 0.35, bargroupgap: 0.08,
    // One constant, so that a zoom stays while data streams in.
    uirevision: "kept",
  };
}

export const config = { displayModeBar: false, displaylogo: false, responsive: true, plotlyServerURL: "", showTips: false, doubleClick: "reset" };
