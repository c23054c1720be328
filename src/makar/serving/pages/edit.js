// Edit: paint what is to be made anew, go on beyond a side, begin from an image; before and after under one slider. Other media beside.

import { h, button, choice, duration, field, isWrong, problem, say } from "./dom.js";
import { bytesOf, call, describe, events, request } from "./api.js";
import { anySeed, controls, modelChoice, noModels, seeds, twoWays } from "./form.js";
import { PREVIEWS, details, sketch } from "./asset.js";
import { FilmEdit } from "./edit_film.js";
import { CodeEdit } from "./edit_code.js";
import { MediaEdit } from "./edit_media.js";
import "./mask.js";

const WAYS = {
  paint: ["Paint what is made anew", "inpaint"], sides: ["Go on beyond the sides", "inpaint"], begin: ["Begin from the image", "image-to-image"], restyle: ["Take the style of another image", "restyle"],
  enlarge: ["Enlarge", "enlarge"], colour: ["Give it colours", "colour"], denoise: ["Take noise away", "denoise"], translate: ["Translate to the other kind", "translate"], reconstruct: ["Encode and decode", "reconstruct"], control: ["Steer by this map", "control"],
  cutout: ["Make a background for a cut-out", "inpaint"], vary: ["Others like it", "vary"], between: ["Lead to a second image", "interpolate"], seeds: ["Go from one seed to another", "interpolate-seeds"],
};
/** What is put together from several images, or is several, so that there is none to show before. */
const IN_PARTS = new Set(["enlarge", "colour", "between", "seeds"]);
/** What has no prompt and no count: one row of images. */
const IN_ROWS = new Set(["between", "seeds"]);
/** What is said by the files, or by a word of its own. */
const UNNAMED = new Set(["cutout", "vary", "between", "seeds"]);
const SIDES = ["left", "top", "right", "bottom"];
const FARTHEST = 4096;
const ACCEPTED = { image: "image/*", sound: "audio/*", video: "video/*,image/*", structure: ".pdb,.ent,.cif,.mmcif", music: ".mid,.midi", code: "" };
const OPEN = { image: "Open an image", sound: "Open a sound", video: "Open a clip or a picture", structure: "Open a structure", music: "Open a MIDI file", code: "Open a file" };
const state = { model: null, way: null, prompt: "", count: 1, seed: anySeed(), isLocked: false, controls: {}, sides: {}, enlarge: 2, strength: .6, isPhoto: false, frames: 8, toSeed: anySeed() };

class Edit extends HTMLElement {
  async connectedCallback() {
    const { words } = this.place;
    if (words.size) state.isFilm = words.has("films");
    this.replaceChildren(h("h1", {}, "Edit"), h("p", { class: "soft" }, "Looking for models …"));
    try {
      if (state.isFilm) return await this.withoutModel(words.get("films"));
      const chosen = await modelChoice(words.get("model") ?? state.model, (name) => this.use(name), { fits: (one) => one.medium in ACCEPTED });
      if (!chosen.name) return this.replaceChildren(h("h1", {}, "Edit"), this.kinds(), noModels());
      this.build(chosen);
      await this.use(chosen.name);
      const id = words.get("asset");
      // Where its model is not here, another one that changes something else may have been taken.
      if (id && (await call(`/makar/v1/assets/${id}`)).medium === this.medium) await this.fromAsset(id);
    } catch (error) {
      this.replaceChildren(h("h1", {}, "Edit"), problem(error));
    }
  }

  disconnectedCallback() {
    this.stopper?.abort();
    this.media?.leave();
    this.films?.leave();
  }

  /** With a model, or films without one. */
  kinds() {
    return twoWays("How to edit", ["With a model", "Films, without a model"], state.isFilm, (isFilm) => { this.disconnectedCallback(); Object.assign(state, { isFilm }); this.place.words = new URLSearchParams(); return this.connectedCallback(); }, this);
  }

