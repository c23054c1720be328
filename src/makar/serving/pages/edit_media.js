// Edit, of sounds, clips, structures and music: a hole filled in, what follows, what lies between two pictures, residues, parts to a melody.

import { h, button, choice, dialog, duration, field, isWrong, problem, say } from "./dom.js";
import { request } from "./api.js";
import { controls, seeds } from "./form.js";
import { bigClip, bigSound, card, kept } from "./asset.js";
import { piece } from "./piece.js";
import { Residues } from "./residues.js";
import { isCif, structure } from "./structure.js";
import "./mask.js";

const MOST = 16;
/** Of each way: its words, whether a model can, what it is done to, and what it asks for. */
const WAYS = {
  residues: ["Make residues anew", (model) => model.medium === "structure" && model.edits.includes("inpaint"), "whole", "residues"],
  keep: ["Write parts to one that stays", (model) => model.medium === "music", "whole", "keep"],
  hole: ["Fill in a hole", (model) => isHeard(model) && model.edits.includes("inpaint"), "whole", "hole"],
  go_on: ["Go on where it ends", (model) => model.goes_on, "whole"],
  paint: ["Paint what is made anew in every frame", (model) => model.medium === "video" && model.edits.includes("inpaint"), "whole", "mask"],
  begin: ["Begin from it", (model) => model.edits.includes("image-to-image"), "whole", "strength"],
  alive: ["Bring the picture to life", (model) => model.medium === "video" && model.edits.includes("inpaint"), "picture"],
  lead: ["Lead to a second picture", (model) => model.medium === "video" && model.edits.includes("inpaint"), "picture", "to"],
  control: ["Play its melody anew", (model) => model.medium === "sound" && model.edits.includes("control"), "whole"],
  vary: ["Others like it", (model) => model.medium === "sound" && model.edits.includes("vary"), "whole"],
  reconstruct: ["Encode and decode", (model) => model.medium === "sound" && model.edits.includes("reconstruct"), "whole"],
};
const VOICES = ["soprano", "alto", "tenor", "bass"];
const EMPTY = { sound: "Choose a sound", video: "Choose a clip or a picture", structure: "Choose a structure, as PDB or mmCIF", music: "Choose a piece, as MIDI" };
const isHeard = ({ medium }) => medium === "sound" || medium === "video";
const OPERATIONS = new Set(["control", "vary", "reconstruct"]);
const isPicture = (file) => /^image[/](?!gif)/.test(file?.type ?? "");

