// Arena: two answers side by side whose makers are not known; which is better, or neither; a ranking that says when nothing is decided.

import { h, button, choice, field, isWrong, number, problem, say, table } from "./dom.js";
import { bytesOf, call, models } from "./api.js";
import { bigClip } from "./asset.js";
import { isServed, noModels } from "./form.js";
import { piece } from "./piece.js";
import { promotion } from "./promote.js";
import { rater, raterForm, wantRater } from "./rate.js";
import { structure } from "./structure.js";

const state = { medium: null, models: new Set(), prompts: "", rounds: 10 };
const KEYS = { 1: "left", 2: "tie", 3: "right", ArrowLeft: "left", ArrowDown: "tie", ArrowRight: "right" };
const WRITTEN = "input, textarea, select";
/** Where arrows have a meaning of their own: what is written, played, turned or scrolled. */
const TURNED = `${WRITTEN}, summary, audio, video, canvas, pre, [role=tab]`;

class Arena extends HTMLElement {
  connectedCallback() {
    this.ends = new AbortController();
    this.replaceChildren(h("h1", {}, "Arena"), h("p", { class: "soft" }, "One moment …"));
    const [session] = this.place.rest;
    (session ? this.judging(session) : this.begin()).catch((error) => { if (error.name !== "AbortError") this.replaceChildren(h("h1", {}, "Arena"), problem(error)); });
  }

  disconnectedCallback() {
    this.ends.abort();
  }

  async begin() {
    const found = (await models()).filter(isServed);
    if (found.length < 2) return this.replaceChildren(h("h1", {}, "Arena"), found.length ? h("div", { class: "empty" }, h("h2", {}, "One model alone has no rival"), h("p", {}, "Train another one, or an adapter of it, and compare.")) : noModels());
    const media = [...new Set(found.map((one) => (one.medium === "code" ? "text" : one.medium)))];
    state.medium = media.includes(state.medium) ? state.medium : media[0];
    const boxes = h("div", {});
    const prompts = h("textarea", { rows: 5, value: state.prompts, oninput: () => { state.prompts = prompts.value; } });
    const rounds = h("input", { type: "number", min: 1, max: 1000, required: true, value: state.rounds, oninput: () => { state.rounds = Number(rounds.value); } });
    const status = h("div", { role: "status" });
    const draw = () => {
      const fitting = found.filter((one) => (one.medium === "code" ? "text" : one.medium) === state.medium);
      boxes.replaceChildren(...fitting.map((one) => h("label", { class: "check" }, h("input", { type: "checkbox", value: one.id, checked: state.models.has(one.id), onchange: (event) => { if (event.target.checked) state.models.add(one.id); else state.models.delete(one.id); } }), one.id)));
      this.ranking(state.medium);
    };
    const medium = choice(media, state.medium, (value) => { state.medium = value; state.models.clear(); draw(); });
    const start = async () => {
      if (isWrong(this)) return;
      if (state.models.size < 2) return say("Choose two or more models");
      if (!(await wantRater())) return;
      status.textContent = "Beginning …";
      try {
        const asked = state.prompts.split("\n").map((line) => line.trim()).filter(Boolean);
        const session = await call("/makar/v1/feedback/sessions", { json: { models: [...state.models], prompts: asked, rounds: state.rounds, seed: crypto.getRandomValues(new Uint16Array(1))[0] } });
        location.hash = `#/arena/${session.id}`;
      } catch (error) {
        status.replaceChildren(problem(error));
      }
    };
    this.board = h("div", {});
    const sessions = (await call("/makar/v1/feedback/sessions?limit=20")).data;
    this.replaceChildren(h("h1", {}, "Arena"), h("p", { class: "lead" }, "Which answer is better? You see two at a time and do not know whose they are; sides are shuffled. The ranking says what is decided and what is not."),
      h("div", { class: "split" }, h("section", { class: "panel", "aria-label": "A new comparison" }, h("h2", {}, "A new comparison"), field("Medium", medium), h("fieldset", {}, h("legend", {}, "Models"), boxes), field("Prompts, one a line", prompts, "None lets each make what it likes"), field("Answers to each prompt", rounds), raterForm(), button("Begin", { icon: "play", kind: "main", act: start }), status,
        sessions.length > 0 && h("details", {}, h("summary", {}, "Earlier ones"), h("ul", { class: "plain" }, sessions.map((one) => h("li", {}, h("a", { href: `#/arena/${one.id}` }, one.models.join(" against ")), h("span", { class: "small soft" }, ` ${one.judged} of ${one.units} judged`)))))), h("div", {}, this.board)));
    draw();
  }

  async ranking(medium, session) {
    const words = new URLSearchParams({ ...(medium ? { medium } : {}), ...(session ? { session } : {}) });
    try {
      this.board.replaceChildren(...board(await call(`/makar/v1/feedback/ranking?${words}`, { signal: this.ends.signal })));
    } catch (error) {
      if (error.name !== "AbortError") this.board.replaceChildren(problem(error));
    }
  }