  /** Films cut, joined and heard as the verb edit does it. */
  async withoutModel(id) {
    this.films = new FilmEdit();
    this.replaceChildren(h("h1", {}, "Edit"), this.kinds(), h("p", { class: "lead" }, "What is not asked for stays as it is, and the film made carries a signed manifest with those of the films that it is made of."),
      h("div", { class: "split" }, h("div", { class: "panel" }, this.films.element), this.films.stage));
    await this.films.begin(id);
  }

  build(chosen) {
    this.source = h("div", {});
    this.rest = h("div", {});
    this.mask = document.createElement("makar-mask");
    this.canvas = h("div", { class: "panel", ondragover: (event) => event.preventDefault(), ondrop: (event) => { event.preventDefault(); const [given] = event.dataTransfer.files; if (given) this.open(given); } }, this.empty());
    this.results = h("section", { "aria-label": "Results" });
    this.replaceChildren(h("h1", {}, "Edit"), this.kinds(), h("p", { class: "lead" }, "What is not chosen stays as it is. What can be done depends on the model."),
      h("div", { class: "split" }, h("div", { class: "panel" }, chosen.element, this.source, this.rest), h("div", {}, this.canvas, this.results)));
  }

  empty() {
    return h("div", { class: "empty" }, h("h2", {}, "Choose an image"), h("p", {}, "Or drop one here."));
  }

  /** Where what is to be changed comes from: a file, or the gallery. */
  async sources(medium, isLeft) {
    const file = h("input", { type: "file", accept: ACCEPTED[medium], class: "unseen", tabindex: -1, "aria-label": "The file to change", onchange: () => file.files[0] && this.open(file.files[0]) });
    const media = medium === "video" ? ["video", "image"] : [medium];
    const found = await Promise.all(media.map((one) => call(`/makar/v1/assets?medium=${one}&limit=30`)));
    if (isLeft()) return;
    const recent = found.flatMap((one) => one.data);
    const list = choice([["", "choose"], ...recent.map((asset) => [asset.id, `${asset.prompt || asset.model}, seed ${asset.seed}`])], "", (id) => id && this.fromAsset(id));
    this.source.replaceChildren(h("div", { class: "row field" }, button(OPEN[medium], { icon: "up", act: () => file.click() }), file), recent.length > 0 ? field("Or one from the gallery", list) : "");
  }

  async fromAsset(id) {
    const answer = await request(`/makar/v1/assets/${id}/content`);
    await this.open(await answer.blob());
  }

  async open(blob) {
    if (this.media) {
      state.file = blob;
      return this.media.show();
    }
    try {
      state.picture = await createImageBitmap(blob);
      state.file = blob;
      this.show();
    } catch {
      say("That is no image that this browser can read");
    }
  }

  show() {
    this.canvas.replaceChildren(this.mask);
    this.mask.show(state.picture);
    this.way(state.way);
  }

  async use(name) {
    if (state.model && state.model !== name) state.controls = {};
    state.model = name;
    this.media?.leave();
    this.rest.replaceChildren(h("p", { class: "soft", role: "status" }, `Loading ${name} …`));
    try {
      const found = await describe(name);
      const { medium } = found;
      // Another one may have been chosen while it was loaded.
      const isLeft = () => state.model !== name || !this.isConnected;
      if (isLeft()) return;
      if (medium !== this.medium) {
        await this.sources(medium, isLeft);
        if (isLeft()) return;
        // What is given to one medium is nothing to another.
        if (state.medium !== medium) Object.assign(state, { medium, file: null, picture: null });
      }
      Object.assign(this, { model: found, medium });
      this.media = medium === "image" ? null : new (medium === "code" ? CodeEdit : MediaEdit)({ model: this.model, state, stage: this.canvas, results: this.results, prompt: this.asks(this.model) });
      if (this.media) return this.rest.replaceChildren(this.media.element);
      this.draw();
      if (state.picture) this.show();
      else this.canvas.replaceChildren(this.empty());
    } catch (error) {
      if (state.model === name) this.rest.replaceChildren(problem(error));
    }
  }

