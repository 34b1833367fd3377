// Changes a progress component in place. run-stream.js and pages with live work call it.
import { duration, number } from "./lib.js";

/** `now` may hold any of {done, total, unit, rate, seconds_left, step, tone}; what it lacks stays as it is. */
export function setProgress(element, now) {
  const at = (name) => element.querySelector(`[data-progress-${name}]`);
  const bar = element.querySelector("progress");
  if (now.step !== undefined) at("step").textContent = now.step;
  if (now.total) {
    bar.max = now.total;
    bar.value = now.done ?? 0;
    at("percent").textContent = `${Math.floor((100 * (now.done ?? 0)) / now.total)}%`;
    const unit = now.unit ? ` ${now.unit}` : "";
    at("done").textContent = `${number(now.done ?? 0)} of ${number(now.total)}${unit}${now.rate ? ` · ${number(now.rate)}${unit} a second` : ""}`;
  } else if (now.total === null) {
    bar.removeAttribute("value");
    at("percent").textContent = "";
  }
  if (now.seconds_left !== undefined) at("left").textContent = now.seconds_left === null ? "" : `${duration(now.seconds_left)} left`;
  if (now.tone !== undefined) {
    element.classList.toggle("is-good", now.tone === "good");
    element.classList.toggle("is-bad", now.tone === "bad");
  }
}
