// A sweep's page while it goes on: htmx puts new rows in place; now and then the charts take in new numbers, keeping zoom and switched-off lines.
import { drawChart } from "./chart.js";

const charts = document.getElementById("sweep-charts");

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  // not detail.elt: the element that asked has been replaced by now
  if (detail.requestConfig.elt.id !== "sweep-drawing" || !detail.successful) return;
  const fresh = new DOMParser().parseFromString(detail.xhr.responseText, "text/html");
  for (const figure of fresh.querySelectorAll("#sweep-charts [data-chart]")) {
    const known = document.getElementById(figure.id);
    const numbers = (of) => of.querySelector(`#${figure.dataset.chart}`);
    if (known && numbers(known).textContent === numbers(figure).textContent) continue;
    if (known) numbers(known).textContent = numbers(figure).textContent;
    else charts.append(document.adoptNode(figure));
    document.getElementById("sweep-chart-controls").hidden = false;
    drawChart(known || figure);
  }
});
