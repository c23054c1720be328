// Compare: one prompt over two controls, models or seeds at once, in a grid; every other thing stays the same.

import { h, button, choice, duration, field, isWrong, problem, say } from "./dom.js";
import { describe, drawn, request } from "./api.js";
import { anySeed, controls, insteadOf, isServed, isWritten, modelChoice, noModels, seeds } from "./form.js";
import { MAKERS, card, details, kept } from "./asset.js";

const MOST = 64;
const state = { model: null, prompt: "", seed: anySeed(), isLocked: true, controls: {}, rows: ["", ""], columns: ["seed", ""] };

class Compare extends HTMLElement {
  async connectedCallback() {
    this.replaceChildren(h("h1", {}, "Compare"), h("p", { class: "soft" }, "Looking for models …"));
    try {
      const chosen = await modelChoice(state.model, (name) => this.use(name), { fits: isServed });
      if (!chosen.name) return this.replaceChildren(h("h1", {}, "Compare"), noModels());
      this.others = chosen.models;
      this.rest = h("div", {});
      this.results = h("section", { "aria-label": "Grid" }, h("div", { class: "empty" }, h("h2", {}, "A grid of two controls"), h("p", {}, "Choose what differs from row to row and from column to column: the same seed across models, guidance against steps.")));
      this.replaceChildren(h("h1", {}, "Compare"), h("p", { class: "lead" }, "What does a control do? Everything stays the same but what you let differ."), h("div", { class: "split" }, h("div", { class: "panel" }, chosen.element, this.rest), this.results));
      await this.use(chosen.name);
    } catch (error) {
      this.replaceChildren(h("h1", {}, "Compare"), problem(error));
    }
  }

  disconnectedCallback() {
    this.stopper?.abort();
  }

  async use(name) {
    if (state.model && state.model !== name) state.controls = {};
    state.model = name;
    this.rest.replaceChildren(h("p", { class: "soft", role: "status" }, `Loading ${name} …`));
    try {
      const found = await describe(name);
      // Another one may have been chosen while it was loaded.
      if (state.model !== name || !this.isConnected) return;
      this.model = found;
      this.build();
    } catch (error) {
      if (state.model === name) this.rest.replaceChildren(problem(error));
    }
  }

