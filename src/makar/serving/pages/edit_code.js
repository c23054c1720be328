// Edit, of code: what is selected in a file is written anew, or what belongs at <FILL_ME>; all around it stays.

import { h, button, duration, field, isWrong, problem, say } from "./dom.js";
import { events } from "./api.js";
import { controls, seeds } from "./form.js";
import { details } from "./asset.js";

const MARK = "<FILL_ME>";
const MOST = 16;
/** Temperature of one variant, and of several, as the verb has it. */
const [SURE, VARIED] = [0, .6];
/** Characters around what was written that a result shows. */
const AROUND = 240;

/** The parts of the page for one model of code. */
export class CodeEdit {
  constructor({ model, state, stage, results }) {
    Object.assign(this, { model, state, stage, results });
    if (!model.edits.includes("infill")) {
      this.element = h("p", { class: "soft" }, `${model.id} has not learned to fill holes; models of the recipe code have.`);
      this.show();
      return;
    }
    const line = (words) => h("input", { type: "number", min: 1, step: 1, inputmode: "numeric", placeholder: words, oninput: () => this.lines() });
    [this.first, this.last] = [line("by selection"), line("the same")];
    this.hole = h("p", { class: "small soft", role: "status" });
    this.options = controls(model, state.controls, () => {}, { leaves: new Set(["syntax"]) });
    this.seeds = seeds(state);
    this.count = h("input", { type: "number", min: 1, max: MOST, required: true, value: state.count, inputmode: "numeric" });
    this.go = button("Make", { kind: "main", act: () => this.make() });
    this.stop = button("Stop", { icon: "stop", act: () => this.stopper?.abort() });
    this.stop.hidden = true;
    this.element = h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.make(); } },
      h("fieldset", {}, h("legend", {}, "What is written anew"), h("p", { class: "small soft" }, `Select it in the text, name lines, or put ${MARK} there.`), h("div", { class: "fields" }, field("From line", this.first), field("To line", this.last)), this.hole),
      field("How many", this.count), this.seeds, this.options, h("div", { class: "bottom" }, h("div", { class: "row" }, this.go, this.stop)));
    this.text = h("textarea", { rows: 20, class: "code", spellcheck: "false", autocapitalize: "off", wrap: "off", oninput: () => this.tell() });
    for (const name of ["select", "keyup", "pointerup", "selectionchange"]) this.text.addEventListener(name, () => { if (document.activeElement === this.text) { this.first.value = this.last.value = ""; this.tell(); } });
    this.show();
  }

  leave() {
    this.stopper?.abort();
  }

  /** Show the file that was opened, or an empty text to write into. */
  async show() {
    if (!this.text) return this.stage.replaceChildren();
    const { file } = this.state;
    if (file) this.text.value = await file.text();
    this.stage.replaceChildren(field("The file", this.text));
    this.tell();
  }

  /** Select whole lines by their numbers. */
  lines() {
    const rows = this.text.value.split("\n");
    const first = Number(this.first.value);
    const last = Number(this.last.value) || first;
    const place = (count) => rows.slice(0, count).reduce((sum, row) => sum + row.length + 1, 0);
    if (first >= 1 && last >= first && last <= rows.length) this.text.setSelectionRange(place(first - 1), place(last) - 1);
    this.tell();
  }

  /** Where the hole begins and ends; what is selected goes before a mark. */
  get place() {
    const { value, selectionStart: start, selectionEnd: end } = this.text;
    const at = value.indexOf(MARK);
    return start === end && at >= 0 ? [at, at + MARK.length] : [start, end];
  }

  tell() {
    const [start, end] = this.place;
    const where = (at) => { const rows = this.text.value.slice(0, at).split("\n"); return `line ${rows.length}, column ${rows.at(-1).length + 1}`; };
    const rows = this.text.value.split("\n").length;
    const [first, last] = [Number(this.first.value), Number(this.last.value)];
    this.first.setCustomValidity(first > rows ? `The file has ${rows} lines` : "");
    this.last.setCustomValidity(last > rows ? `The file has ${rows} lines` : last && last < (first || 1) ? "It ends before it begins" : last && !first ? "Say where it begins" : "");
    this.hole.textContent = start === end ? `Written at ${where(start)}.` : `Written anew from ${where(start)} to ${where(end)}.`;
  }

  async make() {
    if (this.stopper || !this.text || isWrong(this.element)) return;
    const { value } = this.text;
    if (!value) return say("Open a file or write one first");
    const [start, end] = this.place;
    const [before, after] = [value.slice(0, start), value.slice(end)];
    const { state } = this;
    state.controls = this.options.read();
    state.count = Number(this.count.value);
    const { max_tokens: most, ...others } = { temperature: state.count === 1 ? SURE : VARIED, ...state.controls };
    const json = { model: this.model.id, prompt: before, suffix: after, n: state.count, seed: this.seeds.take(), stream: true, store: true, controls: others, ...(most ? { max_tokens: most } : {}) };
    this.stopper = new AbortController();
    this.stop.hidden = false;
    this.go.disabled = true;
    const parts = Array.from({ length: state.count }, (_, at) => {
      const [words, foot] = [h("mark", {}), h("div", { class: "row" })];
      const shown = h("pre", { tabindex: 0, "aria-label": `Variant ${at + 1}` }, h("span", { class: "soft" }, before.slice(-AROUND)), words, h("span", { class: "soft" }, after.slice(0, AROUND)));
      return { words, foot, panel: h("article", { class: "panel", "aria-label": `Seed ${state.seed + at}` }, shown, foot) };
    });
    this.results.prepend(...parts.map((one) => one.panel));
    const started = performance.now();
    let made = 0;
    try {
      for await (const event of events("/v1/completions", { json, signal: this.stopper.signal })) {
        for (const piece of event.choices) {
          const { words, foot } = parts[piece.index];
          words.append(piece.text);
          if (!piece.finish_reason) continue;
          made++;
          const id = event.makar?.assets?.[0]?.asset;
          foot.append(button("Go on from it", { act: () => this.again(before, words.textContent, after) }), id ? button("Manifest and novelty", { act: () => details(id) }) : "");
        }
      }
      say(`Made ${made} in ${duration((performance.now() - started) / 1000)}`);
    } catch (error) {
      if (error.name === "AbortError") say("Stopped");
      else this.results.prepend(h("div", { class: "panel" }, problem(error)));
      parts.filter((one) => !one.foot.childElementCount).forEach((one) => one.panel.remove());
    } finally {
      this.stopper = null;
      this.stop.hidden = true;
      this.go.disabled = false;
    }
  }

  /** Put a variant into the text, selected, so that it can be written anew. */
  again(before, words, after) {
    this.text.value = before + words + after;
    this.text.focus();
    this.text.setSelectionRange(before.length, before.length + words.length);
    this.tell();
  }
}
