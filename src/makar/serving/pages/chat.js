// Chat: answers as they are written, stop, branches, a system prompt, tools, voice, answers edited by hand. Conversations stay in this browser.

import { h, ask, button, choice, field, isWrong, problem, say } from "./dom.js";
import { call, describe, events } from "./api.js";
import { anySeed, controls, modelChoice, noModels } from "./form.js";
import { details } from "./asset.js";
import { cited } from "./cited.js";
import { markdown } from "./markdown.js";
import { judge, thumbs } from "./rate.js";
import { asked as askedTools, called, messageOf, results, toolBox } from "./tools.js";
import { voice } from "./voice.js";

const STORE = "makar-chats";
const MOST = 40;
const QUOTED = "quoted:";
const TEMPLATES = [["", "none"], ["You answer in one sentence.", "short"], ["You are a patient teacher. Explain step by step, with an example.", "teacher"], ["You write in the style of a poet.", "poet"], ["You review code: name mistakes, then show the corrected code.", "reviewer"]];

/** An id that no other conversation has; `crypto.randomUUID` is missing where a page comes over http from another machine. */
const freshId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
const fresh = () => ({ id: freshId(), title: "New conversation", system: "", model: null, root: { children: [], chosen: 0 } });

function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(STORE) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

/** The branch that is shown: from the first message on, always the child that was chosen. */
function path(talk) {
  const found = [];
  for (let node = talk.root; node.children.length;) {
    const next = node.children[node.chosen] ?? node.children.at(-1);
    found.push([next, node]);
    node = next;
  }
  return found;
}

class Chat extends HTMLElement {
  async connectedCallback() {
    this.talks = stored();
    this.talk = this.talks[0] ?? fresh();
    this.settings = {};
    this.replaceChildren(h("h1", {}, "Chat"), h("p", { class: "soft" }, "Looking for models …"));
    try {
      const chosen = await modelChoice(this.place.words.get("model") ?? this.talk.model, (name) => this.use(name), { fits: (one) => one.medium === "text" || one.medium === "code" });
      if (!chosen.name) return this.replaceChildren(h("h1", {}, "Chat"), noModels());
      this.voice = await voice((text) => { this.input.value = `${this.input.value} ${text}`.trim(); this.input.focus(); });
      this.collections = (await call("/makar/v1/collections")).data.map((one) => one.id);
      this.build(chosen);
      await this.use(chosen.name);
    } catch (error) {
      this.replaceChildren(h("h1", {}, "Chat"), problem(error));
    }
  }

  disconnectedCallback() {
    this.stopper?.abort();
    this.voice?.leave();
  }

