// <time data-relative datetime="…"> in the reader's own zone and words, kept fresh.
import { eachOnArrival } from "./lib.js";

const near = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const units = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7]];

export function relative(date, now = Date.now()) {
  let amount = (date.getTime() - now) / 1000;
  if (Math.abs(amount) < 45) return "just now";
  for (const [unit, size] of units) {
    if (Math.abs(Math.round(amount)) < size) return near.format(Math.round(amount), unit);
    amount /= size;
  }
  return day.format(date);
}

function paint(element) {
  const date = new Date(element.dateTime);
  if (Number.isNaN(date.getTime())) return;
  element.textContent = relative(date);
  element.title = exact.format(date);
}

eachOnArrival("time[data-relative]", paint);
setInterval(() => document.querySelectorAll("time[data-relative]").forEach(paint), 30_000);
