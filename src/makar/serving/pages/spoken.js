// Create, of speech: a script of several voices read aloud in the background, as a recording or a film of a face; recordings written down.

import { h, button, choice, copy, download, duration, field, isWrong, number, problem, say } from "./dom.js";
import { Refused, call, describe, madeAt, models, request } from "./api.js";
import { anySeed, noModels, seeds } from "./form.js";
import { CLIP, card, chapters, details, kept, places, waitingFor } from "./asset.js";

const ROUTE = "/makar/v1/readings";
const FORMS = [["wav", "A recording (WAV)"], ["webm", "A film with a face (WebM)"], ["mp4", "A film with a face (MP4)"]];
const NARRATOR = "Narrator";
const isNarrator = (name) => name.toLowerCase() === NARRATOR.toLowerCase();
/** Who reads a name that is nobody's. */
const NOBODY = "";
const OWN = "makar-readings";
/** Ids of what was asked for in this browser and not seen yet; what other programs ask for is theirs. */
const own = () => JSON.parse(localStorage.getItem(OWN) ?? "[]");
const note = (id, is) => localStorage.setItem(OWN, JSON.stringify([...own().filter((one) => one !== id), ...(is ? [id] : [])]));
/** What was written and chosen, while other pages are looked at. */
const state = { script: "", voices: new Map(), form: "wav", seed: anySeed(), isLocked: false, manner: {}, results: null };

