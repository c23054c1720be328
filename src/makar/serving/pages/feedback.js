// Feedback: what was said, by whom, what waits to be learned from, and a file of it.

import { h, button, choice, download, field, number, problem, say } from "./dom.js";
import { call, request } from "./api.js";
import { raterForm } from "./rate.js";

const MEDIA = ["text", "code", "image", "sound", "music", "video", "structure", "molecule", "protein"];
const wanted = { rater: "", kind: "", medium: "" };
const VALUES = { thumb: ([one]) => (one ? "good" : "poor"), stars: ([one]) => `${one} of 5`, pair: ([one, other]) => (one === other ? "even" : one < other ? "the first" : "the second"), ranking: (places) => places.join(", "), edit: () => "edited" };

class Feedback extends HTMLElement {
  async connectedCallback() {
    this.list = h("div", {}, h("p", { class: "soft" }, "One moment …"));
    this.waits = h("div", {});
    const by = (name, words, values) => field(words, choice([["", "all"], ...values.map((one) => [one, one])], wanted[name], (value) => { wanted[name] = value; this.load(); }));
    const who = h("input", { type: "search", value: wanted.rater, oninput: () => { clearTimeout(this.timer); this.timer = setTimeout(() => { wanted.rater = who.value.trim(); this.load(); }, 300); } });
    const forms = choice([["judgements", "everything"], ["preferences", "pairs to learn from"]], "judgements");
    this.replaceChildren(h("h1", {}, "Feedback"), h("p", { class: "lead" }, "Thumbs, stars, comparisons and edits, of every medium, in one table. Models learn only from what its author consents to."),
      h("div", { class: "split" }, h("section", { class: "panel", "aria-label": "You" }, raterForm(), h("h2", {}, "Ready to learn from"), this.waits, h("h2", {}, "As a file"), forms, h("div", { class: "row" }, button("Save", { icon: "down", act: async () => {
        try { download(await (await request(`/makar/v1/feedback/export?form=${forms.value}`)).blob(), `${forms.value}.jsonl`); } catch (error) { say(error.message); }
      } }))), h("section", { class: "panel", "aria-label": "What was said" }, h("div", { class: "fields" }, field("Who", who), by("kind", "Kind", Object.keys(VALUES)), by("medium", "Medium", MEDIA)), this.list)));
    forms.setAttribute("aria-label", "What the file holds");
    this.load();
    try {
      const waiting = await call("/makar/v1/feedback/waiting");
      const lines = Object.entries(waiting).map(([medium, count]) => h("li", {}, `${number(count)} of ${medium}`));
      this.waits.replaceChildren(h("ul", {}, lines), h("a", { class: "button", href: "#/train?source=feedback%3A" }, "Train on it"));
    } catch (error) {
      this.waits.replaceChildren(problem(error));
    }
  }

  async load({ after = "" } = {}) {
    const words = new URLSearchParams(Object.entries({ ...wanted, limit: "200", after }).filter(([, value]) => value));
    try {
      const found = await call(`/makar/v1/feedback?${words}`);
      const counts = Object.entries(found.counts ?? {}).map(([kind, count]) => `${count} ${kind}`).join(", ");
      const rows = found.data.map((one) => h("tr", {}, h("td", {}, new Date(one.time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })), h("td", {}, one.rater), h("td", {}, one.kind), h("td", {}, VALUES[one.kind]?.(one.value) ?? String(one.value)), h("td", {}, one.items.map((item) => item.model || "–").join(", ")), h("td", {}, one.consent ? "yes" : "no"), h("td", {}, button("", { icon: "trash", kind: "plain", title: `Take back what ${one.rater} said`, act: async () => { await call(`/makar/v1/feedback/${one.id}`, { method: "DELETE" }); this.load(); } }))));
      this.rows = after ? [...this.rows, ...rows] : rows;
      this.list.replaceChildren(h("p", { class: "small soft", role: "status" }, counts || "Nothing was said yet."), this.rows.length ? h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of what was said" }, h("table", {}, h("thead", {}, h("tr", {}, ["when", "who", "kind", "said", "of", "may be learned from", ""].map((head) => h("th", { scope: "col" }, head || h("span", { class: "unseen" }, "take back"))))), h("tbody", {}, this.rows))) : "", found.has_more ? button("Show more", { act: () => this.load({ after: found.last_id }) }) : "");
    } catch (error) {
      this.list.replaceChildren(problem(error));
    }
  }
}

customElements.define("makar-feedback", Feedback);