  draw() {
    const { model } = this;
    const able = Object.entries(WAYS).filter(([, [, edit]]) => model.edits.includes(edit));
    if (!able.length) return this.rest.replaceChildren(h("p", { class: "soft" }, `${model.id} changes no images. Models of the recipes for images of classes or captions do.`));
    const first = able.some(([name]) => name === state.way) ? state.way : able[0][0];
    const ways = choice(able.map(([name, [words]]) => [name, words]), first, (name) => this.way(name));
    this.extra = h("div", {});
    this.options = controls(model, state.controls, () => {}, { leaves: new Set(["label", "strength"]) });
    this.seeds = seeds(state);
    this.prompt = this.asks(model);
    this.count = h("input", { type: "number", min: 1, max: 16, required: true, value: state.count, inputmode: "numeric" });
    this.go = button("Make", { kind: "main", act: () => this.make() });
    this.stop = button("Stop", { icon: "stop", act: () => this.stopper?.abort() });
    this.stop.hidden = !this.stopper;
    this.go.disabled = Boolean(this.stopper);
    this.rest.replaceChildren(h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.make(); } }, field("What to do", ways), this.extra, this.prompt && field("What it is to become", this.prompt), field("How many", this.count), this.seeds, this.options, h("div", { class: "bottom" }, h("div", { class: "row" }, this.go, this.stop))));
    this.way(first);
  }

  /** What a model is told of what it is to make; null where it is told nothing. */
  asks(model) {
    if (model.classes.length && !model.captions) return choice([["", "any"], ...model.classes.map((one) => [one, one])], state.prompt, (value) => { state.prompt = value; });
    return model.captions || model.medium === "music" ? h("textarea", { rows: 2, value: state.prompt, oninput: (event) => { state.prompt = event.target.value; } }) : null;
  }

  way(name) {
    if (!name || !this.extra) return;
    state.way = name;
    const [wide, high] = this.model.size ?? [512, 512];
    const slider = (words, key, low, high, step, hint) => { const input = h("input", { type: "range", min: low, max: high, step, value: state[key], oninput: () => { state[key] = Number(input.value); out.textContent = input.value; } }); const out = h("output", {}, String(state[key])); const made = field(words, input, hint, { kind: "pair" }); made.firstChild.after(out); return made; };
    const whole = (key, min, max) => h("input", { type: "number", min, max, step: 1, required: true, value: state[key], inputmode: "numeric", oninput: (event) => { state[key] = Number(event.target.value); } });
    const frames = () => field("Images, both ends included", whole("frames", 2, 64));
    const parts = {
      sides: () => h("fieldset", {}, h("legend", {}, "How far, in pixels"), h("div", { class: "fields" }, SIDES.map((side) => field(side[0].toUpperCase() + side.slice(1), h("input", { type: "number", min: 0, max: FARTHEST, value: state.sides[side] ?? 0, inputmode: "numeric", oninput: (event) => { state.sides[side] = Number(event.target.value) || 0; this.frame(); } })))), h("p", { class: "hint small soft" }, `The model makes ${wide} by ${high} pixels at a time.`)),
      begin: () => slider("Strength", "strength", 0, 1, .05, "0 leaves the image, 1 does not look at it"),
      enlarge: () => slider("So many times", "enlarge", 2, 8, 1),
      control: () => h("label", { class: "check field" }, h("input", { type: "checkbox", checked: state.isPhoto, onchange: (event) => { state.isPhoto = event.target.checked; } }), "The image is a photo: compute its map first"),
      between: () => { const input = h("input", { type: "file", accept: "image/*", onchange: () => { [state.last] = input.files; } }); return h("div", {}, field("The second image", input), frames()); },
      seeds: () => h("div", {}, field("The other seed", whole("toSeed", 0, Number.MAX_SAFE_INTEGER), "It begins with the seed below"), frames()),
      restyle: () => { const input = h("input", { type: "file", accept: "image/*", onchange: () => { [state.reference] = input.files; } }); return field("Image whose style is taken", input); },
    };
    this.extra.replaceChildren(...(parts[name] ? [parts[name]()] : []));
    this.mask.classList.toggle("still", name !== "paint");
    this.count.closest(".field").hidden = IN_ROWS.has(name);
    this.frame();
  }

  /** Show how far the picture will reach beyond its sides. */
  frame() {
    const holder = this.mask.canvas?.parentElement;
    if (!holder || !state.picture) return;
    const { width } = state.picture;
    const far = SIDES.map((side) => (state.way === "sides" ? state.sides[side] ?? 0 : 0));
    const shares = [far[1] / width, far[2] / width, far[3] / width, far[0] / width].map((one) => `${Math.min(100, 100 * one).toFixed(1)}%`);
    holder.style.padding = shares.join(" ");
    holder.classList.toggle("reaching", far.some(Boolean));
    this.handles(holder);
  }

  /** A handle on each side, drawn outwards by pointer or arrow keys; the fields beside say the same in numbers. */
  handles(holder) {
    if (state.way !== "sides") return holder.querySelectorAll(".handle").forEach((one) => one.remove());
    for (const side of SIDES) {
      const known = holder.querySelector(`.handle.${side}`);
      const shown = known ?? h("div", { class: `handle ${side}`, role: "slider", tabindex: 0, "aria-label": `Beyond the ${side} side, in pixels`, "aria-valuemin": 0, "aria-valuemax": FARTHEST, "aria-orientation": side === "left" || side === "right" ? "horizontal" : "vertical",
        onpointerdown: (event) => this.drag(event, side), onkeydown: (event) => {
          const step = { ArrowUp: side === "bottom" ? -1 : 1, ArrowDown: side === "bottom" ? 1 : -1, ArrowLeft: side === "right" ? -1 : 1, ArrowRight: side === "right" ? 1 : -1, PageUp: 8, PageDown: -8 }[event.key];
          if (!step) return;
          event.preventDefault();
          this.reach(side, (state.sides[side] ?? 0) + step);
        } });
      shown.setAttribute("aria-valuenow", state.sides[side] ?? 0);
      if (!known) holder.append(shown);
    }
  }

  drag(event, side) {
    const handle = event.currentTarget;
    const across = side === "left" || side === "right";
    const outwards = side === "left" || side === "top" ? -1 : 1;
    const place = (one) => (across ? one.clientX : one.clientY);
    // As it is when the drag begins: the picture gives way to what is beyond it and gets smaller.
    const [start, before, pixels] = [place(event), state.sides[side] ?? 0, state.picture.width / this.mask.canvas.getBoundingClientRect().width];
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    const ends = new AbortController();
    handle.addEventListener("pointermove", (moved) => this.reach(side, Math.round(before + outwards * (place(moved) - start) * pixels)), { signal: ends.signal });
    for (const name of ["pointerup", "pointercancel"]) handle.addEventListener(name, () => ends.abort(), { signal: ends.signal });
  }

  reach(side, pixels) {
    state.sides[side] = Math.min(FARTHEST, Math.max(0, pixels));
    const input = this.extra.querySelectorAll("input")[SIDES.indexOf(side)];
    if (input) input.value = state.sides[side];
    this.frame();
  }

  async make() {
    if (this.stopper || isWrong(this.rest)) return;
    if (!state.picture && state.way !== "seeds") return say("Choose an image first");
    if (state.way === "paint" && this.mask.isEmpty) return say("Paint what is to be made anew first");
    if (state.way === "sides" && !SIDES.some((side) => state.sides[side])) return say("Say how far to go on beyond a side");
    if (state.way === "restyle" && !state.reference) return say("Choose the image whose style is taken");
    if (state.way === "between" && !state.last) return say("Choose the second image");
    state.controls = this.options.read();
    state.count = Number(this.count.value);
    const form = new FormData();
    const put = (name, value) => form.append(name, value);
    for (const [name, value] of Object.entries({ model: this.model.id, prompt: IN_ROWS.has(state.way) ? "" : this.prompt?.value ?? "", n: IN_ROWS.has(state.way) ? 1 : state.count, seed: this.seeds.take(), stream: true, store: true, ...(IN_PARTS.has(state.way) ? {} : { partial_images: PREVIEWS }) })) put(name, value);
    if (Object.keys(state.controls).length) put("controls", JSON.stringify(state.controls));
    if (state.way !== "seeds") form.append("image", state.file, "image.png");
    if (state.way === "paint") form.append("mask", await this.mask.blob(), "mask.png");
    else if (state.way === "sides") SIDES.filter((side) => state.sides[side]).forEach((side) => put(side, state.sides[side]));
    else if (state.way === "begin") put("strength", state.strength);
    else if (state.way === "restyle") form.append("reference", state.reference, "reference.png");
    else if (state.way === "enlarge") put("enlarge", state.enlarge);
    else if (state.way === "cutout") put("background", true);
    else if (state.way === "between") form.append("to", state.last, "last.png");
    else if (state.way === "seeds") put("to_seed", state.toSeed);
    else if (!UNNAMED.has(state.way)) put("operation", state.way);
    if (IN_ROWS.has(state.way)) put("frames", state.frames);
    if (state.way === "control" && state.isPhoto) put("photo", true);
    this.stopper = new AbortController();
    this.stop.hidden = false;
    this.go.disabled = true;
    const early = h("div", { class: "big" });
    const wait = h("div", { class: "panel" }, h("p", { class: "soft", role: "status" }, "Being made …"), early);
    this.results.prepend(wait);
    const started = performance.now();
    const before = state.way === "seeds" ? null : state.file;
    let made = 0;
    try {
      for await (const event of events("/v1/images/edits", { form, signal: this.stopper.signal })) {
        if (event.makar.estimate) {
          sketch(early, event.b64_json, event.makar.seed, event.makar.estimate);
          continue;
        }
        const blob = new Blob([bytesOf(event.b64_json)], { type: "image/png" });
        wait.before(this.result(blob, event.makar, before));
        made++;
      }
      say(`Made ${made} in ${duration((performance.now() - started) / 1000)}`);
    } catch (error) {
      if (error.name === "AbortError") say("Stopped");
      else this.results.prepend(h("div", { class: "panel" }, problem(error)));
    } finally {
      wait.remove();
      this.stopper = null;
      this.stop.hidden = true;
      this.go.disabled = false;
    }
  }

  result(blob, said, before) {
    if (said.not_kept) say(`It is not in the gallery: ${said.not_kept}`, { seconds: 12 });
    return h("article", { class: "panel", "aria-label": `Result, seed ${said.seed}` }, before ? wipe(before, blob) : h("div", { class: "wipe" }, h("div", {}, picture(blob, "What was made"))), h("div", { class: "row" }, h("span", { class: "tag" }, `seed ${said.seed}`), said.asset && button("Manifest and novelty", { act: () => details(said.asset) }), button("Go on from it", { act: () => { this.open(blob); this.canvas.scrollIntoView({ behavior: "smooth" }); } })));
  }
}

function picture(blob, words) {
  const address = URL.createObjectURL(blob);
  const shown = h("img", { src: address, alt: words, onload: () => { shown.classList.toggle("pixels", shown.naturalWidth < 300); URL.revokeObjectURL(address); } });
  return shown;
}

/** Two pictures under one slider: left of it before, right of it after. */
function wipe(before, after) {
  const top = picture(before, "Before");
  const slider = h("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Before and after", oninput: () => set() });
  const set = () => { top.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`; slider.setAttribute("aria-valuetext", `${slider.value} % before`); };
  set();
  return h("div", { class: "wipe" }, h("div", {}, picture(after, "After"), top), slider);
}

customElements.define("makar-edit", Edit);
