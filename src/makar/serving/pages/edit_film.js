// Edit, of films without a model: joined in their order, cut, faster or slower, with their sound, another or none, in any form.

import { h, button, choice, duration, field, isWrong, problem, say } from "./dom.js";
import { call, request } from "./api.js";
import { bigClip, card, kept } from "./asset.js";

const MOST = 16;
const SOUNDS = [["keep", "keep its own"], ["remove", "none"], ["other", "another one"]];
/** Forms, and whether they hold a sound. */
const FORMS = [["webm", "WebM", true], ["mp4", "MP4", true], ["mkv", "MKV, without loss", true], ["gif", "GIF", false], ["apng", "APNG, without loss", false], ["webp", "WebP", false]];
/** What is being put together, kept while other pages are looked at: { name, blob }. */
const films = [];

/** The parts of the page: `.element` is what is asked, `.stage` shows the first film and what came of it. */
export class FilmEdit {
  constructor() {
    const file = h("input", { type: "file", accept: "video/*,image/gif,image/apng,image/webp", multiple: true, class: "unseen", tabindex: -1, "aria-label": "Films to edit", onchange: () => { this.add([...file.files].map((one) => ({ name: one.name, blob: one }))); file.value = ""; } });
    this.list = h("ol", { class: "plain", "aria-label": "Films, in their order" });
    this.gallery = h("div", {});
    const number = (words, hint, more) => { const input = h("input", { type: "number", step: "any", inputmode: "decimal", ...more }); return [input, field(words, input, hint)]; };
    const here = (words, input) => button("Here", { title: `${words} here, where the player is`, act: () => { if (this.player) input.value = this.player.currentTime.toFixed(2); } });
    const [from, first] = number("From, in seconds", null, { min: 0, placeholder: "the beginning" });
    const [to, last] = number("To, in seconds", null, { min: 0, placeholder: "the end" });
    const [speed, faster] = number("Speed", "2 is twice as fast", { min: .1, max: 10, placeholder: "1" });
    const [rate, frames] = number("Frames a second", null, { min: .1, max: 60, placeholder: "as the first film has" });
    const tape = h("input", { type: "checkbox" });
    const other = h("input", { type: "file", accept: "audio/*,video/*" });
    const otherField = field("The other sound", other);
    const sound = choice(SOUNDS, "keep", (value) => { otherField.hidden = value !== "other"; });
    otherField.hidden = true;
    const soundField = field("Sound", sound);
    const form = choice(FORMS.map(([name, words]) => [name, words]), "webm", (name) => {
      const isHeard = FORMS.find((one) => one[0] === name)[2];
      soundField.hidden = !isHeard;
      otherField.hidden = !isHeard || sound.value !== "other";
    });
    Object.assign(this, { from, to, speed, rate, tape, other, sound, form });
    this.go = button("Make the film", { kind: "main", act: () => this.make() });
    this.stop = button("Stop", { icon: "stop", act: () => this.stopper?.abort() });
    this.stop.hidden = true;
    this.element = h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.make(); } },
      h("div", { class: "row field" }, button("Add films", { icon: "up", act: () => file.click() }), file), this.gallery, this.list,
      h("fieldset", {}, h("legend", {}, "What is kept"), ...[["From", from, first], ["To", to, last]].map(([words, input, part]) => h("div", { class: "row" }, h("div", { class: "grow" }, part), here(words, input)))),
      faster, h("label", { class: "check field" }, tape, "The pitch follows the speed"), frames, field("Form", form), soundField, otherField,
      h("div", { class: "bottom" }, h("div", { class: "row" }, this.go, this.stop)));
    this.shown = h("div", { class: "panel", ondragover: (event) => event.preventDefault(), ondrop: (event) => { event.preventDefault(); this.add([...event.dataTransfer.files].map((one) => ({ name: one.name, blob: one }))); } });
    this.results = h("section", { "aria-label": "Results" });
    this.stage = h("div", {}, this.shown, this.results);
    this.show();
  }

  /** Offer what the gallery has, and take what the address names. */
  async begin(id) {
    const { data } = await call("/makar/v1/assets?medium=video&limit=30");
    const list = choice([["", "choose"], ...data.map((asset) => [asset.id, `${asset.prompt || asset.model}, seed ${asset.seed}`])], "", (chosen) => { if (chosen) this.fromAsset(chosen); list.value = ""; });
    if (data.length) this.gallery.replaceChildren(field("Or one from the gallery", list));
    if (id) await this.fromAsset(id);
  }

  async fromAsset(id) {
    try {
      const blob = await (await request(`/makar/v1/assets/${id}/content`)).blob();
      this.add([{ name: `${id.slice(0, 8)} of the gallery`, blob }]);
    } catch (error) {
      this.shown.append(problem(error));
    }
  }

  add(given) {
    if (films.length + given.length > MOST) return say(`At most ${MOST} films at a time`);
    films.push(...given);
    this.show();
  }

  leave() {
    this.stopper?.abort();
  }

  show() {
    const move = (at, by) => { films.splice(at + by, 0, ...films.splice(at, 1)); this.show(); this.list.children[at + by].querySelector("button").focus(); };
    this.list.replaceChildren(...films.map((film, at) => h("li", {}, h("div", { class: "row picker tight" }, h("span", { class: "grow small" }, film.name),
      button("", { icon: "left", title: `${film.name}: earlier`, disabled: at === 0, act: () => move(at, -1) }),
      button("", { icon: "right", title: `${film.name}: later`, disabled: at === films.length - 1, act: () => move(at, 1) }),
      button("", { icon: "trash", title: `Leave out ${film.name}`, act: () => { films.splice(at, 1); this.show(); this.element.querySelector("button").focus(); } })))));
    const [first] = films;
    if (first && first === this.first) return;
    this.first = first;
    const shown = first && bigClip(first.blob, `The first film, ${first.name}`);
    this.player = shown?.querySelector("video");
    this.shown.replaceChildren(shown ?? h("div", { class: "empty" }, h("h2", {}, "Add a film"), h("p", {}, "Or drop some here. Several are joined in their order; frames are never mixed, and nothing needs a model.")));
  }

  /** The form of one making, or what is missing, in words. */
  asked() {
    if (!films.length) return "Add a film first";
    const how = {};
    const put = (name, input) => { if (input.value !== "") how[name] = Number(input.value); };
    for (const [name, input] of [["start", this.from], ["end", this.to], ["speed", this.speed], ["rate_hz", this.rate]]) put(name, input);
    if (how.end !== undefined && how.end <= (how.start ?? 0)) return "What is kept ends after it begins";
    const form = new FormData();
    how.format = this.form.value;
    if (how.speed !== undefined && this.tape.checked) how.shift_pitch = true;
    const isHeard = FORMS.find(([name]) => name === how.format)[2];
    if (isHeard && this.sound.value === "other") {
      if (!this.other.files[0]) return "Choose the other sound first";
      form.append("sound", this.other.files[0], "sound");
    } else if (isHeard && this.sound.value === "remove") how.sound = "remove";
    form.append("how", JSON.stringify(how));
    for (const film of films) form.append("file", film.blob, "film");
    return form;
  }

  async make() {
    if (this.stopper || isWrong(this.element)) return;
    const form = this.asked();
    if (typeof form === "string") return say(form);
    this.stopper = new AbortController();
    this.stop.hidden = false;
    this.go.disabled = true;
    const wait = h("p", { class: "soft panel", role: "status" }, "Being made …");
    this.results.prepend(wait);
    const started = performance.now();
    try {
      const said = await call("/makar/v1/edits", { form, signal: this.stopper.signal });
      const again = button("Go on from it", { kind: "plain", act: () => { films.length = 0; this.fromAsset(said.asset); } });
      wait.after(h("section", { class: "panel", "aria-label": "Made" }, h("ul", { class: "grid wide" }, card(kept({ ...said, model: "", seed: 0 }), { more: again })), said.remarks.length > 0 && h("ul", { class: "small soft" }, said.remarks.map((one) => h("li", {}, one)))));
      say(`Made in ${duration((performance.now() - started) / 1000)}`);
    } catch (error) {
      if (error.name === "AbortError") say("Stopped");
      else wait.after(problem(error));
    } finally {
      wait.remove();
      this.stopper = null;
      this.stop.hidden = true;
      this.go.disabled = false;
    }
  }
}
