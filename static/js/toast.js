// Toasts: those the page came with, and those asked for by the event `toast` (from JS or an HX-Trigger header).
import { csrf } from "./lib.js";

const SECONDS = 4;
const box = document.getElementById("toasts");

function leave(element) {
  element.classList.add("is-leaving");
  setTimeout(() => element.remove(), 200);
}

function live(element) {
  let timer;
  // What went wrong stays until it is dismissed; the rest waits while it is pointed at or focused.
  const wait = () => { if (element.dataset.tone !== "bad") timer = setTimeout(() => leave(element), SECONDS * 1000); };
  const hold = () => clearTimeout(timer);
  element.addEventListener("pointerenter", hold);
  element.addEventListener("pointerleave", wait);
  element.addEventListener("focusin", hold);
  element.addEventListener("focusout", wait);
  wait();
}

async function undo(button) {
  button.setAttribute("aria-busy", "true");
  const reply = await fetch(button.dataset.undo, { method: "POST", headers: { "X-CSRFToken": csrf() } }).catch(() => null);
  if (reply?.ok) location.reload();
  else show({ message: "That could not be undone. Reload the page to see how things stand.", tone: "bad" });
}

export function show({ message, tone = "neutral", undo_url = "" }) {
  const template = document.getElementById("toast-template");
  if (!template || !box) return;
  const element = template.content.firstElementChild.cloneNode(true);
  element.dataset.tone = tone;
  element.querySelector("p").textContent = message;
  element.querySelectorAll("[data-tone-icon]").forEach((icon) => { if (icon.dataset.toneIcon !== tone) icon.remove(); });
  const button = element.querySelector("[data-undo]");
  if (undo_url) button.dataset.undo = undo_url;
  else button.remove();
  box.append(element);
  live(element);
}

document.addEventListener("toast", (event) => show(typeof event.detail === "string" ? { message: event.detail } : { ...event.detail, message: event.detail.message ?? event.detail.value }));
document.addEventListener("click", (event) => {
  const close = event.target.closest?.("[data-toast-close]");
  if (close) leave(close.closest("[data-toast]"));
  const again = event.target.closest?.("[data-undo]");
  if (again) undo(again);
});
box?.querySelectorAll("[data-toast]").forEach(live);
