// Gallery: everything that was made and kept here; filters; a file that was made gives its settings back.

import { h, button, choice, field, problem, say } from "./dom.js";
import { call } from "./api.js";
import { card, foreign, isJudged } from "./asset.js";
import { manifestOf } from "./manifest.js";
import { rater, thumbs, wantRater } from "./rate.js";

const wanted = { text: "", model: "", medium: "", kind: "", run: "", rating: "", for_rater: "" };
const RATINGS = [["", "all"], ["good", "found good"], ["poor", "found poor"], ["unrated", "not rated"]];
const ME = " ";
const KINDS = { create: "made from nothing", edit: "edited", chat: "said in a chat" };

class Gallery extends HTMLElement {
  connectedCallback() {
    // An order that cannot be had, because nothing was said yet, is not kept for the next visit.
    wanted.for_rater = "";
    for (const [name, value] of this.place.words) if (name in wanted) wanted[name] = value;
    this.list = h("ul", { class: "grid" });
    this.filters = h("div", { class: "row" });
    this.count = h("p", { class: "small soft", role: "status" });
    this.more = button("Show more", { act: () => this.load() });
    this.more.hidden = true;
    const file = h("input", { type: "file", multiple: true, class: "unseen", tabindex: -1, "aria-label": "Files that were made", onchange: () => this.read(file.files) });
    this.replaceChildren(h("div", { class: "row spread" }, h("h1", {}, "Gallery"), button("Open a file", { icon: "up", act: () => file.click() }), file),
      h("p", { class: "lead" }, "Everything made here, by this server and in the shell of its machine. Drop a file that Makar made anywhere on this page: its manifest gives all settings back."),
      this.filters, this.count, this.list, this.more);
    this.listeners = new AbortController();
    const on = (name, act) => addEventListener(name, act, { signal: this.listeners.signal });
    on("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
    on("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
    on("drop", (event) => { event.preventDefault(); document.body.classList.remove("dropping"); this.read(event.dataTransfer.files); });
    this.load({ afresh: true });
  }

  disconnectedCallback() {
    this.listeners.abort();
    document.body.classList.remove("dropping");
  }

  async read(files) {
    const given = [...files];
    const pictures = given.filter((file) => !file.name.endsWith(".makar.json"));
    for (const file of pictures.length ? pictures : given) {
      const sidecar = given.find((one) => one.name === `${file.name}.makar.json`);
      const signed = await manifestOf(sidecar ?? file);
      if (signed) foreign(signed, file, sidecar);
      else say(`${file.name} carries no manifest of Makar; of a text, open the .makar.json beside it too`);
    }
  }

  async load({ afresh = false } = {}) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const words = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
    if (afresh) this.ids = new Set();
    if (this.ids.size) words.set("before", [...this.ids].at(-1));
    try {
      const found = await call(`/makar/v1/assets?${words}`);
      if (turn !== this.turn) return;
      if (afresh) {
        this.list.replaceChildren();
        if (!this.filters.childElementCount) this.show(found.filters);
      }
      this.list.append(...found.data.map((asset) => card(asset, { gone: () => this.ids.delete(asset.id), more: isJudged(asset) && h("div", { class: "rated" }, thumbs(asset.id)) })));
      found.data.forEach((asset) => this.ids.add(asset.id));
      this.more.hidden = !found.has_more;
      const count = this.list.childElementCount;
      this.count.textContent = count ? `${count}${found.has_more ? " and more" : ""}` : Object.values(wanted).some(Boolean) ? "Nothing fits these filters." : "Nothing was made yet.";
    } catch (error) {
      if (turn !== this.turn) return;
      if (afresh) this.list.replaceChildren(h("li", {}, problem(error)));
      else say(error.message);
    }
  }

  show(found) {
    let waiting;
    const search = h("input", { type: "search", value: wanted.text, placeholder: "words of the prompt or the text", oninput: () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { wanted.text = search.value; this.load({ afresh: true }); }, 250);
    } });
    const by = (name, words, shown = (value) => value) => found[name].length > 0 && h("div", {}, field(words, choice([["", "all"], ...found[name].map((value) => [value, shown(value)])], wanted[name], (value) => { wanted[name] = value; this.load({ afresh: true }); })));
    const order = choice([["", "newest first"], [ME, "what I like"], ["all", "what all like"]], wanted.for_rater && wanted.for_rater === rater()?.name ? ME : wanted.for_rater, async (value) => {
      wanted.for_rater = value === ME ? (await wantRater())?.name ?? "" : value;
      if (!wanted.for_rater) order.value = "";
      this.load({ afresh: true });
    });
    this.filters.append(...[h("div", { class: "grow" }, field("Search", search)), by("model", "Model"), by("medium", "Medium"), by("kind", "How", (value) => KINDS[value] ?? value), by("run", "Training"),
      field("Rating", choice(RATINGS, wanted.rating, (value) => { wanted.rating = value; this.load({ afresh: true }); })),
      field("Order", order)].filter(Boolean));
  }
}

customElements.define("makar-gallery", Gallery);
