// Knowledge: collections of documents, questions put to them, and each citation shown where it stands.

import { h, ask as askFirst, button, choice, field, number, problem, say, size } from "./dom.js";
import { call, models } from "./api.js";
import { bring, dropped } from "./bring.js";
import { cited, reviewed } from "./cited.js";

const state = { collection: null, question: "", model: "", review: false, encoder: "", change: false };

class Knowledge extends HTMLElement {
  async connectedCallback() {
    if (this.place.rest[0]) state.collection = this.place.rest[0];
    this.ends = new AbortController();
    this.side = h("div", { class: "panel" }, h("p", { class: "soft" }, "One moment …"));
    this.main = h("div", {});
    this.replaceChildren(h("h1", {}, "Knowledge"), h("p", { class: "lead" }, "Answers out of your documents. Every sentence says where it stands; what the documents do not say is not made up."), h("div", { class: "split" }, this.side, this.main));
    try {
      this.models = await models();
      await this.load();
    } catch (error) {
      this.side.replaceChildren(problem(error));
    }
  }

  disconnectedCallback() {
    this.ends.abort();
  }

  async load() {
    this.all = (await call("/makar/v1/collections")).data;
    if (!this.all.some((one) => one.id === state.collection)) state.collection = this.all[0]?.id ?? null;
    this.collections();
    this.asking();
  }

  collections() {
    const told = h("div", { role: "status", class: "small" });
    const name = h("input", { type: "text", value: state.collection ?? "", placeholder: "handbook", pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]*", maxlength: 64 });
    const encoder = choice([["", "words alone"], ...this.models.filter((one) => one.medium === "text").map((one) => [one.id, one.id])], state.encoder, (value) => { state.encoder = value; });
    const change = h("label", { class: "check" }, h("input", { type: "checkbox", checked: state.change, onchange: (event) => { state.change = event.target.checked; } }), "In the place of another one, with all vectors anew");
    const add = async (source) => {
      told.replaceChildren("Reading …");
      const json = { source, ...(state.encoder ? { encoder: state.encoder, change_encoder: state.change } : {}) };
      const rows = await call(`/makar/v1/collections/${encodeURIComponent(name.value)}`, { json, signal: this.ends.signal });
      const [row] = rows;
      state.collection = name.value;
      await this.load();
      const skipped = row.skipped.slice(0, 5).map(([file, why]) => h("li", {}, `${file}: ${why}`));
      this.side.querySelector("[role=status]").replaceChildren(`${number(row.added)} new, ${number(row.changed)} changed, ${number(row.unchanged)} unchanged, ${number(row.removed)} gone`, skipped.length ? h("ul", {}, skipped) : "");
    };
    let isBusy = false;
    const guarded = (act) => async (...given) => {
      if (isBusy) return say("Documents are being read already");
      if (!name.value || !name.checkValidity()) { name.focus(); return say("Give the collection a name first: letters, digits, - and _"); }
      isBusy = true;
      try { await act(...given); } catch (error) { if (error.name !== "AbortError") told.replaceChildren(problem(error)); }
      isBusy = false;
    };
    const take = guarded(async (files) => {
      if (!files.length) return;
      const folder = await bring(files, name.value, (done) => { told.textContent = `Bringing ${done} of ${files.length} files`; }, { collection: name.value });
      await add(folder.id);
    });
    const input = h("input", { type: "file", multiple: true, class: "unseen", tabindex: -1, "aria-label": "Documents", onchange: () => take([...input.files].map((file) => [file.name, file])) });
    const path = h("input", { type: "text", placeholder: "builtin:python-docs", spellcheck: "false" });
    const drop = h("div", { class: "empty drop", ondragover: (event) => { event.preventDefault(); drop.classList.add("over"); }, ondragleave: () => drop.classList.remove("over"), ondrop: async (event) => { event.preventDefault(); drop.classList.remove("over"); take((await dropped(event.dataTransfer))[1]); } }, h("p", {}, "Drop documents here"), button("Choose files", { act: () => input.click() }), input);
    const entry = (one) => h("li", { class: "row spread" }, button(one.id, { kind: "plain", "aria-pressed": one.id === state.collection, act: () => { state.collection = one.id; this.collections(); this.asking(); } }), h("span", { class: "small soft" }, one.documents === null ? "cannot be read" : `${number(one.documents)} ${one.documents === 1 ? "document" : "documents"}, ${size(one.bytes)}`),
      button("", { icon: "trash", kind: "plain", title: `Delete ${one.id}`, act: async () => {
        if (!(await askFirst(`Delete ${one.id}? The documents themselves stay.`, "Delete"))) return;
        await call(`/makar/v1/collections/${encodeURIComponent(one.id)}`, { method: "DELETE" });
        this.load();
      } }));
    this.side.replaceChildren(h("h2", {}, "Collections"), this.all.length ? h("ul", { class: "plain" }, this.all.map(entry)) : h("p", { class: "soft" }, "None yet."),
      h("h3", {}, "Add documents"), field("To", name, "A new name makes a new collection"), drop,
      h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); if (path.value) guarded(add)(path.value); } }, h("div", { class: "grow" }, field("Or a path", path)), button("Add", { type: "submit" })),
      h("details", {}, h("summary", {}, "Found by meaning too"), h("div", {}, field("Encoder", encoder, "A model that makes vectors; kept from then on"), change)), told);
  }

  asking() {
    if (!state.collection) return this.main.replaceChildren(h("div", { class: "empty" }, h("h2", {}, "No documents yet"), h("p", {}, "Texts, Markdown, HTML, code, tables, PDF and office files can be added.")));
    const input = h("textarea", { rows: 2, value: state.question, placeholder: "What do you want to know?", oninput: () => { state.question = input.value; }, onkeydown: (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.ask(); } } });
    const writers = this.models.filter((one) => one.medium === "text").map((one) => [one.id, one.id]);
    const by = choice([["", "the documents' own sentences"], ...writers], state.model, (value) => { state.model = value; });
    const review = h("label", { class: "check" }, h("input", { type: "checkbox", checked: state.review, onchange: (event) => { state.review = event.target.checked; } }), "A review: what agrees, what contradicts, what is missing");
    this.go = button("Ask", { kind: "main", icon: "search", act: () => this.ask() });
    this.answers = h("div", { "aria-live": "polite" });
    this.main.replaceChildren(h("form", { class: "panel", onsubmit: (event) => { event.preventDefault(); this.ask(); } }, field(`Ask ${state.collection}`, input), h("div", { class: "row" }, h("div", {}, field("Answered by", by)), review), this.go), this.answers);
  }

  async ask() {
    // Another collection may be chosen, and asked, before the answer is there.
    const { go, answers } = this, { collection } = state;
    if (!state.question.trim() || go.disabled) return;
    go.disabled = true;
    answers.replaceChildren(h("p", { class: "soft" }, "Looking …"));
    const json = { question: state.question, synthesise: state.review, ...(state.model && !state.review ? { model: state.model } : {}) };
    try {
      const found = await call(`/makar/v1/collections/${encodeURIComponent(collection)}/ask`, { json, signal: this.ends.signal });
      answers.replaceChildren(found.sentences ? cited(found, collection) : reviewed(found, collection));
    } catch (error) {
      if (error.name !== "AbortError") answers.replaceChildren(problem(error));
    }
    go.disabled = false;
  }
}

customElements.define("makar-knowledge", Knowledge);
