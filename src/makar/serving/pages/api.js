// The one way to the server: the key in memory of this tab, errors as words, server-sent events, images with a key.

import { dialog, field, h, button, lent } from "./dom.js";

const KEY = "makar-key";
const NOBODY = { message: "The server does not answer. Is makar serve still running?" };
let asking = null;

export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `the server answered ${status}`);
    this.status = status;
    this.code = error?.code;
  }
}

const headers = () => (sessionStorage.getItem(KEY) ? { authorization: `Bearer ${sessionStorage.getItem(KEY)}` } : {});

/** Ask for the key; whoever asks meanwhile waits for the same answer. It is kept until the tab is closed, and nowhere else. */
function askForKey() {
  asking ??= new Promise((done) => {
    const input = h("input", { type: "password", autocomplete: "off", required: true, spellcheck: "false" });
    const top = dialog("This server wants a key", h("form", { method: "dialog", onsubmit: () => sessionStorage.setItem(KEY, input.value.trim()) },
      h("p", {}, "It was set when the server was started. This tab forgets it when it is closed."),
      field("Key", input), button("Use it", { kind: "main", type: "submit" })), { kind: "slim" });
    top.addEventListener("close", () => { asking = null; done(Boolean(sessionStorage.getItem(KEY))); });
  });
  return asking;
}

/** Ask the server; `json` (values, or a text that is JSON already) or `form` is sent. Returns the response once it is no refusal. */
export async function request(path, { method, json, form, signal } = {}) {
  for (;;) {
    const sent = { method: method ?? (json || form ? "POST" : "GET"), headers: headers(), signal, keepalive: method === "DELETE" };
    if (json) Object.assign(sent, { body: typeof json === "string" ? json : JSON.stringify(json), headers: { ...sent.headers, "content-type": "application/json" } });
    if (form) sent.body = form;
    let answer;
    try {
      answer = await fetch(path, sent);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(0, NOBODY);
    }
    if (answer.ok) return answer;
    if (answer.status === 401) {
      sessionStorage.removeItem(KEY);
      if (await askForKey()) continue;
    }
    const said = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, said.error);
  }
}

export const call = async (path, given) => (await request(path, given)).json();

/** Yield the events of a stream; an error in the middle is thrown. */
export async function* events(path, given) {
  const answer = await request(path, given);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { value, done } = await reader.read().catch((error) => { throw error.name === "AbortError" ? error : new Refused(0, NOBODY); });
      if (done) return;
      text += value;
      const parts = text.split("\n\n");
      text = parts.pop();
      for (const part of parts) {
        const data = part.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
        if (!data || data === "[DONE]") continue;
        const values = JSON.parse(data);
        if (values.error?.message) throw new Refused(500, values.error);
        yield values;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Show a picture of the server, or play its sound; with a key it has to be fetched, because an address cannot carry one. */
export async function picture(shown, path) {
  if (!sessionStorage.getItem(KEY)) {
    shown.src = path;
    return;
  }
  try {
    const address = URL.createObjectURL(await (await request(path)).blob());
    // A player may read its file again whenever somebody moves back.
    if (shown.tagName === "IMG") shown.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    else lent.register(shown, address);
    shown.src = address;
  } catch (error) {
    shown[shown.tagName === "IMG" ? "alt" : "title"] = error.message;
  }
}

/** Show a picture that came as base64. */
export function drawn(image, base64) {
  const address = URL.createObjectURL(new Blob([bytesOf(base64)], { type: "image/png" }));
  image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
  image.src = address;
}

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** Wait until what is made in the background at a path is over; `told` is called meanwhile. Not to hear of it for a minute ends nothing. */
export async function madeAt(path, { signal, told } = {}) {
  for (let wait = 300, missed = 0; ; wait = Math.min(2000, 1.1 * wait)) {
    const found = await call(path, { signal }).catch((error) => { if (error.status !== 0 || ++missed > 30) throw error; return {}; });
    if (found.status) missed = 0;
    if (found.status === "failed") throw new Error(found.error.message);
    if (found.status === "completed") return found;
    if (found.status === "in_progress") told?.(found.progress, found.makar);
    await new Promise((resolve) => setTimeout(resolve, wait));
    signal?.throwIfAborted();
  }
}

let known = null;
/** The models of the server as they are now; those who ask at the same time share an answer. */
export function models() {
  known ??= call("/v1/models").then((found) => found.data).finally(() => { known = null; });
  return known;
}
export const forgetModels = () => described.clear();

const described = new Map();
/** What a model can and which controls it has; the server loads it for that. */
export function describe(name, { again = false } = {}) {
  if (again || !described.has(name)) {
    const asked = call(`/makar/v1/models/${encodeURIComponent(name)}/description`);
    asked.catch(() => described.delete(name));
    described.set(name, asked);
  }
  return described.get(name);
}