/** The parts of the page: `.element` is what is asked, `.stage` shows what is read and what came of it. */
export class ScriptRead {
  constructor(words) {
    this.take(words);
    const file = h("input", { type: "file", class: "unseen", tabindex: -1, "aria-label": "A document to read aloud", onchange: () => { if (file.files[0]) this.open(file.files[0]); file.value = ""; } });
    let waiting;
    this.script = h("textarea", { rows: 8, value: state.script, oninput: () => { state.script = this.script.value; clearTimeout(waiting); waiting = setTimeout(() => this.look(), 400); } });
    this.told = h("p", { class: "small soft", role: "status" });
    this.cast = h("fieldset", {}, h("legend", {}, "Voices"));
    const manner = (name, least, most, step, usual) => h("input", { type: "number", min: least, max: most, step, placeholder: usual, value: state.manner[name] ?? "", oninput: (event) => { state.manner[name] = event.target.value; this.estimate(); } });
    this.form = choice(FORMS, state.form, (value) => { state.form = value; this.face.hidden = value === "wav"; });
    this.face = this.faceFields();
    this.face.hidden = state.form === "wav";
    this.seeds = seeds(state);
    this.cost = h("p", { class: "small soft", role: "status" });
    this.element = h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.make(); }, ondragover: (event) => event.preventDefault(), ondrop: (event) => { event.preventDefault(); const [given] = event.dataTransfer.files; if (given) this.open(given); } },
      h("div", { class: "row field" }, button("Open a document", { icon: "up", act: () => file.click() }), file),
      field("Script", this.script, "“Ann: …” is said by Ann, “# Title” begins a chapter. Documents can be dropped here."),
      this.told, this.cast, field("As", this.form), this.face,
      h("details", {}, h("summary", {}, "How it is spoken"), h("div", {}, field("Speed", manner("speed", .5, 2, .05, 1), "2 is twice as fast as the recordings"), field("Pitch", manner("pitch", -12, 12, .5, 0), "Semitones above the recordings"), field("Steps", manner("steps", 1, 1000, 1, "the model decides")))),
      this.seeds, h("div", { class: "bottom" }, this.cost, button("Read it aloud", { kind: "main", act: () => this.make() })));
    this.list = state.results ??= h("ul", { class: "grid wide" });
    this.stage = h("div", {}, this.list, h("div", { class: "empty" }, h("h2", {}, "What is read aloud appears here"), h("p", {}, "It is kept in the gallery of this machine, with a signed manifest.")));
    this.leaving = new AbortController();
  }

  /** Settings that another page hands over. */
  take(words) {
    if (!words.has("script")) return;
    state.script = words.get("script");
    state.voices = new Map(Object.entries(JSON.parse(words.get("voices"))));
    state.form = words.get("form");
    state.manner = JSON.parse(words.get("controls"));
    Object.assign(state, { seed: Number(words.get("seed")), isLocked: true });
  }

  async begin() {
    this.sounds = (await models()).filter((one) => one.medium === "sound").map((one) => one.id);
    if (!this.sounds.length) return this.element.replaceChildren(noModels());
    for (const id of own()) call(`${ROUTE}/${id}`).then((reading) => this.follow(reading), (error) => { if (error.status === 404) note(id, false); });
    await this.look();
  }

  /** What is read goes on; nobody looks at it any more. */
  leave() {
    this.leaving.abort();
    this.list.querySelectorAll(".pending").forEach((one) => one.remove());
  }

  async open(file) {
    const form = new FormData();
    form.append("document", file, file.name);
    this.told.textContent = `Reading ${file.name} …`;
    try {
      const found = await call("/makar/v1/scripts", { form });
      this.script.value = state.script = found.text;
      await this.show(found);
    } catch (error) {
      this.told.replaceChildren(problem(error));
    }
  }

  async look() {
    if (!state.script.trim()) return this.show({ names: [], has_narrator: true, lines: 0, chapters: [] });
    try {
      await this.show(await call("/makar/v1/scripts", { json: { script: state.script } }));
    } catch (error) {
      this.told.replaceChildren(problem(error));
    }
  }

  /** Say what the script comes to, and ask for a voice of everybody in it. */
  async show(found) {
    this.found = found;
    this.told.textContent = found.lines ? `Lines: ${number(found.lines)}${found.chapters.length ? `; chapters: ${found.chapters.join(", ")}` : ""}` : "";
    const names = [NARRATOR, ...found.names.filter((name) => !isNarrator(name))];
    // What is there stays, and with it the focus.
    if (String(names) !== this.names) {
      const rows = [];
      for (const [at, name] of names.entries()) rows.push(await this.row(name, at));
      if (found !== this.found) return;
      this.names = String(names);
      this.cast.replaceChildren(this.cast.firstChild, ...rows);
    }
    this.estimate();
  }

  /** Model and voice of one who speaks. */
  async row(name, at) {
    const [model, label] = this.split(state.voices.get(name)) ?? await this.usual(name, at);
    const list = choice([...this.sounds.map((one) => [one, one]), ...(at ? [[NOBODY, "is no speaker"]] : [])], model, (value) => chosen(value));
    const voice = h("div", {});
    const chosen = async (value, wanted) => {
      state.voices.set(name, value);
      voice.replaceChildren();
      this.estimate();
      if (!value) return;
      try {
        const { classes, speaks } = await describe(value);
        if (!speaks) return voice.replaceChildren(h("p", { class: "small soft" }, `${value} does not speak`));
        if (classes.length < 2) return;
        const labels = choice(classes, classes.includes(wanted) ? wanted : classes[0], (one) => state.voices.set(name, `${value}:${one}`));
        state.voices.set(name, `${value}:${labels.value}`);
        voice.replaceChildren(field(`Voice of ${name}`, labels));
      } catch (error) {
        voice.replaceChildren(problem(error));
      }
    };
    await chosen(model, label);
    return h("div", { class: "fields" }, field(at ? name : `${name}, where nobody is named`, list), voice);
  }

  split(said) {
    if (said === undefined) return null;
    if (said === NOBODY || this.sounds.includes(said)) return [said];
    const at = said.lastIndexOf(":");
    return this.sounds.includes(said.slice(0, at)) ? [said.slice(0, at), said.slice(at + 1)] : null;
  }

  /** The first model that speaks: its voice of that name, or another one for each. */
  async usual(name, at) {
    for (const model of this.sounds) {
      const found = await describe(model).catch(() => null);
      if (found?.speaks) return [model, found.classes.find((one) => one.toLowerCase() === name.toLowerCase()) ?? found.classes[Math.max(0, at - 1) % (found.classes.length || 1)]];
    }
    return [this.sounds[0]];
  }

  faceFields() {
    const canvas = h("canvas", { width: 0, height: 0, role: "img", "aria-label": "The drawing, with the place of its mouth", onpointerdown: (event) => {
      const box = canvas.getBoundingClientRect();
      this.mouth[0].value = Math.round((event.clientX - box.left) * canvas.width / box.width);
      this.mouth[1].value = Math.round((event.clientY - box.top) * canvas.height / box.height);
      draw();
    } });
    let picture;
    const draw = () => {
      const [x, y, width] = this.mouth.map((one) => Number(one.value));
      const pen = canvas.getContext("2d");
      pen.drawImage(picture, 0, 0);
      Object.assign(pen, { strokeStyle: "#c0148c", lineWidth: Math.max(1, canvas.width / 120) });
      pen.beginPath();
      pen.ellipse(x, y, width / 2, width / 4, 0, 0, 2 * Math.PI);
      pen.stroke();
    };
    this.mouth = [0, 0, 4].map((min) => h("input", { type: "number", min, step: 1, required: true, inputmode: "numeric", oninput: () => draw() }));
    const places = h("div", { hidden: true }, h("div", { class: "paint field" }, canvas), h("div", { class: "fields" }, ["Mouth, from the left", "From the top", "Width"].map((words, at) => field(words, this.mouth[at]))), h("p", { class: "small soft" }, "In pixels; a click on the drawing puts the mouth there."));
    this.drawing = h("input", { type: "file", accept: "image/*", onchange: async () => {
      places.hidden = !this.drawing.files.length;
      if (places.hidden) return;
      try {
        picture = await createImageBitmap(this.drawing.files[0]);
        Object.assign(canvas, { width: picture.width, height: picture.height });
        [.5 * picture.width, .69 * picture.height, .3 * picture.width].forEach((value, at) => { this.mouth[at].value = Math.round(value); });
        draw();
      } catch {
        this.drawing.value = "";
        places.hidden = true;
        say("That is no picture that this browser can read");
      }
    } });
    this.consent = h("input", { type: "file", accept: ".json" });
    return h("fieldset", {}, h("legend", {}, "The face"), field("A drawing of your own", this.drawing, "Without one a drawn face that is built in"), places,
      field("Consent", this.consent, "Of a photograph: the record in which whoever it shows agreed"));
  }

  /** Say what it takes, by what the first voice took here before. */
  async estimate() {
    const [[, first]] = this.voices();
    const [lines, known] = [this.found?.lines, this.split(first)];
    if (!lines || !known) return this.cost.replaceChildren();
    const model = await describe(known[0]).catch(() => null);
    const steps = Number(state.manner.steps) || model?.options.find((one) => one.name === "steps")?.default || 1;
    const pace = model?.seconds_per_step;
    this.cost.textContent = pace ? `About ${duration(pace * steps * lines)}, and some seconds to load; nothing leaves this machine` : "How long is known after the first; nothing leaves this machine";
  }

  /** Names and voices of those who speak, the narrator first where there is something for one. */
  voices() {
    const { has_narrator: narrates = true, names = [] } = this.found ?? {};
    const named = names.filter((name) => !isNarrator(name)).map((name) => [name, state.voices.get(name)]).filter(([, voice]) => voice);
    return [...(narrates || !named.length || names.some(isNarrator) ? [[NARRATOR, state.voices.get(NARRATOR)]] : []), ...named];
  }

  async make() {
    if (this.isAsking || isWrong(this.element)) return;
    if (!state.script.trim()) return say("Write a script first, or open a document");
    this.isAsking = true;
    await this.look();
    const { script, form: as, manner } = state;
    const [drawing, consent] = as === "wav" ? [] : [this.drawing.files[0], this.consent.files[0]];
    const said = { script, voices: JSON.stringify(Object.fromEntries(this.voices())), form: as, seed: this.seeds.take(), ...manner, mouth: drawing ? this.mouth.map((one) => one.value).join(",") : "", drawing, consent };
    const form = new FormData();
    for (const [name, value] of Object.entries(said)) if (value !== undefined && value !== "") form.append(name, value);
    try {
      const reading = await call(ROUTE, { form });
      note(reading.id, true);
      this.follow(reading);
    } catch (error) {
      this.list.prepend(h("li", {}, problem(error)));
    } finally {
      this.isAsking = false;
    }
  }

  /** Show how far a reading is, and what came of it. */
  async follow(reading) {
    const path = `${ROUTE}/${reading.id}`;
    const forget = () => { note(reading.id, false); return call(path, { method: "DELETE" }).catch(() => {}); };
    const ends = new AbortController();
    const [waiting, told] = waitingFor(`Progress of ${reading.title}`, "Line");
    waiting.append(h("div", { class: "under" }, h("span", {}, reading.title), button("Stop", { icon: "stop", act: async () => { ends.abort(); await forget(); say("Stopped"); this.element.querySelector(".main").focus(); } })));
    this.list.prepend(waiting);
    let shown;
    try {
      const { makar: made, form } = await madeAt(path, { signal: AbortSignal.any([this.leaving.signal, ends.signal]), told });
      if (!made.is_kept) {
        const save = async () => download(await (await request(`${path}/content`)).blob(), `reading.${form}`);
        return waiting.replaceWith(h("li", {}, problem(new Error(`It is not in the gallery: ${made.not_kept}`)), button("Save", { icon: "down", act: save })));
      }
      const asset = kept({ ...made, model: reading.model, prompt: reading.title });
      shown = card(asset, { more: h("div", { class: "row tight" }, button("Manifest and novelty", { kind: "plain", act: () => details(asset.id) })) });
      shown.append(chapters(made.chapters, shown.querySelector("audio, video")));
      say(`Made: ${reading.title}`);
    } catch (error) {
      // Whoever has left the page finds it again; one that was stopped, here or elsewhere, is there no more.
      if (error.name === "AbortError" || error.status === 404) return waiting.remove();
      shown = h("li", {}, problem(error));
      // One that could only not be looked at goes on.
      if (error instanceof Refused) return waiting.replaceWith(shown);
    }
    waiting.replaceWith(shown);
    // What was made is in the gallery.
    await forget();
  }
}

