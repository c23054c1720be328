// Elements in one line each, icons, words on top, and numbers as a person reads them.

const SVG = "http://www.w3.org/2000/svg";
const AS_PROPERTY = new Set(["value", "checked", "selected", "disabled", "open", "hidden", "htmlFor"]);
/** Addresses of files that an element may read again and again: given back when nobody holds the element any more. */
export const lent = new FinalizationRegistry((address) => URL.revokeObjectURL(address));

/** Make an element: names beginning with "on" are listeners, `false`, `null` and `undefined` are left out. */
export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === undefined || value === null || (value === false && !name.startsWith("aria-"))) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (AS_PROPERTY.has(name)) element[name] = value;
    else element.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : value);
    if (name === "src") lent.register(element, value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const PATHS = {
  create: "M12 3v4M12 17v4M3 12h4M17 12h4M6 6l2.5 2.5M15.5 15.5 18 18M18 6l-2.5 2.5M8.5 15.5 6 18",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  compare: "M4 4h7v16H4zM13 4h7v16h-7M16 9h2M16 13h2",
  chat: "M4 5h16v11H9l-5 4z",
  knowledge: "M5 4h10l4 4v12H5zM15 4v4h4M8 12h8M8 16h5",
  train: "M3 20h18M5 16l5-6 4 3 6-8",
  models: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  gallery: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  arena: "M12 4v16M4 8h16M4 8l-2 6h6l-2-6M20 8l-2 6h6M7 20h10",
  feedback: "M12 4l2.5 5 5.5.8-4 3.9 1 5.3-5-2.6-5 2.6 1-5.3-4-3.9 5.5-.8z",
  dice: "M5 5h14v14H5zM9 9h.01M15 15h.01M12 12h.01M15 9h.01M9 15h.01",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  open: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 6.8-1.2",
  stop: "M7 7h10v10H7z",
  close: "M6 6l12 12M18 6 6 18",
  down: "M12 4v11M7 11l5 5 5-5M5 20h14",
  copy: "M9 9h11v11H9zM5 15V4h11",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  again: "M5 12a7 7 0 1 1 2 5M5 19v-4h4",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  left: "M15 5l-7 7 7 7", right: "M9 5l7 7-7 7",
  up: "M7 14l5-5 5 5M4 20h16M4 4h16", sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8",
  send: "M4 12l16-8-6 16-3-6z", plus: "M12 5v14M5 12h14", search: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15.5 15.5 20 20",
  good: "M7 11v9H4v-9zM7 11l4-7c1.5 0 2.5 1 2 3l-.7 3H19l-1.5 8.5c-.2 1-1 1.5-2 1.5H7",
  poor: "M7 13V4H4v9zM7 13l4 7c1.5 0 2.5-1 2-3l-.7-3H19l-1.5-8.5c-.2-1-1-1.5-2-1.5H7",
  hear: "M12 4a3 3 0 0 0-3 3v4a3 3 0 0 0 6 0V7a3 3 0 0 0-3-3M6 11a6 6 0 0 0 12 0M12 17v4",
  play: "M8 5l11 7-11 7z", pause: "M8 5v14M16 5v14",
};

export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  drawing.append(shape("path", { d: PATHS[name] }));
  return drawing;
}

/** Make an element of a drawing. */
export function shape(tag, given, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A button with an icon; without words its name is read aloud only. */
export function button(words, { icon: name, act, kind = "", title, disabled = false, ...more } = {}) {
  let isBusy = false;
  // A second click while the first is at work would do it twice; what goes wrong is said.
  const once = async (event) => {
    if (isBusy) return;
    isBusy = true;
    try {
      await act(event);
    } catch (error) {
      failed(error);
    }
    isBusy = false;
  };
  return h("button", { type: "button", class: kind, onclick: act && once, disabled, "aria-label": title, title, ...more }, name && icon(name), words);
}

let count = 0;
export const fresh = (word) => `${word}-${++count}`;

/** A label, a control and what it means, tied together. */
export function field(words, control, hint, { kind = "" } = {}) {
  control.id ||= fresh("field");
  const parts = [h("label", { htmlFor: control.id }, words), control];
  if (hint) {
    const id = fresh("hint");
    control.setAttribute("aria-describedby", id);
    parts.push(h("p", { class: "hint", id }, hint));
  }
  return h("div", { class: `field ${kind}` }, parts);
}

/** What is wrong with the value of an input, in words; empty where it can be sent. */
function fault({ type, validity, value, min, max, step, validationMessage }) {
  const range = min && max ? `${min} to ${max}` : min ? `at least ${min}` : max ? `at most ${max}` : "a number";
  if (validity.customError) return validationMessage;
  if (validity.badInput || validity.valueMissing && type === "number") return `That is no number; expected: ${range}`;
  if (validity.rangeUnderflow || validity.rangeOverflow) return `${value} is out of range; expected: ${range}`;
  // The step of a fraction is that of the arrows; what lies between is a number too.
  if (type === "number" && Number.isInteger(Number(step || 1)) && !Number.isInteger(Number(value))) return `${value} is no whole number; expected: ${range}`;
  return "";
}

/** Say at the field of an input what is wrong with its value, or nothing any more; gives whether something is. */
function told(input) {
  const words = fault(input);
  const known = document.getElementById(`${input.id}-wrong`);
  const others = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== `${input.id}-wrong`);
  if (words) {
    const note = known ?? h("p", { class: "wrong", id: `${input.id}-wrong`, role: "alert" });
    if (note.textContent !== words) note.textContent = words;
    if (!known) input.closest(".field").append(note);
    others.push(note.id);
  } else known?.remove();
  if (others.length) input.setAttribute("aria-describedby", others.join(" "));
  if (words) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  return Boolean(words);
}
const CHECKED = ".field input:is([type=number], [type=text])";
addEventListener("change", ({ target }) => { if (target.matches(CHECKED)) told(target); });
// Any input, because a slider or a dice sets the value of another one.
addEventListener("input", () => document.querySelectorAll(`${CHECKED}[aria-invalid]`).forEach(told));

