// A form made of the controls that a model says it has, a seed with dice and lock, and the choice of a model.

import { h, button, field, choice, fresh, icon, say } from "./dom.js";
import { models } from "./api.js";

const FIRST = ["steps", "guidance", "max_tokens", "temperature", "top_p", "truncation_psi", "negative_prompt", "beams"];
const ELSEWHERE = new Set(["label", "strength", "source_noise", "style", "direction"]);
/** Asked for by the page itself, or of no use where nothing is changed. */

const plain = (name) => { const words = name.replaceAll("_", " "); return words[0].toUpperCase() + words.slice(1); };

/** Say which value a control has where nobody chose one. */
function usual(control) {
  if (control.default === null || control.default === "") return "the model decides";
  return Array.isArray(control.default) ? control.default.join(", ") || "none" : String(control.default);
}

/** The control as an element whose `.read()` gives the value, or undefined where it is to stay as the model has it. */
function asked(control, value, changed) {
  const { type, minimum, maximum, choices } = control;
  const given = value ?? control.default;
  let input;
  if (choices) {
    input = choice(choices.map(String), String(given ?? ""), changed);
    input.read = () => (input.value === String(control.default) ? undefined : choices.find((one) => String(one) === input.value));
  } else if (type === "switch") {
    input = h("input", { type: "checkbox", checked: Boolean(given), onchange: changed });
    input.read = () => (input.checked === control.default ? undefined : input.checked);
  } else if (type === "list") {
    input = h("textarea", { rows: 2, value: (value ?? control.default ?? []).join("\n"), placeholder: "one a line", oninput: changed });
    input.read = () => { const lines = input.value.split("\n").filter(Boolean); return lines.length ? lines : undefined; };
  } else if (type === "text") {
    input = h("input", { type: "text", value: value ?? "", placeholder: usual(control), oninput: changed });
    input.read = () => input.value || undefined;
  } else {
    const isWhole = type === "integer";
    input = h("input", { type: "number", step: isWhole ? 1 : "any", min: minimum, max: maximum, value: value ?? "", placeholder: usual(control), oninput: changed, inputmode: isWhole ? "numeric" : "decimal" });
    input.read = () => (input.value === "" || !input.checkValidity() ? undefined : Number(input.value));
  }
  return input;
}

function hint(control) {
  const { minimum: low, maximum: high } = control;
  const range = low !== null && high !== null ? `${low} to ${high}` : low !== null ? `at least ${low}` : "";
  return [control.meaning, control.unit && `in ${control.unit}`, range].filter(Boolean).join("; ");
}

/** A number with a slider where its range is one that a hand can find its way in. */
function withSlider(control, input, changed) {
  const { minimum: low, maximum: high, type } = control;
  const words = plain(control.name);
  if (low === null || high === null || control.default === null || high - low > 20 || type === "integer" && high - low > 100) return field(words, input, hint(control));
  const slider = h("input", { type: "range", min: low, max: high, step: type === "integer" ? 1 : (high - low) / 100, value: input.value || control.default, "aria-label": `${words}, slider`, oninput: () => { input.value = Number(slider.value); changed(); } });
  input.addEventListener("input", () => { slider.value = input.value || control.default; });
  const made = field(words, input, hint(control));
  input.after(slider);
  return made;
}

/** The controls of a model; `.read()` of the result gives what differs from what the model would take. */
export function controls(description, values = {}, changed = () => {}, { leaves = ELSEWHERE } = {}) {
  const wanted = description.options.filter((control) => !leaves.has(control.name));
  wanted.sort((a, b) => place(a.name) - place(b.name));
  const inputs = new Map(wanted.map((control) => [control.name, asked(control, values[control.name], changed)]));
  const drawn = (control) => (control.type === "integer" || control.type === "number") && !control.choices
    ? withSlider(control, inputs.get(control.name), changed) : field(plain(control.name), inputs.get(control.name), hint(control));
  const first = wanted.filter((control) => FIRST.includes(control.name));
  const others = wanted.filter((control) => !FIRST.includes(control.name));
  const hasOpen = others.some((control) => values[control.name] !== undefined);
  const form = h("div", {}, first.map(drawn), others.length > 0 && h("details", { open: hasOpen }, h("summary", {}, `${others.length} more ${others.length > 1 ? "controls" : "control"}`), h("div", {}, others.map(drawn))));
  form.read = () => Object.fromEntries([...inputs].map(([name, input]) => [name, input.read()]).filter(([, value]) => value !== undefined));
  return form;
}
const place = (name) => { const found = FIRST.indexOf(name); return found < 0 ? FIRST.length : found; };