const clock = (seconds, point = ".") => { const rest = Math.round(1000 * seconds); return [rest / 3.6e6, rest / 6e4 % 60, rest / 1000 % 60].map((one) => String(Math.floor(one)).padStart(2, "0")).join(":") + point + String(rest % 1000).padStart(3, "0"); };
const cues = (found, point) => found.segments.map((one) => `${clock(one.start, point)} --> ${clock(one.end, point)}\n${one.text}\n\n`);
const SAVED = {
  srt: ["SRT", (found) => cues(found, ",").map((one, at) => `${at + 1}\n${one}`).join("")],
  vtt: ["WebVTT", (found) => `WEBVTT\n\n${cues(found, ".").join("")}`],
  json: ["JSON", (found) => JSON.stringify(found, null, 1)],
};

/** What is asked of such a model, as an element; transcripts go to the top of `results`. */
export class Listen {
  constructor(model, results) {
    Object.assign(this, { model, results });
    const file = h("input", { type: "file", accept: "audio/*,video/*", multiple: true, class: "unseen", tabindex: -1, "aria-label": "Recordings to write down", onchange: () => { this.hear([...file.files]); file.value = ""; } });
    this.language = model.languages.length > 0 && choice([["", "the model guesses"], ...model.languages], "");
    this.stop = button("Stop", { icon: "stop", act: () => this.stopper?.abort() });
    this.stop.hidden = true;
    this.element = h("div", { ondragover: (event) => event.preventDefault(), ondrop: (event) => { event.preventDefault(); this.hear([...event.dataTransfer.files]); } },
      h("p", { class: "small soft" }, `${model.id} writes down what is said.`), this.language && field("Language that is spoken", this.language),
      h("div", { class: "empty drop" }, h("p", {}, "Drop recordings or films here, or"), h("div", { class: "row center" }, button("Open a recording", { icon: "up", act: () => file.click() }), file, this.stop)));
  }