/** Whether a value below an element cannot be sent: it is said at its field, which comes into view and into focus. */
export function isWrong(element) {
  const found = [...element.querySelectorAll(CHECKED)].filter((input) => !input.closest("[hidden]") && told(input));
  if (!found.length) return false;
  const closed = found[0].closest("details:not([open])");
  if (closed) closed.open = true;
  found[0].focus();
  say("Nothing was sent: a value cannot be used");
  return true;
}

export function choice(values, chosen, act, more = {}) {
  const options = values.map((one) => (Array.isArray(one) ? one : [one, one]));
  const list = h("select", { ...more, onchange: (event) => act?.(event.target.value) }, options.map(([value, words]) => h("option", { value }, words)));
  list.value = chosen ?? "";
  return list;
}

/** Say something to everybody: shown for a while, and read aloud. */
export function say(words, { seconds = 5 } = {}) {
  const note = h("p", {}, words);
  const place = document.querySelector("dialog[open] .said") ?? document.getElementById("said");
  place.append(note);
  setTimeout(() => note.remove(), seconds * 1000);
}

/** Say what went wrong where no place on the page tells it; what was stopped did not go wrong. */
export function failed(error) {
  if (error instanceof Error && error.name !== "AbortError") say(error.message, { seconds: 12 });
}

export function problem(error) {
  return h("div", { class: "problem", role: "alert" }, h("strong", {}, "That did not work. "), error.message ?? String(error));
}

/** Open something on top of the page; it closes with Escape, and focus goes back to where it was. */
export function dialog(title, body, { kind = "" } = {}) {
  const before = document.activeElement;
  const heading = h("h2", { id: fresh("title") }, title);
  const top = h("dialog", { class: kind, "aria-labelledby": heading.id, onclose: () => { top.remove(); before?.focus?.(); } },
    h("header", {}, heading, button("", { icon: "close", title: "Close", kind: "plain", act: () => top.close() })),
    body, h("div", { class: "said", role: "status", "aria-live": "polite" }));
  document.body.append(top);
  top.showModal();
  return top;
}

/** Ask before something is lost. */
export function ask(words, yes) {
  return new Promise((done) => {
    let answer = false;
    const top = dialog(words, h("div", { class: "row" },
      button(yes, { kind: "main", act: () => { answer = true; top.close(); } }), button("Cancel", { act: () => top.close() })), { kind: "slim" });
    top.addEventListener("close", () => done(answer));
  });
}

/** Tabs with arrow keys: a list of [name, words, make]; what a tab shows is made when it is first chosen. */
export function tabs(label, entries, chosen) {
  const panel = h("div", { role: "tabpanel", tabindex: 0, id: fresh("panel") });
  const made = new Map();
  const heads = entries.map(([name, words]) => h("button", { type: "button", role: "tab", id: fresh("tab"), "aria-controls": panel.id, onclick: () => select(name), "data-name": name }, words));
  const list = h("div", { role: "tablist", "aria-label": label, onkeydown: (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (heads.indexOf(document.activeElement) + step + heads.length) % heads.length;
    heads[next].focus();
    heads[next].click();
  } }, heads);
  function select(name) {
    for (const head of heads) {
      const is = head.dataset.name === name;
      head.setAttribute("aria-selected", is);
      head.tabIndex = is ? 0 : -1;
      if (is) panel.setAttribute("aria-labelledby", head.id);
    }
    if (!made.has(name)) made.set(name, entries.find((entry) => entry[0] === name)[2]());
    panel.replaceChildren(made.get(name));
  }
  select(chosen ?? entries[0][0]);
  return h("div", {}, list, panel);
}

export function table(heads, rows, caption) {
  const numeric = (value) => typeof value === "number";
  const shown = (value) => (numeric(value) ? number(value) : value ?? "–");
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption ?? heads.join(", ") }, h("table", {}, caption && h("caption", { class: "unseen" }, caption),
    h("thead", {}, h("tr", {}, heads.map((head, place) => h("th", { scope: "col", class: rows.length && numeric(rows[0][place]) ? "number" : "" }, head)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value) => h("td", { class: numeric(value) ? "number" : "" }, shown(value))))))));
}

export function pairs(entries) {
  return h("dl", {}, entries.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "number" ? number(value) : value)]));
}

export function number(value) {
  if (!Number.isFinite(value)) return "–";
  return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4)));
}

export function duration(seconds) {
  if (seconds < 1) return `${Math.max(.1, seconds).toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function size(bytes) {
  for (const [unit, of] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) if (bytes >= of) return `${(bytes / of).toPrecision(3)} ${unit}`;
  return `${bytes} B`;
}

export const when = (seconds) => new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    dialog("Copy this", h("textarea", { rows: 8, readonly: true, value: text, "aria-label": what }), { kind: "slim" });
  }
}

export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
