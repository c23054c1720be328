// Create, with a model that listens: recordings written down, with the times of what is said.

import { h, button, choice, copy, download, field, problem, say } from "./dom.js";
import { call } from "./api.js";
import { CLIP, places } from "./asset.js";

const clock = (seconds, point = ".") => { const rest = Math.round(1000 * seconds); return [rest / 3.6e6, rest / 6e4 % 60, rest / 1000 % 60].map((one) => String(Math.floor(one)).padStart(2, "0")).join(":") + point + String(rest % 1000).padStart(3, "0"); };
const cues = (found, point) => found.segments.map((one) => `${clock(one.start, point)} --> ${clock(one.end, point)}\n${one.text}\n\n`);
const FORMS = {
  txt: ["Text", (found) => `${found.text}\n`],
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
  const saved = (form) => button(FORMS[form][0], { icon: "down", act: () => download(new Blob([FORMS[form][1](found)]), `${name}.${form}`) });
  return h("div", {}, found.language !== "unknown" && h("p", { class: "small soft" }, `Language: ${found.language}`), places(found.segments.map((one) => [one.start, one.end, one.text]), player),
    h("div", { class: "row" }, button("Copy", { icon: "copy", act: () => copy(found.text, "The text") }), Object.keys(FORMS).map(saved)));
}
