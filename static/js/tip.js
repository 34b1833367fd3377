// One tip for the whole page, in the top layer, so that nothing clips it and it never leaves the window.

const tip = document.createElement("div");
tip.className = "tip";
tip.popover = "manual";
tip.setAttribute("aria-hidden", "true"); // the same words are in the element's label, or are beside it
document.body.append(tip);
let timer;

function show(element) {
  if (!element.isConnected || !element.dataset.tip) return;
  tip.textContent = element.dataset.tip;
  tip.showPopover();
  const box = element.getBoundingClientRect();
  const left = box.left + box.width / 2 - tip.offsetWidth / 2;
  const above = box.top - tip.offsetHeight - 6;
  tip.style.left = `${Math.max(8, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${above < 8 || element.closest(".bar, .rail-head") ? box.bottom + 6 : above}px`;
}

function hide() {
  clearTimeout(timer);
  if (tip.matches(":popover-open")) tip.hidePopover();
}

document.addEventListener("pointerover", (event) => {
  const element = event.target.closest?.("[data-tip]");
  if (event.pointerType === "touch" && !event.target.closest?.(".term, [aria-disabled=true]")) return;
  hide();
  if (element) timer = setTimeout(show, 300, element);
});
document.addEventListener("focusin", (event) => {
  hide();
  if (event.target.matches("[data-tip]:focus-visible")) show(event.target);
});
document.addEventListener("focusout", hide);
document.addEventListener("pointerdown", hide);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
addEventListener("scroll", hide, { capture: true, passive: true });
