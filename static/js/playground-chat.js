// Sends a question and shows the answer as it comes: lines of JSON over one request.
import { csrf, isTyping } from "./lib.js";

const form = document.getElementById("chat-form");
const log = document.getElementById("chat-log");
const box = form.querySelector("textarea");
const stop = form.querySelector("[data-chat-stop]");
const send = form.querySelector("button.btn-primary");
let controller = null;

function add(template, text) {
  const item = document.getElementById(template).content.firstElementChild.cloneNode(true);
  item.firstElementChild.textContent = text;
  log.append(item);
  item.scrollIntoView({ block: "end" });
  return item;
}

function fail(what, mend, question) {
  const item = add("failure-template", what);
  item.lastElementChild.textContent = mend || "";
  if (!box.value) box.value = question; // nothing typed is lost
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

async function ask() {
  const question = box.value.trim();
  if (!question || controller) return;
  const data = new FormData(form);
  document.getElementById("chat-empty")?.remove();
  add("question-template", question);
  const answer = add("answer-template", "");
  box.value = "";
  controller = new AbortController();
  stop.hidden = false;
  send.setAttribute("aria-disabled", "true");
  let ended = false;
  try {
    const reply = await fetch(form.action, { method: "POST", body: data, signal: controller.signal, headers: { "X-CSRFToken": csrf() } });
    if (!reply.ok) {
      const said = reply.headers.get("content-type")?.includes("json") ? await reply.json() : {};
      throw new Error(said.error || "The studio did not answer. Try again.");
    }
    for await (const line of lines(reply.body)) {
      if (line.conversation) {
        history.replaceState(null, "", line.conversation);
        form.action = `${line.conversation}ask/`;
        form.querySelector("select")?.closest("label").remove();
      } else if (line.token) {
        answer.firstElementChild.textContent += line.token;
        answer.scrollIntoView({ block: "end" });
      } else if (line.done) {
        ended = true;
        const whole = document.createElement("template");
        whole.innerHTML = line.done; // our own server's template, escaped there
        for (const field of whole.content.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = csrf();
        answer.replaceWith(whole.content);
        window.htmx?.process(log.lastElementChild); // its thumbs
        log.lastElementChild.scrollIntoView({ block: "end" });
      } else if (line.error) {
        ended = true;
        fail(line.error, line.mend, question);
      }
    }
    if (!ended) fail("The answer broke off.", "Ask again.", question);
  } catch (error) {
    if (error.name !== "AbortError") fail(error.message, "", question);
  } finally {
    controller = null;
    answer.classList.remove("is-coming");
    if (!answer.textContent.trim()) answer.remove();
    stop.hidden = true;
    send.removeAttribute("aria-disabled");
    box.focus();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    ask();
  }
});
stop.addEventListener("click", () => controller?.abort());
if (!isTyping(document.activeElement) && matchMedia("(hover: hover)").matches) box.focus({ preventScroll: true });