export const anySeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** A seed: thrown anew for each making unless it is locked. */
export function seeds(state) {
  const id = fresh("seed");
  const input = h("input", { type: "number", id, min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, required: true, value: state.seed, inputmode: "numeric", oninput: () => { state.seed = Number(input.value); set(true); } });
  const lock = button("", { title: "Keep this seed", act: () => set(!state.isLocked) });
  function set(is) {
    state.isLocked = is;
    lock.setAttribute("aria-pressed", is);
    lock.replaceChildren(icon(is ? "lock" : "open"));
  }
  set(Boolean(state.isLocked));
  const throwDice = () => { state.seed = anySeed(); input.value = state.seed; input.dispatchEvent(new Event("change", { bubbles: true })); };
  const part = h("div", { class: "field" }, h("label", { htmlFor: id }, "Seed"),
    h("div", { class: "row" }, h("div", { class: "grow" }, input), button("", { icon: "dice", title: "Throw the dice", act: throwDice }), lock),
    h("p", { class: "hint" }, "The same seed gives the same result. Locked, as one that you write is, it stays; open, the dice are thrown for each making."));
  part.take = () => { if (!state.isLocked) throwDice(); return state.seed; };
  return part;
}

/** Two ways to use a page of which one is chosen; `act` builds the page anew, and the focus stays. */
export function twoWays(label, words, isSecond, act, page) {
  const way = (text, is) => button(text, { "aria-pressed": Boolean(isSecond) === is, act: async () => { if (Boolean(isSecond) !== is) { await act(is); page.querySelector("[aria-pressed=true]")?.focus(); } } });
  return h("div", { class: "row field", role: "group", "aria-label": label }, way(words[0], false), way(words[1], true));
}

/** The choice of a model, by what it makes. `fits` leaves out those that a page has no use for. */
export async function modelChoice(chosen, act, { fits = () => true, label = "Model" } = {}) {
  const found = (await models()).filter(fits);
  const media = [...new Set(found.map((one) => one.medium))].sort();
  const list = h("select", { onchange: () => act(list.value) }, media.map((medium) => h("optgroup", { label: medium }, found.filter((one) => one.medium === medium).map((one) => h("option", { value: one.id }, one.id)))));
  const name = found.some((one) => one.id === chosen) ? chosen : found[0]?.id;
  if (name) list.value = name;
  if (name && chosen && name !== chosen) say(`${chosen} is not here; this is ${name}`);
  return { element: field(label, list), name, models: found };
}

/** What a model that makes nothing by itself is for. */
export function insteadOf(model) {
  const shell = ` In the shell: makar predict ${model.id} FILE`;
  if (model.reads) return h("p", { class: "soft" }, `${model.id} reads texts and makes none: ${model.predictions.join(", ") || "it gives vectors"}.`, shell);
  const change = model.edits.length > 0 && h("a", { href: `#/edit?model=${encodeURIComponent(model.id)}` }, "Change something with it");
  return h("p", { class: "soft" }, `${model.id} makes nothing out of nothing. `, change, model.predictions.length > 0 && `It says: ${model.predictions.join(", ")}.${shell}`);
}

const WRITTEN = ["text", "code", "molecule", "protein"];
/** Whether what a model makes is written in letters, which come as they are made. */
export const isWritten = (one) => WRITTEN.includes(one.medium);
/** What a server makes over HTTP. */
export const isServed = (one) => [...WRITTEN, "image", "sound", "video", "structure", "music"].includes(one.medium);

export function noModels() {
  return h("div", { class: "empty" }, h("h2", {}, "There is no model yet"),
    h("p", {}, "A model of your own takes minutes. In the shell: ", h("code", {}, "makar train FOLDER --for 10m")));
}