  build(chosen) {
    this.picker = h("div", {});
    this.options = h("div", {});
    this.system = h("textarea", { rows: 3, value: this.talk.system, oninput: () => { this.talk.system = this.system.value; this.keep(); } });
    const template = choice(TEMPLATES, "", (value) => { this.system.value = value; this.talk.system = value; this.keep(); });
    const system = h("details", { open: Boolean(this.talk.system) }, h("summary", {}, "System prompt"), h("div", {}, field("What the model is told before", this.system), field("Take one of these", template)));
    this.documents = h("div", {});
    this.tools = h("div", {});
    this.log = h("div", { class: "log", role: "log", "aria-label": "Conversation", tabindex: 0 });
    this.input = h("textarea", { rows: 2, placeholder: "Say something", "aria-label": "Message", onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.send(); }
    } });
    this.go = button("Send", { icon: "send", kind: "main", act: () => this.send() });
    this.stop = button("Stop", { icon: "stop", act: () => this.stopper?.abort() });
    this.stop.hidden = true;
    this.replaceChildren(h("div", { class: "row spread" }, h("h1", {}, "Chat"), h("div", { class: "row" }, this.picker, button("New", { icon: "plus", act: () => this.change(fresh()) }))),
      h("div", { class: "split" }, h("div", { class: "panel" }, chosen.element, this.documents, system, this.tools, this.options, this.voice.settings, h("p", { class: "small soft" }, "Conversations stay in this browser; answers are kept in the gallery of this machine.")),
        h("section", { class: "talk", "aria-label": "Conversation" }, this.log, h("form", { class: "say", onsubmit: (event) => { event.preventDefault(); this.send(); } }, this.input, h("div", { class: "row" }, this.go, this.stop, this.voice.microphone, h("span", { class: "small soft" }, "Enter sends, Shift and Enter begins a line"))))));
    this.pick();
    this.draw();
  }

  async use(name) {
    this.talk.model = this.wanted = name;
    this.model = null;
    this.options.replaceChildren(h("p", { class: "soft", role: "status" }, `Loading ${name} …`));
    try {
      const found = await describe(name);
      // Another one may have been chosen while it was loaded.
      if (this.wanted !== name) return;
      this.model = found;
      this.form = controls(this.model, this.settings, () => {}, { leaves: new Set(["syntax"]) });
      this.options.replaceChildren(...(this.model.reads ? [h("p", {}, `${name} reads texts and writes none.`)] : [h("details", {}, h("summary", {}, "Controls"), this.form)]));
    } catch (error) {
      if (this.wanted === name) this.options.replaceChildren(problem(error));
    }
  }

  pick() {
    const all = [this.talk, ...this.talks.filter((talk) => talk.id !== this.talk.id)];
    const list = choice(all.map((talk) => [talk.id, talk.title]), this.talk.id, (id) => this.change([...stored(), ...all].find((talk) => talk.id === id)));
    list.setAttribute("aria-label", "Conversations");
    this.picker.replaceChildren(list, button("", { icon: "trash", title: "Delete this conversation", act: async () => {
      if (!(await ask("Delete this conversation for good?", "Delete"))) return;
      this.talks = stored().filter((talk) => talk.id !== this.talk.id);
      localStorage.setItem(STORE, JSON.stringify(this.talks));
      this.change(this.talks[0] ?? fresh());
    } }));
    this.picker.className = "row picker";
    if (!this.collections.includes(this.talk.collection?.replace(QUOTED, ""))) this.talk.collection = "";
    this.tools.replaceChildren(toolBox(this.talk, () => this.keep()));
    const from = choice([["", "the model alone"], ...this.collections.flatMap((name) => [[name, `${name}, told by the model`], [`${QUOTED}${name}`, `${name}, word for word`]])], this.talk.collection ?? "", (name) => { this.talk.collection = name; this.keep(); });
    this.documents.replaceChildren(...(this.collections.length ? [field("Answers come from", from, "Out of documents every sentence says where it stands. Each question stands alone: the system prompt, controls and earlier turns are not told")] : []));
  }

  change(talk) {
    this.stopper?.abort();
    this.voice.quiet();
    this.talk = talk;
    this.talk.model ??= this.model?.id;
    this.system.value = talk.system;
    this.pick();
    this.draw();
    this.input.focus();
  }

  /** Keep a conversation beside those that other tabs have kept meanwhile. */
  keep(talk = this.talk) {
    this.talks = [talk, ...stored().filter((one) => one.id !== talk.id)].slice(0, MOST);
    try {
      localStorage.setItem(STORE, JSON.stringify(this.talks));
    } catch {
      say("This browser has no room for more conversations; delete some");
    }
  }

  draw() {
    const shown = path(this.talk);
    this.log.replaceChildren(...(shown.length ? shown.map(([node, parent]) => this.message(node, parent)) : [h("p", { class: "soft center" }, "Say something, or choose another model on the left.")]));
    this.log.scrollTop = this.log.scrollHeight;
  }

  message(node, parent) {
    const isUser = node.role === "user";
    const place = parent.children.indexOf(node);
    const turn = (step) => { parent.chosen = place + step; this.keep(); this.draw(); };
    const siblings = parent.children.length > 1 && h("span", { class: "row tight" }, button("", { icon: "left", kind: "plain", title: "Branch before", disabled: place === 0, act: () => turn(-1) }), h("span", { class: "small soft" }, `${place + 1} of ${parent.children.length}`), button("", { icon: "right", kind: "plain", title: "Branch after", disabled: place === parent.children.length - 1, act: () => turn(1) }));
    const body = h("div", { class: "said" }, isUser || node.role === "tool" ? node.text : node.calls ? called(node.calls) : node.found && !node.edited ? cited(node.found, node.collection, { opens: false }) : markdown(node.text, { level: 3 }));
    const isTool = node.role === "tool";
    const isAnswer = !isUser && !isTool;
    const item = h("article", { class: `turn ${node.role}`, "aria-label": isUser ? "You" : isTool ? `Result of ${node.name}` : "Model" }, isTool && h("p", { class: "small soft" }, `Result of ${node.name}`), body);
    item.said = body;
    // While it is being written there is nothing to be done with it.
    if (node === this.live) return item;
    const edit = () => this.edit(node, parent, item);
    // A call is what the model was made to write; there is nothing to be said better in it.
    item.append(h("div", { class: "row tight under" }, siblings, !node.calls && button("", { icon: "edit", kind: "plain", title: isUser ? "Ask differently" : isTool ? "Another result" : "Edit the answer", act: edit }),
      (isAnswer || !node.children.length) && button("", { icon: "again", kind: "plain", title: isAnswer ? "Answer anew" : "Answer this", act: () => this.answer(isAnswer ? parent : node) }),
      isAnswer && node.asset && !node.edited && thumbs(node.asset),
      isAnswer && node.asset && button("", { icon: "search", kind: "plain", title: "Manifest and novelty", act: () => details(node.asset) }),
      node.edited && h("span", { class: "tag" }, "edited"), node.ended === "stopped" && h("span", { class: "tag gold" }, "stopped")));
    if (node.calls && !node.children.length) item.append(results(node.calls, (texts) => this.give(node, texts)));
    return item;
  }

  edit(node, parent, item) {
    const input = h("textarea", { rows: 4, value: node.text, "aria-label": "New text" });
    const save = () => {
      const isUser = node.role !== "assistant";
      if (input.value === node.text) return this.draw();
      const { call, name } = node;
      parent.children.push({ role: node.role, text: input.value, children: [], chosen: 0, edited: !isUser, before: isUser ? undefined : node.text, asset: isUser ? undefined : node.asset, ...(call ? { call, name } : {}) });
      parent.chosen = parent.children.length - 1;
      this.keep();
      this.draw();
      if (isUser) this.answer(parent.children.at(-1));
      else if (node.asset && !node.edited) this.teach(node.asset, input.value);
    };
    item.replaceChildren(input, h("div", { class: "row" }, button("Save", { kind: "main", act: save }), button("Leave it", { act: () => this.draw() })));
    input.focus();
  }

  /** Offer an answer as it should be to the table that models learn from. */
  teach(asset, text) {
    const tell = h("p", { class: "row" }, "Should models learn from your version? ", button("Keep it as feedback", { act: async () => { if (await judge("edit", [asset, { text }], null)) tell.remove(); } }), button("No", { act: () => tell.remove() }));
    this.log.append(tell);
    this.log.scrollTop = this.log.scrollHeight;
  }

  /** Give the model what came of its calls, one message a call. */
  give(node, texts) {
    if (this.stopper) return;
    let last = node;
    for (const [place, text] of texts.entries()) {
      const { id, function: { name } } = node.calls[place];
      last.children.push({ role: "tool", call: id, name, text, children: [], chosen: 0 });
      last = last.children.at(-1);
    }
    this.keep();
    this.answer(last);
  }

  send() {
    const text = this.input.value.trim();
    if (!text || this.stopper || !this.isReady()) return;
    const last = path(this.talk).at(-1)?.[0] ?? this.talk.root;
    if (last.calls) {
      say("The model waits for the result of its call");
      return this.log.querySelector(".results textarea")?.focus();
    }
    last.children.push({ role: "user", text, children: [], chosen: 0 });
    last.chosen = last.children.length - 1;
    if (this.talk.title === "New conversation") this.talk.title = text.slice(0, 48);
    this.input.value = "";
    this.keep();
    this.pick();
    this.answer(last.children.at(-1));
  }

  /** Whether there is a model that answers; where there is none, that is said. */
  isReady() {
    const { model } = this;
    if (!model) say("There is no model yet that could answer");
    else if (model.reads) say(`${model.id} reads texts and writes none`);
    return model && !model.reads && !isWrong(this);
  }

  /** Let the model answer a message; a second answer is a branch. */
  async answer(asked) {
    if (this.stopper) return say("One answer at a time");
    if (!this.isReady()) return;
    const { talk } = this;
    const made = { role: "assistant", text: "", children: [], chosen: 0 };
    asked.children.push(made);
    asked.chosen = asked.children.length - 1;
    const messages = path(this.talk).map(([node]) => node).filter((node) => node !== made).map(messageOf);
    if (this.talk.system.trim()) messages.unshift({ role: "system", content: this.talk.system });
    this.live = made;
    this.draw();
    const shown = this.log.lastElementChild;
    const live = h("div", { class: "said writing" });
    shown.said.replaceWith(live);
    this.stopper = new AbortController();
    this.stop.hidden = false;
    this.go.disabled = true;
    this.voice.quiet();
    const { max_tokens: most, ...others } = this.form.read();
    const collection = this.talk.collection?.replace(QUOTED, "");
    const json = { model: this.model.id, messages, stream: true, store: true, seed: anySeed(), controls: others, ...(most ? { max_tokens: most } : {}), ...askedTools(this.talk, { isResult: asked.role === "tool" }) };
    try {
      if (collection) {
        const question = { question: asked.text, ...(this.talk.collection.startsWith(QUOTED) ? {} : { model: this.model.id }) };
        const found = await call(`/makar/v1/collections/${encodeURIComponent(collection)}/ask`, { json: question, signal: this.stopper.signal });
        Object.assign(made, { text: found.text, found, collection });
      } else for await (const event of events("/v1/chat/completions", { json, signal: this.stopper.signal })) {
        const [piece] = event.choices;
        if (piece?.delta.content) {
          made.text += piece.delta.content;
          live.append(piece.delta.content);
          if (this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 120) this.log.scrollTop = this.log.scrollHeight;
        }
        if (piece?.delta.tool_calls) made.calls = piece.delta.tool_calls.map(({ index, ...call }) => call);
        if (piece?.finish_reason) Object.assign(made, { ended: piece.finish_reason, asset: event.makar?.assets?.[0]?.asset });
        if (event.makar?.left_out_turns) say(`${event.makar.left_out_turns} earlier turns did not fit into the context`);
      }
      this.voice.read(made.text);
    } catch (error) {
      if (error.name === "AbortError") made.ended = "stopped";
      else {
        asked.children.pop();
        asked.chosen = Math.max(0, asked.children.length - 1);
        say(error.message, { seconds: 12 });
      }
    } finally {
      this.stopper = this.live = null;
      this.stop.hidden = true;
      this.go.disabled = false;
      // It may have been left for another one meanwhile, or deleted.
      if (talk === this.talk || stored().some((one) => one.id === talk.id)) this.keep(talk);
      this.draw();
    }
  }
}

customElements.define("makar-chat", Chat);
