// Create: any model, any medium; controls from the model itself, cost before pressing, results as they come.

import { h, button, choice, duration, field, fresh, isWrong, number, problem, say } from "./dom.js";
import { ordering } from "./order.js";
import { describe, drawn, events } from "./api.js";
import { anySeed, controls, insteadOf, isServed, isWritten, modelChoice, noModels, seeds, twoWays } from "./form.js";
import { MAKERS, PREVIEWS, card, details, sketch, waitingFor } from "./asset.js";
import { Listen, ScriptRead } from "./spoken.js";

const state = { model: null, prompt: "", count: 1, seed: anySeed(), isLocked: false, controls: {}, results: null };
const MOST = 64;
const BEGINNINGS = { molecule: "A scaffold as SMILES, before it properties that the model learned: logp=2.5. ", protein: "Amino acids in one letter each. " };

class Create extends HTMLElement {
  async connectedCallback() {
    this.take(this.place.words);
    const ways = twoWays("What to make", ["With one model", "A script, read aloud"], state.isScript, (isScript) => { this.disconnectedCallback(); state.isScript = isScript; this.place.words = new URLSearchParams(); return this.connectedCallback(); }, this);
    if (state.isScript) {
      this.script = new ScriptRead(this.place.words);
      this.replaceChildren(h("h1", {}, "Create"), ways, h("p", { class: "lead" }, "A script or document becomes a recording with chapters, or a film in which a drawn face says it. Meanwhile you may leave this page."),
        h("div", { class: "split" }, h("div", { class: "panel" }, this.script.element), h("section", { "aria-label": "Results" }, this.script.stage)));
      return this.script.begin().catch((error) => this.script.element.replaceChildren(problem(error)));
    }
    this.results = state.results ?? h("div", {});
    state.results = this.results;
    this.form = h("div", { class: "panel" }, h("p", { class: "soft" }, "Looking for models …"));
    this.replaceChildren(h("h1", {}, "Create"), ways, h("p", { class: "lead" }, "Choose a model, say what you want, and see how new each result is against what the model learned from."),
      h("div", { class: "split" }, this.form, h("section", { "aria-label": "Results" }, this.results)));
    try {
      const chosen = await modelChoice(state.model, (name) => this.use(name), { fits: isServed });
      if (!chosen.name) return this.replaceChildren(h("h1", {}, "Create"), noModels());
      if (!this.results.childElementCount) this.results.replaceChildren(this.empty());
      this.rest = h("div", {});
      this.form.replaceChildren(chosen.element, this.rest);
      await this.use(chosen.name);
    } catch (error) {
      this.form.replaceChildren(problem(error));
    }
  }

  disconnectedCallback() {
    this.stopper?.abort();
    this.listen?.leave();
    this.script?.leave();
  }

  /** Settings that another page hands over. */
  take(words) {
    if (!words.size) return;
    state.isScript = words.has("script");
    if (words.get("model")) state.model = words.get("model");
    if (words.has("prompt")) state.prompt = words.get("prompt");
    if (words.has("seed")) Object.assign(state, { seed: Number(words.get("seed")), isLocked: true });
    // Those of the model before would be none of this one.
    if (words.get("model") || words.has("controls")) state.controls = JSON.parse(words.get("controls") ?? "{}");
  }

  empty() {
    return h("div", { class: "empty" }, h("h2", {}, "What you make appears here"), h("p", {}, "It is kept in the gallery of this machine, with a signed manifest that says what made it."));
  }

  async use(name) {
    if (state.model && state.model !== name) state.controls = {};
    state.model = name;
    this.rest.replaceChildren(h("p", { class: "soft", role: "status" }, `Loading ${name} …`));
    try {
      const found = await describe(name);
      if (state.model === name && this.isConnected) this.build(found);
    } catch (error) {
      if (state.model === name) this.rest.replaceChildren(problem(error));
    }
  }

