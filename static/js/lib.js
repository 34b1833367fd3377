// Small things that several modules need.

export const csrf = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}")["X-CSRFToken"] || "";

export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
}

export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export const isTyping = (target) => target instanceof Element && target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable=true]") !== null;

const plain = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 });
const whole = new Intl.NumberFormat();
export const number = (value) => (Number.isInteger(value) ? whole : Math.abs(value) >= 1000 ? whole : plain).format(value);

export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  for (; value >= 1000 && at < units.length - 1; at += 1) value /= 1000;
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

export function duration(seconds) {
  const total = Math.max(0, Math.round(seconds));
  if (total < 60) return `${total} s`;
  const steps = [[86400, 3600, "d", "h"], [3600, 60, "h", "min"], [60, 1, "min", "s"]];
  const [big, small, bigName, smallName] = steps.find(([limit]) => total >= limit);
  const rest = Math.floor((total % big) / small);
  return `${Math.floor(total / big)} ${bigName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

/** Calls back now for what is on the page, and again for whatever htmx puts there later. */
export function eachOnArrival(selector, callback) {
  const visit = (root) => {
    if (root instanceof Element && root.matches(selector)) callback(root);
    root.querySelectorAll?.(selector).forEach(callback);
  };
  visit(document);
  document.addEventListener("htmx:load", (event) => visit(event.detail.elt));
}

export const toast = (message, options = {}) => document.dispatchEvent(new CustomEvent("toast", { detail: { message, ...options } }));
