// Many files at once, each with its own request, so that one bad file spoils nothing.
// The server answers each with {name, ok, message, mend}.
import { bytes, csrf, toast } from "./lib.js";

const AT_ONCE = 3;
const attached = new WeakSet();

export function attach(box) {
  if (attached.has(box)) return;
  attached.add(box);
  const input = box.querySelector("input[type=file]");
  const drop = box.querySelector(".drop");
  const list = box.querySelector(".upload-list");
  const waiting = [];
  let running = 0;
  let sent = 0;

  const icon = (name) => {
    const svg = box.querySelector(`[data-upload-icon="${name}"]`).cloneNode(true);
    svg.setAttribute("aria-hidden", "true");
    return svg;
  };

  function say(row, tone, words) {
    row.className = tone === "bad" ? "is-bad" : tone === "good" ? "is-good" : "";
    row.querySelector(".upload-icon").replaceChildren(icon(tone));
    row.querySelector(".said").textContent = words;
  }

  function add(file) {
    const row = box.querySelector("template").content.firstElementChild.cloneNode(true);
    row.querySelector(".upload-name").textContent = file.webkitRelativePath || file.name;
    row.querySelector(".upload-size").textContent = bytes(file.size);
    row.querySelector("progress").setAttribute("aria-label", `Upload of ${file.name}`);
    const stop = row.querySelector("[data-upload-stop]");
    list.append(row);
    const limit = Number(box.dataset.maxBytes || 0);
    if (limit && file.size > limit) {
      row.querySelector("progress").remove();
      say(row, "bad", `Larger than ${bytes(limit)}. Split it, or ask the owner to raise the limit.`);
      stop.setAttribute("aria-label", `Remove ${file.name}`);
      stop.onclick = () => row.remove();
      return;
    }
    queue({ file, row, stop });
  }

  function queue(job) {
    const { file, row, stop } = job;
    say(row, "waiting", "Waiting");
    stop.setAttribute("aria-label", `Stop and remove ${file.name}`);
    stop.onclick = () => {
      waiting.splice(waiting.indexOf(job), 1);
      row.remove();
    };
    waiting.push(job);
  }

  function pump() {
    while (running < AT_ONCE && waiting.length) send(waiting.shift());
    if (!running && !waiting.length && sent) {
      box.dispatchEvent(new CustomEvent("upload:finished", { bubbles: true, detail: { sent } }));
      sent = 0;
    }
  }

  function send(job) {
    const { file, row, stop } = job;
    const bar = row.querySelector("progress");
    const request = new XMLHttpRequest();
    const started = performance.now();
    running += 1;
    const end = () => {
      running -= 1;
      pump();
    };
    const fail = (words) => {
      bar.hidden = true;
      say(row, "bad", words);
      stop.replaceChildren(icon("retry"));
      stop.setAttribute("aria-label", `Try ${file.name} again`);
      stop.onclick = () => {
        bar.hidden = false;
        stop.replaceChildren(box.querySelector("template").content.querySelector("[data-upload-stop] svg").cloneNode(true));
        queue(job);
        pump();
      };
    };
    request.upload.onprogress = (event) => {
      bar.value = (100 * event.loaded) / event.total;
      const left = event.total - event.loaded;
      const rate = event.loaded / ((performance.now() - started) / 1000);
      row.querySelector(".said").textContent = left ? `${bytes(event.loaded)} of ${bytes(event.total)} · ${bytes(rate)} a second` : "Checking";
    };
    request.onload = () => {
      let reply = {};
      try {
        reply = JSON.parse(request.responseText);
      } catch {
        reply = { ok: false, message: `The studio could not take this file (${request.status}).`, mend: "Try again." };
      }
      if (reply.ok) {
        bar.hidden = true;
        say(row, "good", reply.message || "Uploaded");
        stop.hidden = true;
        sent += 1;
        box.dispatchEvent(new CustomEvent("upload:done", { bubbles: true, detail: reply }));
      } else fail([reply.message, reply.mend].filter(Boolean).join(" "));
      end();
    };
    request.onerror = () => {
      fail("The studio does not answer. Check the connection, then try again.");
      end();
    };
    request.onabort = () => {
      row.remove();
      end();
    };
    stop.onclick = () => request.abort();
    const body = new FormData();
    body.append(box.dataset.field, file, file.name);
    request.open("POST", box.dataset.upload);
    request.setRequestHeader("X-CSRFToken", csrf());
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
  }

  input.addEventListener("change", () => {
    [...input.files].forEach(add);
    input.value = "";
    pump();
  });
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("is-over"); });
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("is-over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    const files = await unfold(event.dataTransfer);
    if (!files.length) toast("There was no file in what you dropped.", { tone: "warning" });
    files.forEach(add);
    pump();
  });
  addEventListener("beforeunload", (event) => { if (running) event.preventDefault(); });
}

/** The files of a drop, folders opened. */
async function unfold(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const files = [];
  const walk = async (entry) => {
    if (entry.isFile) return files.push(await new Promise((done, fail) => entry.file(done, fail)));
    const reader = entry.createReader();
    // A reader gives at most a hundred entries a time, and an empty list at the end.
    for (;;) {
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) return undefined;
      for (const one of some) await walk(one);
    }
  };
  for (const entry of entries) await walk(entry);
  return files;
}