  leave() {
    this.stopper?.abort();
  }

  async hear(files) {
    if (this.stopper) return say("One moment: a recording is being written down");
    this.stopper = new AbortController();
    this.stop.hidden = false;
    this.results.querySelector(".empty")?.remove();
    for (const file of files) {
      const src = URL.createObjectURL(file);
      const player = file.type.startsWith("video/") ? h("video", { controls: true, ...CLIP, src, "aria-label": file.name }) : h("audio", { controls: true, src, "aria-label": file.name });
      const wait = h("p", { class: "soft", role: "status" }, "Being written down …");
      const panel = h("section", { class: "panel", "aria-label": `Transcript of ${file.name}` }, h("h2", {}, file.name), h("div", { class: "big field" }, player), wait);
      this.results.prepend(panel);
      const form = new FormData();
      const put = (name, value) => form.append(name, value);
      put("model", this.model.id);
      put("response_format", "verbose_json");
      for (const one of this.model.times_words ? ["segment", "word"] : ["segment"]) put("timestamp_granularities[]", one);
      if (this.language?.value) put("language", this.language.value);
      form.append("file", file, "recording");
      try {
        wait.replaceWith(transcript(await call("/v1/audio/transcriptions", { form, signal: this.stopper.signal }), player, file.name));
        say("Written down");
      } catch (error) {
        wait.replaceWith(error.name === "AbortError" ? h("p", {}, "Stopped") : problem(error));
        if (error.name === "AbortError") break;
      }
    }
    this.stopper = null;
    this.stop.hidden = true;
  }
}

function transcript(found, player, name) {
  if (!found.segments.length) return h("p", { class: "soft" }, "Nothing is said in it, as far as this model hears.");
  const saved = (form) => button(SAVED[form][0], { icon: "down", act: () => download(new Blob([SAVED[form][1](found)]), `${name}.${form}`) });
  return h("div", {}, found.language !== "unknown" && h("p", { class: "small soft" }, `Language: ${found.language}`), places(found.segments.map((one) => [one.start, one.end, one.text]), player),
    h("div", { class: "row" }, button("Copy", { icon: "copy", act: () => copy(found.text, "The text") }), Object.keys(SAVED).map(saved)));
}