  build() {
    const { model } = this;
    if (model.reads || !model.creates) return this.rest.replaceChildren(insteadOf(model));
    const names = ["seed", "model", ...(model.classes.length ? [model.speaks ? "label" : "prompt"] : []), ...model.options.filter((one) => one.type !== "list" && !["label", "strength", "source_noise", "style"].includes(one.name)).map((one) => one.name)];
    this.axes = {};
    const axis = (key, words) => {
      const [name, values] = state[key];
      const input = h("input", { type: "text", value: values || this.usual(name), placeholder: "1, 2, 3", oninput: () => { state[key][1] = input.value; input.setCustomValidity(""); } });
      this.axes[key] = input;
      const list = choice([["", "nothing"], ...names.map((one) => [one, one.replaceAll("_", " ")])], names.includes(name) ? name : "", (value) => { state[key] = [value, ""]; input.value = this.usual(value); input.setCustomValidity(""); });
      return h("fieldset", {}, h("legend", {}, words), h("div", { class: "fields" }, field("What", list), field("Values", input, "With commas between")));
    };
    const isClass = model.classes.length > 0 && !model.captions && !model.speaks;
    const isAsked = isClass || model.speaks || isWritten(model) || model.medium === "music" || model.captions;
    // What is not shown is not sent.
    this.prompt = isClass ? choice([["", "any"], ...model.classes.map((one) => [one, one])], model.classes.includes(state.prompt) ? state.prompt : "", (value) => { state.prompt = value; }) : isAsked && h("textarea", { rows: 2, value: state.prompt, oninput: (event) => { state.prompt = event.target.value; } });
    this.options = controls(model, state.controls);
    this.seeds = seeds(state);
    this.go = button("Make the grid", { kind: "main", act: () => this.make() });
    this.stop = button("Stop", { icon: "stop", act: () => this.stopper?.abort() });
    this.stop.hidden = !this.stopper;
    this.go.disabled = Boolean(this.stopper);
    this.rest.replaceChildren(h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.make(); } }, isAsked && field(model.speaks ? "Text to speak" : "Prompt", this.prompt), axis("rows", "From row to row"), axis("columns", "From column to column"), this.seeds, this.options, h("div", { class: "bottom" }, h("div", { class: "row" }, this.go, this.stop))));
  }

  usual(name) {
    if (!name) return "";
    if (name === "seed") return "1, 2, 3, 4";
    if (name === "model") return this.others.filter((one) => one.medium === this.model.medium).slice(0, 4).map((one) => one.id).join(", ");
    if (name === "prompt" || name === "label" && this.model.speaks) return this.model.classes.slice(0, 5).join(", ");
    const control = this.model.options.find((one) => one.name === name);
    if (control?.choices) return control.choices.join(", ");
    return { steps: "2, 5, 10", guidance: "1, 2, 4", temperature: "0.2, 0.7, 1.2", top_p: "0.5, 0.9, 1", top_k: "1, 10, 50", truncation_psi: "0.5, 0.8, 1" }[name] ?? "";
  }

  /** The values of an axis, each of the type of its control. */
  values(key) {
    const [name, text] = state[key];
    if (!name) return [undefined];
    const control = this.model.options.find((one) => one.name === name) ?? (name === "seed" ? { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } : {});
    const { type, minimum: low, maximum: high } = control;
    const known = name === "model" ? this.others.map((one) => one.id) : (name === "prompt" && !this.model.captions || name === "label" && this.model.speaks) && this.model.classes.length ? this.model.classes : type === "switch" ? ["true", "false"] : control.choices?.map(String);
    const isNumber = (type === "integer" || type === "number") && !known;
    const fits = (part) => (isNumber ? (type === "integer" ? Number.isInteger : Number.isFinite)(Number(part)) && Number(part) >= (low ?? -Infinity) && Number(part) <= (high ?? Infinity) : !known || known.includes(part));
    const parts = (text || this.usual(name)).split(",").map((part) => part.trim()).filter(Boolean);
    const wrong = parts.filter((part) => !fits(part));
    const range = [type === "integer" ? "whole numbers" : "numbers", low !== null && low !== undefined && `from ${low}`, high !== null && high !== undefined && `to ${high}`].filter(Boolean).join(" ");
    this.axes[key].setCustomValidity(wrong.length ? `${wrong.join(", ")} cannot be used; expected: ${isNumber ? range : known.slice(0, 12).join(", ")}` : "");
    return parts.map((part) => (isNumber ? Number(part) : type === "switch" ? part === "true" : control.choices?.find((one) => String(one) === part) ?? part));
  }

  async make() {
    if (this.stopper) return;
    const [rows, columns] = [this.values("rows"), this.values("columns")];
    if (isWrong(this.rest)) return;
    const count = rows.length * columns.length;
    if (!count || count > MOST) return say(`${count} cells; at least 1, at most ${MOST}`);
    state.controls = this.options.read();
    const seed = this.seeds.take();
    // As they are now: what is written or chosen meanwhile is for the next grid.
    const { model } = this, prompt = this.prompt?.value ?? "", set = { ...state.controls };
    const [rowName, columnName] = [state.rows[0], state.columns[0]];
    const shown = (value) => (value === undefined ? "" : String(value));
    const cells = rows.map(() => columns.map(() => h("td", {}, h("div", { class: "waiting cell", role: "img", "aria-label": "Being made" }))));
    const table = h("table", { class: "cells" }, h("caption", { class: "unseen" }, `${rowName || "one"} by ${columnName || "one"}`), columnName && h("thead", {}, h("tr", {}, rowName && h("td", {}), columns.map((value) => h("th", { scope: "col" }, `${columnName} ${shown(value)}`)))), h("tbody", {}, rows.map((value, row) => h("tr", {}, rowName && h("th", { scope: "row" }, `${rowName} ${shown(value)}`), cells[row]))));
    this.results.replaceChildren(h("div", { class: "panel scroll", tabindex: 0, role: "region", "aria-label": "Cells" }, table));
    this.stopper = new AbortController();
    this.stop.hidden = false;
    this.go.disabled = true;
    const started = performance.now();
    try {
      for (const [row, rowValue] of rows.entries()) for (const [column, columnValue] of columns.entries()) {
        const asked = { model: model.id, prompt, seed, controls: { ...set } };
        for (const [name, value] of [[rowName, rowValue], [columnName, columnValue]]) {
          if (!name) continue;
          if (name in asked && name !== "controls") asked[name] = value;
          else asked.controls[name] = value;
        }
        cells[row][column].replaceChildren(await this.cell(asked, model));
      }
      say(`Made ${count} in ${duration((performance.now() - started) / 1000)}`);
    } catch (error) {
      if (error.name === "AbortError") say("Stopped");
      else this.results.prepend(h("div", { class: "panel" }, problem(error)));
      this.results.querySelectorAll(".waiting").forEach((one) => one.remove());
    } finally {
      this.stopper = null;
      this.stop.hidden = true;
      this.go.disabled = false;
    }
  }

  async cell(asked, model) {
    const signal = this.stopper.signal;
    if (isWritten(model)) {
      const { max_tokens: most, ...others } = asked.controls;
      const found = await (await request("/v1/completions", { json: { ...asked, controls: others, max_tokens: most ?? 60, store: true }, signal })).json();
      const [said] = found.makar.assets;
      const id = said && kept(said).id;
      return h("div", {}, h("div", { class: "words" }, found.choices[0].text), id && button("Manifest and novelty", { kind: "plain", act: () => details(id) }));
    }
    const make = MAKERS[model.medium];
    if (make) return h("ul", { class: "one" }, card(await make(asked, { signal })));
    const found = await (await request("/v1/images/generations", { json: { ...asked, store: true }, signal })).json();
    const [{ b64_json: png, makar: said }] = found.data;
    const shown = card(kept({ ...said, type: "image/png", medium: "image", model: asked.model, prompt: asked.prompt }));
    drawn(shown.querySelector("img"), png);
    return h("ul", { class: "one" }, shown);
  }
}

customElements.define("makar-compare", Compare);
