// The only code that follows a run over its socket. Numbers and curves change in place; for the rest the page's own
// fragments are fetched again, so that what a thing looks like is written once, in the template.
import { drawChart, extendChart, markStep } from "./chart.js";
import { number } from "./lib.js";
import { setProgress } from "./progress.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15000;
const REFRESH_EVERY = 700;
const REFUSED = new Set([4403, 4404]);

const page = document.querySelector("[data-run]");
let last = Number(page.dataset.lastSeq);
let wait = FIRST_WAIT;
let refresh;
let pause = REFRESH_EVERY; // before fragments are fetched again; longer after each failure
let meanwhile = null; // points that come while the charts are being fetched again
const stale = new Set();

function connect() {
  const address = new URL(page.dataset.socket, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.searchParams.set("after", last);
  const socket = new WebSocket(address);
  socket.onmessage = (message) => {
    wait = FIRST_WAIT;
    take(JSON.parse(message.data).events);
  };
  socket.onclose = (event) => {
    page.dataset.live = "no";
    if (REFUSED.has(event.code)) return;
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  };
  socket.onopen = () => (page.dataset.live = "yes");
}

function take(events) {
  const places = JSON.parse(document.getElementById("run-places").textContent);
  const fresh = new Map();
  for (const event of events) {
    if (event.seq <= last) continue;
    last = event.seq;
    if (event.type === "metric") {
      for (const [metric, value] of Object.entries(event.data.values)) {
        if (value === null) continue;
        meanwhile?.push({ metric, x: event.data.step, y: value });
        const place = places[metric];
        if (place === null) continue; // counted along, not drawn
        const chart = place && document.getElementById(place.chart);
        if (!chart) later("run-charts", "run-figures");
        else if (fresh.has(chart)) fresh.get(chart).push({ series: place.series, x: event.data.step, y: value });
        else fresh.set(chart, [{ series: place.series, x: event.data.step, y: value }]);
        const figure = document.getElementById(`figure-${metric}`);
        if (figure) figure.textContent = number(value);
      }
    } else if (event.type === "progress") {
      const bar = document.getElementById("run-progress");
      if (bar) setProgress(bar, event.data);
    } else if (event.type === "phase") {
      const bar = document.getElementById("run-progress");
      if (bar) setProgress(bar, { step: event.data.title, total: null });
      later("run-events");
    } else if (event.type === "status") {
      later("run-head", "run-events", "run-outputs");
      if (event.data.status === "SUCCEEDED") later("run-charts"); // which step was kept is known now
    } else {
      later("run-events");
      if (event.type === "checkpoint") markStep(event.data.step);
      if (event.data.about) later("run-settings"); // what it computes with
      if (event.data.code === "forgetting") later("run-charts"); // where the budget was broken
    }
  }
  for (const [chart, points] of fresh) extendChart(chart, points);
  page.dataset.lastSeq = last;
}

/** Has the named fragments fetched again, soon and all together. */
function later(...ids) {
  ids.forEach((id) => stale.add(id));
  refresh ??= setTimeout(fetchStale, pause);
}

/** One request at a time, and again until it succeeds: no further event may come that asks for it. */
async function fetchStale() {
  const wanted = [...stale];
  stale.clear();
  if (wanted.includes("run-charts")) meanwhile = [];
  // Charts are most of the page's work, and most of what happens does not concern them
  const html = await fetch(wanted.includes("run-charts") ? page.dataset.run : `${page.dataset.run}?charts=no`)
    .then((answer) => answer.ok && answer.text())
    .catch(() => "");
  refresh = null;
  pause = html ? REFRESH_EVERY : Math.min(pause * 2, LONGEST_WAIT);
  if (html) replace(wanted, new DOMParser().parseFromString(html, "text/html"));
  else wanted.forEach((id) => stale.add(id));
  meanwhile = null;
  if (stale.size) later();
}

function replace(wanted, fresh) {
  for (const id of wanted) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (!old || !now) continue;
    old.replaceWith(now);
    window.htmx.process(now);
    now.querySelectorAll("[data-chart]").forEach((chart) => drawChart(chart));
  }
  if (!meanwhile) return;
  const places = JSON.parse(document.getElementById("run-places").textContent);
  for (const { metric, x, y } of meanwhile) {
    const chart = places[metric] && document.getElementById(places[metric].chart);
    if (chart) extendChart(chart, [{ series: places[metric].series, x, y }]);
  }
}

connect();