  async judging(name) {
    const session = await call(`/makar/v1/feedback/sessions/${encodeURIComponent(name)}`);
    const who = await wantRater();
    this.stage = h("div", { class: "stage" });
    this.board = h("div", {});
    this.done = h("p", { class: "small soft", role: "status" });
    this.replaceChildren(h("p", {}, h("a", { href: "#/arena" }, "All comparisons")), h("h1", {}, "Which is better?"), this.done, this.stage, h("details", { ontoggle: (event) => event.target.open && this.ranking(null, name) }, h("summary", {}, "The ranking so far"), this.board));
    if (!who) return this.stage.replaceChildren(h("p", {}, "Somebody has to say who judges. ", button("Say it", { act: () => this.connectedCallback() })));
    addEventListener("keydown", (event) => {
      const said = KEYS[event.key];
      const others = event.key.startsWith("Arrow") ? TURNED : WRITTEN;
      if (!said || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.target.closest?.(others) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      this.verdict?.(said);
    }, { signal: this.ends.signal });
    await this.next(session);
  }

  /** Show the next pair, after what comes before it; what fails is said in its place, with a way on. */
  async next(session, before) {
    this.verdict = null;
    try {
      await before?.();
      await this.pair(session);
    } catch (error) {
      if (error.name !== "AbortError") this.stage.replaceChildren(problem(error), button("Go on", { act: () => this.next(session) }));
    }
  }

  async pair(session) {
    this.stage.replaceChildren(h("p", { class: "soft", role: "status" }, "Two answers are being made …"));
    const pair = await call(`/makar/v1/feedback/sessions/${session.id}/pairs`, { json: { rater: rater().name }, signal: this.ends.signal });
    if (!pair.pair) {
      this.stage.replaceChildren(h("div", { class: "empty" }, h("h2", {}, "You have seen everything"), h("p", {}, h("a", { href: "#/arena" }, "See the ranking"))));
      return;
    }
    this.done.textContent = `${pair.judged ?? session.judged} judged; keys: 1 or left arrow, 2 or down for even, 3 or right arrow`;
    const side = (answer, words) => h("section", { class: "panel answer-side", "aria-label": words }, h("h2", {}, words), answer.png ? shown(answer.png, words) : answer.file ? heard(answer, words) : session.medium === "structure" ? h("div", { class: "big" }, structure({ words, text: answer.text })) : h("pre", { tabindex: 0 }, answer.text));
    const says = (said, words, kind) => button(words, { kind, act: () => this.verdict?.(said) });
    const row = h("div", { class: "row center verdict" }, says("left", "Left is better", "main"), says("tie", "Even", ""), says("right", "Right is better", "main"));
    this.stage.replaceChildren(pair.prompt ? h("p", { class: "asked" }, pair.prompt) : "", h("div", { class: "two" }, side(pair.left, "Left"), side(pair.right, "Right")), row);
    row.firstChild.focus();
    this.verdict = (said) => this.next(session, async () => {
      // What was judged is gone at once: a second key must not fall on the same pair, nor on one that nobody saw yet.
      this.stage.replaceChildren(h("p", { class: "soft", role: "status" }, "One moment …"));
      const kept = await call(`/makar/v1/feedback/pairs/${pair.pair}`, { json: { said, consent: rater().consent } });
      const names = kept.items.map((item) => item.model);
      say(`Left was ${names[0]}, right was ${names[1]}`);
      session.judged++;
    });
  }
}

function shown(png, words) {
  const address = URL.createObjectURL(new Blob([bytesOf(png)], { type: "image/png" }));
  const image = h("img", { src: address, alt: `${words} answer`, onload: () => { image.classList.toggle("pixels", image.naturalWidth < 300); URL.revokeObjectURL(address); } });
  return h("div", { class: "big" }, image);
}

function heard({ file, type }, words) {
  const whole = new Blob([bytesOf(file)], { type });
  if (type === "audio/midi") return h("div", { class: "big" }, piece({ words: `${words} answer`, file: whole }));
  if (!type.startsWith("audio/")) return bigClip(whole, `${words} answer`);
  return h("audio", { controls: true, src: URL.createObjectURL(whole), "aria-label": `${words} answer` });
}

/** A ranking, and of every two models whether anything is decided. */
export function board(found) {
  if (!found.models.length) return [h("div", { class: "empty" }, h("h2", {}, "Nobody was compared yet"), h("p", {}, "The ranking appears with the first judgements."))];
  const range = (one) => `${number(one.low)} to ${number(one.high)}`;
  const percent = (value) => `${Math.round(100 * value)} %`;
  const duel = (one) => h("li", {}, h("strong", {}, one.better), " against ", h("strong", {}, one.worse), ": ", h("span", { class: `tag ${one.verdict === "decided" ? "good" : "gold"}` }, one.verdict), h("span", { class: "small soft" }, ` preferred in ${percent(one.win_rate.value)} (${percent(one.win_rate.low)} to ${percent(one.win_rate.high)}), ${one.comparisons} comparisons`),
    one.verdict === "decided" && promotion(one.better, one.worse));
  const agreements = Object.entries(found.agreement ?? {}).filter(([, one]) => one.alpha);
  return [h("section", { class: "panel", "aria-label": "Ranking" }, h("h2", {}, "Ranking"), table(["model", "strength", "between", "won", "even", "lost"], found.models.map((one) => [one.model, one.strength.value, range(one.strength), one.wins, one.ties, one.losses]), "Strengths"),
    h("ul", { class: "plain" }, found.pairs.map(duel)), h("p", { class: "small soft" }, `${number(found.comparisons)} comparisons by ${number(found.raters ?? 0)} ${found.raters === 1 ? "person" : "people"}`, agreements.map(([name, one]) => `; agreement on ${name} ${number(one.alpha.value)} (${number(one.alpha.low)} to ${number(one.alpha.high)})`)))];
}

customElements.define("makar-arena", Arena);