/** The parts of the page for one model of what is not an image. */
export class MediaEdit {
  constructor({ model, state, stage, results, prompt }) {
    Object.assign(this, { model, state, stage, results });
    this.ways = h("div", {});
    this.extra = h("div", {});
    this.options = controls(model, state.controls, () => {}, { leaves: new Set(["label", "strength", "format", "residues"]) });
    this.seeds = seeds(state);
    this.prompt = prompt;
    this.count = h("input", { type: "number", min: 1, max: MOST, required: true, value: state.count, inputmode: "numeric" });
    this.go = button("Make", { kind: "main", act: () => this.make() });
    this.stop = button("Stop", { icon: "stop", act: () => this.stopper?.abort() });
    this.stop.hidden = true;
    this.element = h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.make(); } }, this.ways, this.extra, prompt && field(model.medium === "music" ? "What is told, such as key=Am" : "What it is to become", prompt), field("How many", this.count), this.seeds, this.options, h("div", { class: "bottom" }, h("div", { class: "row" }, this.go, this.stop)));
    this.show();
  }

  leave() {
    this.stopper?.abort();
  }

  async show() {
    const { file } = this.state;
    const what = isPicture(file) ? "picture" : "whole";
    this.able = Object.entries(WAYS).filter(([, [, can, of]]) => can(this.model) && (!file || of === what));
    if (!this.able.length) {
      this.way = null;
      this.extra.replaceChildren();
      this.ways.replaceChildren(h("p", { class: "soft" }, file && what === "picture" ? "This model needs a sound or a clip, not a picture." : `${this.model.id} changes nothing that is given.`));
    } else {
      this.way = this.able.some(([name]) => name === this.way) ? this.way : this.able[0][0];
      const list = choice(this.able.map(([name, [words]]) => [name, words]), this.way, (name) => this.use(name));
      this.ways.replaceChildren(field("What to do", list));
    }
    this.player = null;
    if (!file) return this.stage.replaceChildren(h("div", { class: "empty" }, h("h2", {}, EMPTY[this.model.medium]), h("p", {}, "Or drop one here.")));
    try {
      const shown = await this.shown(file, "What is to be changed");
      this.player = shown.querySelector("audio, video");
      this.stage.replaceChildren(shown);
    } catch (error) {
      this.state.file = null;
      return this.stage.replaceChildren(problem(error));
    }
    if (this.way) this.use(this.way);
  }

  /** What is given, large; of a structure with the choice of residues. */
  async shown(file, words) {
    if (this.model.medium === "sound") return bigSound(file, words);
    if (this.model.medium === "music") return h("div", { class: "big" }, piece({ words, file }));
    if (this.model.medium === "video") return bigClip(file, words);
    this.text = await file.text();
    this.residues = new Residues(this.text);
    return this.residues.shown;
  }

  use(name) {
    this.way = name;
    const kind = WAYS[name][3];
    this.stage.querySelector("makar-mask")?.remove();
    this.stage.firstElementChild.hidden = false;
    const parts = {
      hole: () => {
        const end = Number.isFinite(this.player?.duration) ? this.player.duration : null;
        const place = (words, value) => {
          const input = h("input", { type: "number", min: 0, step: .01, value, inputmode: "decimal" });
          const here = this.player && button("Here", { title: `${words} here, where the player is`, act: () => { input.value = this.player.currentTime.toFixed(2); } });
          return [input, h("div", { class: "row" }, h("div", { class: "grow" }, field(`${words}, in seconds`, input)), here)];
        };
        const [[from, first], [to, last]] = [place("From", end ? (end / 3).toFixed(2) : 0), place("To", end ? (end / 2).toFixed(2) : "")];
        Object.assign(this, { from, to });
        if (this.player && end === null) this.player.addEventListener("loadedmetadata", () => { if (this.way === "hole" && this.to === to && !to.value) this.use("hole"); }, { once: true });
        return h("fieldset", {}, h("legend", {}, "The hole"), first, last);
      },
      strength: () => {
        const out = h("output", {}, String(this.state.strength));
        const input = h("input", { type: "range", min: 0, max: 1, step: .05, value: this.state.strength, oninput: () => { this.state.strength = Number(input.value); out.textContent = input.value; } });
        const made = field("Strength", input, "0 leaves it, 1 does not look at it", { kind: "pair" });
        made.firstChild.after(out);
        return made;
      },
      residues: () => this.residues?.fields ?? "",
      keep: () => { this.voice = choice(VOICES, "soprano"); return field("The part that stays", this.voice, "Of a piece that has not four parts, its highest notes"); },
      to: () => { this.last = h("input", { type: "file", accept: "image/*" }); return field("The last picture", this.last, "What lies between the two is made"); },
      mask: () => { this.paint(); return h("p", { class: "small soft" }, "What is not painted stays as it is in every frame, bit for bit."); },
    };
    this.extra.replaceChildren(...(kind ? [parts[kind]()] : []));
  }

  /** A mask over the first frame. */
  async paint() {
    try {
      const { player } = this;
      if (player && player.readyState < 2) await new Promise((good, bad) => { player.addEventListener("loadeddata", good, { once: true }); player.addEventListener("error", bad, { once: true }); player.preload = "auto"; });
      const frame = await createImageBitmap(player ?? this.state.file);
      if (this.way !== "paint") return;
      this.mask = document.createElement("makar-mask");
      // The mask shows the frame; the clip itself would only be in the way.
      this.stage.firstElementChild.hidden = true;
      this.stage.append(this.mask);
      this.mask.show(frame);
    } catch {
      say("This browser cannot show the first frame; fill in a hole in time instead");
    }
  }

  /** The form of one making, or what is missing, in words. */
  async asked(seed) {
    const { state, way } = this;
    const form = new FormData();
    const how = {};
    const set = { ...this.options.read() };
    if (way === "hole") {
      const [from, to] = [Number(this.from.value), Number(this.to.value)];
      if (!this.from.value || !this.to.value || !(from < to)) return "A hole ends after it begins";
      Object.assign(how, { from_second: from, to_second: to });
    } else if (way === "residues") {
      if (typeof this.residues.how === "string") return this.residues.how;
      Object.assign(how, this.residues.how);
      if (isCif(this.text)) set.format = "cif";
    } else if (way === "keep") how.keep = this.voice.value;
    else if (way === "go_on") how.go_on = true;
    else if (way === "begin") set.strength = state.strength;
    else if (OPERATIONS.has(way)) how.operation = way;
    else if (way === "lead") {
      if (!this.last.files[0]) return "Choose the last picture";
      form.append("to", this.last.files[0], "last.png");
    } else if (way === "paint") {
      if (!this.mask || this.mask.isEmpty) return "Paint what is to be made anew first";
      form.append("mask", await this.mask.blob(), "mask.png");
    }
    const texts = { model: this.model.id, prompt: this.prompt?.value ?? "", seed, how: JSON.stringify(how), controls: JSON.stringify(set) };
    for (const [name, value] of Object.entries(texts)) form.append(name, value);
    form.append("file", state.file, "given");
    return form;
  }

  async make() {
    if (this.stopper || !this.way || isWrong(this.element)) return;
    if (!this.state.file) return say("Choose a file first");
    const seed = this.seeds.take(), count = Number(this.count.value);
    const form = await this.asked(seed);
    if (typeof form === "string") return say(form);
    Object.assign(this.state, { controls: this.options.read(), count });
    this.stopper = new AbortController();
    this.stop.hidden = false;
    this.go.disabled = true;
    const wait = h("p", { class: "soft panel", role: "status" }, "Being made …");
    const list = h("ul", { class: "grid wide" });
    this.results.prepend(h("section", { class: "panel", "aria-label": "Made" }, list, wait));
    const started = performance.now();
    const before = this.text;
    let made = 0;
    try {
      for (; made < count; made++) {
        form.set("seed", seed + made);
        const said = await (await request("/makar/v1/edits", { form, signal: this.stopper.signal })).json();
        list.append(card(kept({ ...said, prompt: form.get("prompt") }), { more: h("div", { class: "row tight" }, said.medium === "structure" && button("Before and after", { kind: "plain", act: () => this.compared(said, before) }), button("Go on from it", { kind: "plain", act: () => this.again(said) })) }));
      }
      say(`Made ${made} in ${duration((performance.now() - started) / 1000)}`);
    } catch (error) {
      if (error.name === "AbortError") say("Stopped");
      else list.after(problem(error));
    } finally {
      wait.remove();
      this.stopper = null;
      this.stop.hidden = true;
      this.go.disabled = false;
    }
  }

  /** What was made over what was given, which stays in the same place. */
  async compared(said, before) {
    const text = await (await request(`/makar/v1/assets/${said.asset}/content`)).text();
    dialog("Before and after", h("div", {}, h("div", { class: "big" }, structure({ words: `Seed ${said.seed}`, text, before })), h("p", { class: "small soft" }, "In colours what was made and what stayed, thin and grey what was there before.")));
  }

  async again(said) {
    this.state.file = await (await request(`/makar/v1/assets/${said.asset}/content`)).blob();
    await this.show();
    this.stage.scrollIntoView({ behavior: "smooth" });
  }
}
