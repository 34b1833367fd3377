// Native dialogs, and the question asked before anything that destroys.
//   <button data-confirm="Delete 3 documents?" data-confirm-detail="…" data-confirm-label="Delete" data-confirm-word="name">

const box = document.getElementById("confirm");

export function ask({ question, detail = "", label = "Go on", word = "" }) {
  const yes = box.querySelector("[data-confirm-yes]");
  const typing = box.querySelector("[data-confirm-typing]");
  const input = typing.querySelector("input");
  box.querySelector("h2").textContent = question;
  box.querySelector("[data-confirm-says]").textContent = detail;
  box.querySelector("[data-confirm-says]").hidden = !detail;
  box.querySelector("[data-confirm-word-shown]").textContent = word;
  typing.hidden = !word;
  input.value = "";
  yes.textContent = label;
  yes.disabled = Boolean(word);
  input.oninput = () => { yes.disabled = input.value.trim() !== word; };
  box.returnValue = "";
  box.showModal();
  if (word) input.focus();
  return new Promise((resolve) => box.addEventListener("close", () => resolve(box.returnValue === "yes"), { once: true }));
}

// Captured before htmx or the form sees the click; on yes the same click is made again and let through.
document.addEventListener("click", async (event) => {
  const element = event.target.closest?.("[data-confirm]");
  if (!element || element.dataset.confirmed || element.matches("[aria-disabled=true]")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const fill = (text) => (text || "").replaceAll("{n}", element.dataset.confirmCount || "");
  const { confirm, confirmDetail, confirmLabel, confirmWord } = element.dataset;
  if (await ask({ question: fill(confirm), detail: fill(confirmDetail), label: fill(confirmLabel) || element.textContent.trim(), word: confirmWord })) {
    // A page that fetches itself may have put another in its place meanwhile; where none is there any more, there is nothing left to do.
    const now = element.isConnected ? element : element.id && document.getElementById(element.id);
    if (!now) return;
    now.dataset.confirmed = "yes";
    now.click();
    delete now.dataset.confirmed;
  }
}, true);

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-dialog-open]");
  if (opener) document.getElementById(opener.dataset.dialogOpen)?.showModal();
  if (event.target.closest?.("[data-dialog-close]")) event.target.closest("dialog").close();
  // A press on the backdrop lands on the dialog itself.
  if (event.target instanceof HTMLDialogElement && event.target.id !== "confirm") event.target.close();
});