  build(model) {
    this.model = model;
    this.listen?.leave();
    if (model.predictions.includes("transcript")) {
      this.listen = new Listen(model, this.results);
      this.rest.replaceChildren(this.listen.element);
      return;
    }
    if (model.reads || !model.creates) return this.rest.replaceChildren(insteadOf(model));
    const changed = () => this.estimate();
    this.options = controls(model, state.controls, changed);
    this.count = h("input", { type: "number", min: 1, max: MOST, step: 1, required: true, value: state.count, inputmode: "numeric", oninput: changed });
    this.seeds = seeds(state);
    this.cost = h("p", { class: "small soft", id: fresh("cost"), role: "status" });
    this.go = button("Make", { kind: "main", act: () => this.make(), "aria-describedby": this.cost.id });
    this.stop = button("Stop", { icon: "stop", act: () => this.stopper?.abort() });
    this.stop.hidden = !this.stopper;
    this.go.disabled = Boolean(this.stopper);
    this.prompt = this.promptFor(model);
    this.rest.replaceChildren(h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.make(); }, onkeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.make(); } },
      h("p", { class: "small soft" }, this.facts(model)), this.prompt.element, field("How many", this.count), this.seeds, this.options,
      h("div", { class: "bottom" }, this.cost, h("div", { class: "row" }, this.go, this.stop))));
    this.estimate();
  }

  facts(model) {
    const shown = [`${number(model.parameters)} parameters`, model.size && `${model.size[0]} × ${model.size[1]} pixels`, model.context && `${number(model.context)} tokens of context`];
    return shown.filter(Boolean).join(" · ");
  }

  /** What the model is asked with: a class, a description, a text to go on with, or nothing. */
  promptFor(model) {
    const isText = isWritten(model);
    if (model.speaks) return this.speechFor(model);
    if (model.classes.length && !model.captions) {
      const list = choice([["", "any"], ...model.classes.map((name) => [name, name])], model.classes.includes(state.prompt) ? state.prompt : "", (value) => { state.prompt = value; });
      return { element: field("What", list), read: () => list.value };
    }
    const isMusic = model.medium === "music";
    if (!isText && !isMusic && !model.captions) return { element: h("p", { class: "small soft" }, "This model takes no prompt: the seed alone decides."), read: () => "" };
    const words = model.rewrites ? "Text to rewrite" : isText ? "Beginning" : isMusic ? "What is told, in words" : "Description";
    const input = h("textarea", { rows: isText ? 6 : 3, value: state.prompt, oninput: () => { state.prompt = input.value; } });
    return { element: field(words, input, isMusic ? "Such as key=Am tempo=96 metre=3/4, where the model learned it; then a beginning" : isText ? `${BEGINNINGS[model.medium] ?? ""}The model goes on from here. Ctrl and Enter make it.` : "Ctrl and Enter make it."), read: () => input.value };
  }

  /** A text, and a voice where the model has several. */
  speechFor(model) {
    const input = h("textarea", { rows: 4, value: state.prompt, oninput: () => { state.prompt = input.value; } });
    const { label } = state.controls;
    const voices = choice(model.classes.map((name) => [name, name]), model.classes.includes(label) ? label : model.classes[0] ?? "", () => {});
    const manner = (name, low, high, step, usual) => h("input", { type: "number", min: low, max: high, step, placeholder: usual, value: state.controls[name] ?? "" });
    const [speed, pitch, energy] = [manner("speed", .5, 2, .05, 1), manner("pitch", -12, 12, .5, 0), manner("energy", -12, 6, .5, 0)];
    const moved = model.moves_voices ? [field("Pitch", pitch, "Semitones above the recordings; below 0 lower"), field("Energy", energy, "Decibels above the recordings; below 0 quieter")] : [];
    const element = h("div", {}, field("Text to speak", input, "However long. Ctrl and Enter make it."), model.classes.length > 0 && field("Voice", voices), field("Speed", speed, "2 is twice as fast as the recordings"), moved);
    const moves = () => ({ ...(model.classes.length ? { label: voices.value } : {}), ...Object.fromEntries(Object.entries({ speed, pitch, energy }).filter(([, one]) => Number(one.value)).map(([name, one]) => [name, Number(one.value)])) });
    return { element, read: () => input.value, moves };
  }

  /** Say what it takes before it is made, by what this model took here before. */
  estimate() {
    const model = this.model;
    const set = this.options.read();
    const count = Math.min(MOST, Math.max(1, Number(this.count.value) || 1));
    const isText = isWritten(model);
    const usual = (name) => model.options.find((control) => control.name === name)?.default;
    const each = isText ? set.max_tokens ?? usual("max_tokens") ?? 256 : set.steps ?? usual("steps") ?? 1;
    const noun = model.speaks ? "recording" : model.medium === "music" ? "piece" : model.medium;
    const words = isText ? `at most ${number(each * count)} tokens` : `${count} ${noun}${count > 1 ? "s" : ""}${set.steps ? ` of ${set.steps} steps` : ""}`;
    const pace = model.seconds_per_step;
    const time = pace ? `about ${duration(pace * each * (isText ? 1 : count))}${isText ? " at most" : ""}` : "how long is known after the first";
    this.cost.textContent = model.is_remote ? `${words}, at the cost of the endpoint` : `${words}, ${time}; nothing leaves this machine`;
  }

  async make() {
    if (this.stopper) return;
    if (isWrong(this.rest)) return;
    state.controls = { ...this.options.read(), ...this.prompt.moves?.() };
    state.count = Number(this.count.value);
    const asked = { model: this.model.id, prompt: this.prompt.read(), n: state.count, seed: this.seeds.take(), controls: state.controls };
    this.stopper = new AbortController();
    this.stop.hidden = false;
    this.go.disabled = true;
    this.results.querySelector(".empty")?.remove();
    const isText = isWritten(this.model);
    const batch = h("section", { class: "panel" }, h("div", { class: "row spread" }, h("h2", {}, asked.prompt.slice(0, 80) || asked.model), h("span", { class: "tag" }, `${asked.model}, seed ${asked.seed}`)));
    this.results.prepend(batch);
    const started = performance.now();
    try {
      const make = MAKERS[this.model.medium];
      const made = isText ? await this.texts(asked, batch) : make ? await this.played(asked, batch, make) : await this.images(asked, batch);
      batch.append(ordering(made));
      say(`Made ${made.length} in ${duration((performance.now() - started) / 1000)}`);
      this.model = await describe(this.model.id, { again: true });
      this.estimate();
    } catch (error) {
      if (error.name === "AbortError") say("Stopped");
      else batch.append(problem(error));
      batch.querySelectorAll(".pending").forEach((one) => one.remove());
    } finally {
      this.stopper = null;
      this.stop.hidden = true;
      this.go.disabled = false;
    }
  }

  async images(asked, batch) {
    const waiting = Array.from({ length: asked.n }, () => h("li", { class: "card pending" }, h("div", { class: "waiting", role: "img", "aria-label": "Being made" })));
    batch.append(h("ul", { class: "grid" }, waiting));
    const made = [];
    for await (const event of events("/v1/images/generations", { json: { ...asked, stream: true, store: true, partial_images: PREVIEWS }, signal: this.stopper.signal })) {
      const { asset, seed, novelty, estimate, not_kept: lost } = event.makar;
      const place = waiting[seed - asked.seed];
      if (estimate) {
        sketch(place, event.b64_json, seed, estimate);
        continue;
      }
      if (lost) say(`It is not in the gallery: ${lost}`, { seconds: 12 });
      made.push({ id: asset, type: "image/png", medium: "image", model: asked.model, prompt: asked.prompt, seed, novelty: novelty?.score, is_copy: novelty?.is_copy });
      const shown = card(made.at(-1));
      // It is here already, so it is not fetched a second time.
      drawn(shown.querySelector("img"), event.b64_json);
      place.replaceWith(shown);
    }
    return made;
  }

  /** Sounds or clips one after the other. */
  async played(asked, batch, make) {
    const list = h("ul", { class: "grid" }), all = [];
    batch.append(list);
    for (let number = 0; number < asked.n; number++) {
      const seed = asked.seed + number;
      const [waiting, told] = waitingFor(`Progress of seed ${seed}`);
      list.append(waiting);
      const made = await make({ ...asked, seed }, { signal: this.stopper.signal, told });
      waiting.replaceWith(card(made));
      all.push(made);
    }
    return all;
  }

  async texts(asked, batch) {
    const { max_tokens: most, ...others } = asked.controls;
    const usual = this.model.options.find((control) => control.name === "max_tokens")?.default;
    const parts = Array.from({ length: asked.n }, (_, place) => {
      const words = h("span", {});
      const foot = h("div", { class: "row" });
      const text = h("div", { class: "panel" }, h("pre", { tabindex: 0, "aria-label": `Text ${place + 1}` }, !this.model.rewrites && h("span", { class: "soft" }, asked.prompt), words), foot);
      batch.append(text);
      return { words, foot };
    });
    const json = { ...asked, controls: others, stream: true, store: true, ...(most ?? usual ? { max_tokens: most ?? usual } : {}) };
    const made = [];
    for await (const event of events("/v1/completions", { json, signal: this.stopper.signal })) {
      for (const piece of event.choices) {
        parts[piece.index].words.append(piece.text);
        if (!piece.finish_reason) continue;
        const id = event.makar?.assets?.[0]?.asset;
        made.push({ id, medium: this.model.medium, model: asked.model, prompt: asked.prompt, seed: asked.seed + piece.index, text: parts[piece.index].words.textContent });
        if (id) parts[piece.index].foot.append(button("Manifest and novelty", { act: () => details(id) }), h("span", { class: "small soft" }, piece.finish_reason === "length" ? "ended at its longest" : "ended by itself"));
      }
    }
    return made;
  }
}

customElements.define("makar-create", Create);
