// Theme, rail, drawer, menus, panel, copying, and the keys that work everywhere.
import { isTyping, remember, toast } from "./lib.js";

const root = document.documentElement;

// Theme: what the system says, then light, then dark.
const themes = ["system", "light", "dark"];
const theme = () => root.dataset.theme || "system";
function paintTheme() {
  document.querySelectorAll("[data-theme-icon]").forEach((icon) => icon.toggleAttribute("hidden", icon.dataset.themeIcon !== theme()));
  document.querySelectorAll("[data-theme-toggle]").forEach((button) => {
    button.setAttribute("aria-label", `Theme: ${theme()}`);
    button.dataset.tip = `Theme: ${theme()}`;
  });
}
export function setTheme(name) {
  if (name === "system") delete root.dataset.theme;
  else root.dataset.theme = name;
  remember("theme", name === "system" ? null : name);
  paintTheme();
  document.dispatchEvent(new CustomEvent("themechange"));
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new CustomEvent("themechange")));
paintTheme();

if (/Mac|iP(hone|ad)/.test(navigator.platform)) {
  document.querySelectorAll("[data-shortcut]").forEach((key) => { key.textContent = key.textContent.replace("Ctrl ", "⌘"); });
}

function setDrawer(open) {
  const rail = document.getElementById("rail");
  if (!rail) return;
  root.dataset.drawer = open ? "open" : "closed";
  document.getElementById("main").inert = open;
  document.querySelector("[data-drawer-open]")?.setAttribute("aria-expanded", String(open));
  if (open) rail.querySelector("a, button").focus();
  else document.querySelector("[data-drawer-open]")?.focus();
}

let panelOpener = null;
const closePanel = () => {
  const panel = document.getElementById("panel");
  if (!panel?.firstElementChild) return false;
  panel.replaceChildren();
  panelOpener?.focus();
  document.dispatchEvent(new CustomEvent("panel:closed"));
  return true;
};

async function copy(button) {
  const text = button.dataset.copy || button.closest(".code")?.querySelector("pre").textContent || "";
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.", { tone: "good" });
  } catch {
    // Plain http on another machine has no clipboard; selecting the text is the next best thing.
    const shown = button.closest(".code")?.querySelector("pre") || button;
    getSelection().selectAllChildren(shown);
    toast("This browser does not let the page copy. The text is selected: press Ctrl C.", { tone: "warning" });
  }
}

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest?.(selector);
  if (at("[aria-disabled=true]")) event.preventDefault();
  else if (at("[data-theme-toggle]")) setTheme(themes[(themes.indexOf(theme()) + 1) % themes.length]);
  else if (at("[data-rail-fold]")) {
    const folded = root.dataset.rail !== "collapsed";
    if (folded) root.dataset.rail = "collapsed";
    else delete root.dataset.rail;
    remember("rail", folded ? "collapsed" : null);
  } else if (at("[data-drawer-open]")) setDrawer(true);
  else if (at("[data-drawer-close]")) setDrawer(false);
  else if (at("[data-panel-close]")) closePanel();
  else if (at("[data-copy]")) copy(at("[data-copy]"));
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open], [popover]:popover-open")) {
    if (root.dataset.drawer === "open") setDrawer(false);
    else if (closePanel()) event.preventDefault();
  }
  if (event.key === "?" && !isTyping(event.target)) document.getElementById("help")?.showModal();
});

// Menus are popovers in the top layer, so that no scrolling table clips them; they are laid beside their button here.
function place(menu) {
  const button = document.querySelector(`[popovertarget="${menu.id}"]`);
  const box = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = box.left + width > innerWidth - 8 ? box.right - width : box.left;
  const below = box.bottom + 4;
  const top = below + height > innerHeight - 8 && box.top - height - 4 > 8 ? box.top - height - 4 : below;
  menu.style.left = `${Math.max(8, left)}px`;
  menu.style.top = `${Math.max(8, top)}px`;
}
document.addEventListener("toggle", (event) => {
  if (event.target.matches?.(".menu") && event.newState === "open") {
    place(event.target);
    event.target.querySelector(".menu-item")?.focus({ preventScroll: true });
  }
}, true);
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".menu:popover-open");
  if (!menu || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
  const items = [...menu.querySelectorAll(".menu-item")];
  const now = items.indexOf(document.activeElement);
  const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: -1 }[event.key];
  items.at(next % items.length)?.focus();
  event.preventDefault();
});
document.addEventListener("click", (event) => event.target.closest?.(".menu-item")?.closest(".menu")?.hidePopover());
for (const kind of ["scroll", "resize"]) {
  addEventListener(kind, () => {
    const menu = document.querySelector(".menu:popover-open");
    if (menu) place(menu);
  }, { capture: true, passive: true });
}

// htmx: say what went wrong, and leave a menu that is open alone.
document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  const words = { 403: "Your role does not allow this.", 404: "That is no longer there. Reload the page.", 409: "Somebody else changed this first. Reload the page to see it." };
  toast(words[status] || `The studio could not do that (${status}). Try again; if it happens again, see the server's log.`, { tone: "bad" });
});
document.addEventListener("htmx:sendError", () => toast("The studio does not answer. Check that it is running, then try again.", { tone: "bad" }));
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id === "running" && event.detail.target.querySelector(":popover-open")) event.detail.shouldSwap = false;
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "panel") return;
  panelOpener = event.detail.requestConfig.elt;
  event.detail.target.querySelector("[data-panel-close]")?.focus({ preventScroll: true });
});
