// Work under way on the pages of documents and search: while something is read or measured, the page is fetched again and
// what is live in it changes in place. The selection, the search box and the scroll position stay as they are.
const EVERY = 1500;
const SETTLE = 400;
const working = () => document.querySelector("[data-reading], [data-measuring], #document-now");
let timer;

function again(wait) {
  clearTimeout(timer);
  timer = setTimeout(refresh, wait);
}

async function refresh() {
  if (document.hidden) return again(EVERY);
  const was = Boolean(working());
  let fresh;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return again(EVERY * 4);
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return again(EVERY * 4); // the studio restarts, or the network is away: reading goes on without us
  }
  const page = document.querySelector("[data-documents]");
  const is = fresh.querySelector("[data-reading], [data-measuring], #document-now") !== null;
  // Something ended or began: the table has new rows or figures, a document has its text
  if (page && (was !== is || rows(document) !== rows(fresh))) swapAll(page, fresh.querySelector("[data-documents]"));
  else if (!page && was && !is && !document.querySelector("#measure")) location.reload();
  else swapLive(fresh);
  swapRail(fresh);
  if (is) again(EVERY);
}

const rows = (root) => [...root.querySelectorAll("#documents-results tbody tr td[data-live]")].map((cell) => cell.id).join();

// What htmx would do with what it swaps in: its own attributes, and a word to the modules that wait for arrivals.
function arrived(element) {
  window.htmx?.process(element);
  element.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true, detail: { elt: element } }));
}

function swapLive(fresh) {
  for (const old of document.querySelectorAll("[data-live][id]")) {
    const now = fresh.getElementById(old.id);
    if (now && now.innerHTML !== old.innerHTML) {
      old.replaceWith(now);
      arrived(now);
    }
  }
}

function swapRail(fresh) {
  const [old, now] = [document.querySelector(".rail-nav"), fresh.querySelector(".rail-nav")];
  if (old && now && !old.contains(document.activeElement) && old.innerHTML !== now.innerHTML) old.replaceWith(now);
}

// Everything but the upload list, whose rows know how their files fared.
function swapAll(page, fresh) {
  const selected = new Set([...page.querySelectorAll("input[name=ids]:checked")].map((box) => box.value));
  page.toggleAttribute("data-reading", fresh.hasAttribute("data-reading"));
  const listed = fresh.querySelector("#documents") !== null;
  const typing = document.activeElement?.closest?.(".table-tools");
  for (const part of [...fresh.children]) {
    const old = part.id ? document.getElementById(part.id) : null;
    if (part.classList.contains("documents-drop")) {
      const drop = page.querySelector(".documents-drop");
      if (drop) drop.className = part.className;
    } else if (old && part.id === "documents" && typing) {
      const [results, now] = [old.querySelector(".table-results"), part.querySelector(".table-results")];
      results.replaceWith(now);
      arrived(now);
    } else {
      if (old) old.replaceWith(part);
      else if (part.id) page.append(part);
      arrived(part);
    }
  }
  if (listed) {
    page.querySelector(":scope > .empty")?.remove();
    // Files that went well are rows of the table now; the others keep saying what to mend
    if (!page.querySelector(".upload-list progress:not([hidden])")) page.querySelectorAll(".upload-list .is-good").forEach((row) => row.remove());
  }
  for (const box of page.querySelectorAll("input[name=ids]")) {
    if (selected.has(box.value)) box.click();
  }
}

document.addEventListener("upload:done", () => again(SETTLE));
document.addEventListener("upload:finished", () => again(SETTLE * 6)); // by then the run that reads them has begun
document.addEventListener("change", (event) => event.target.closest?.("[data-jump]")?.submit());
if (working()) again(EVERY);
document.getElementById("passage")?.scrollIntoView({ block: "center" });
