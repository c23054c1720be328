// Models: what there is, and of each its card, its report, its signed manifest, and itself in other formats.

import { h, button, choice, download, duration, field, number, pairs, problem, say, size, table, tabs, when } from "./dom.js";
import { call, models, request } from "./api.js";
import { isServed, noModels } from "./form.js";
import { markdown } from "./markdown.js";
import { giveBack } from "./promote.js";

class Models extends HTMLElement {
  async connectedCallback() {
    const [name] = this.place.rest;
    this.replaceChildren(h("h1", {}, name ?? "Models"), h("p", { class: "soft" }, "One moment …"));
    try {
      await (name ? this.one(name) : this.all());
    } catch (error) {
      this.replaceChildren(h("h1", {}, "Models"), problem(error));
    }
  }

  async all() {
    const found = await models();
    const entry = (one) => h("li", { class: "card" }, h("a", { class: "button plain words", href: `#/models/${encodeURIComponent(one.id)}` }, h("strong", {}, one.id)),
      h("div", { class: "under" }, h("span", {}, `${one.medium}${one.created ? `, ${when(one.created)}` : ""}`), one.is_loaded && h("span", { class: "tag good" }, "loaded")));
    this.replaceChildren(h("h1", {}, "Models"), h("p", { class: "lead" }, "Every model of this server. A card says what it is and what it learned from; a report says how good and how new its output is."),
      found.length ? h("ul", { class: "grid wide" }, found.map(entry)) : noModels());
  }

  async one(name) {
    const found = await call(`/makar/v1/models/${encodeURIComponent(name)}/card`);
    const total = found.files.reduce((sum, file) => sum + file.bytes, 0);
    this.replaceChildren(h("p", {}, h("a", { href: "#/models" }, "All models")), h("div", { class: "row spread" }, h("h1", {}, name), isServed(found) && h("a", { class: "button", href: `#/create?model=${encodeURIComponent(name)}` }, "Create with it")),
      h("p", { class: "lead" }, `${found.medium}, ${size(total)}${found.header ? `, recipe ${found.header.recipe.name}` : ""}`),
      ...(found.before ? [h("section", { class: "panel", "aria-label": "The name" }, h("p", {}, `${found.before.from} took this name; before it was `, h("a", { href: `#/models/${encodeURIComponent(found.before.kept_as)}` }, found.before.kept_as)), giveBack(name))] : []),
      tabs(`About ${name}`, [
        ["card", "Card", () => h("div", { class: "panel" }, found.card ? markdown(found.card.replace(/^(---[\s\S]*?---\s*)?# .*\n/, ""), { level: 1 }) : "It has no card.")],
        ["report", "Report", () => this.report(name, found.report)],
        ["manifest", "Manifest", () => this.manifest(found)],
        ["export", "Export", () => this.export(name, found)],
      ]));
  }

  report(name, report) {
    const place = h("div", { class: "panel" });
    const measure = button(report ? "Measure again" : "Measure it now", { act: async () => {
      measure.disabled = true;
      status.textContent = "Measuring; this can take minutes. Leaving the page ends it.";
      const started = performance.now();
      this.stopper = new AbortController();
      try {
        const made = await call(`/makar/v1/models/${encodeURIComponent(name)}/evaluate`, { json: {}, signal: this.stopper.signal });
        say(`Measured in ${duration((performance.now() - started) / 1000)}`);
        place.replaceWith(this.report(name, made));
      } catch (error) {
        if (error.name !== "AbortError") place.append(problem(error));
        measure.disabled = false;
        status.textContent = "";
      }
    } });
    const status = h("span", { class: "soft small", role: "status" });
    place.append(...(report ? this.figures(report) : [h("p", {}, "It was not measured yet.")]), h("div", { class: "row" }, measure, status));
    return place;
  }

  figures(report) {
    const between = (one) => (one.low === null || one.low === undefined || one.low === one.high ? "" : `${number(one.low)} to ${number(one.high)}`);
    const rows = Object.entries({ ...report.scores, ...report.novelty }).map(([key, one]) => [key.replaceAll("_", " "), `${number(one.value)} ${one.unit ?? ""}`, between(one), one.better ?? "", baselines(one.baselines)]);
    return [h("h2", {}, "Verdict"), h("ul", {}, (report.verdict ?? []).map((sentence) => h("li", {}, sentence))), h("h2", {}, "Figures"), table(["measure", "value", "between", "better", "compare with"], rows, "Figures of the report")];
  }

  manifest(found) {
    return h("div", { class: "panel" },
      pairs([["hash", found.manifest?.manifest && "of the signed manifest, below"], ["signed by", found.manifest?.signature?.key_id], ["files", found.files.length]]),
      table(["file", "size"], found.files.map((file) => [file.name, size(file.bytes)]), "Files of the model"),
      h("details", {}, h("summary", {}, "The signed manifest"), h("pre", { tabindex: 0 }, JSON.stringify(found.manifest, null, 1))));
  }

  export(name, found) {
    let to = found.formats[0], precision = "";
    const status = h("div", { role: "status" });
    const numbers = field("Numbers of the weights", choice([["", "as they are"], ...found.precisions.map((one) => [one, one])], "", (value) => { precision = value; }), "Only GGUF has a choice.");
    const formats = field("Format", choice(found.formats, to, (value) => { to = value; numbers.hidden = value !== "gguf"; }), "What was written is compared with the model itself before it is given.");
    numbers.hidden = true;
    const go = button("Export", { icon: "down", kind: "main", act: async () => {
      go.disabled = true;
      status.replaceChildren("Writing and checking …");
      try {
        const answer = await request(`/makar/v1/models/${encodeURIComponent(name)}/export`, { json: { to, ...(to === "gguf" && precision ? { precision } : {}) } });
        download(await answer.blob(), `${name}-${to}.zip`);
        status.replaceChildren("It was downloaded.");
      } catch (error) {
        status.replaceChildren(problem(error));
      }
      go.disabled = false;
    } });
    return h("div", { class: "panel" }, formats, numbers, go, status);
  }

  disconnectedCallback() {
    this.stopper?.abort();
  }
}

const baselines = (found) => Object.entries(found ?? {}).map(([name, one]) => `${name} ${number(typeof one === "number" ? one : one.value)}`).join(", ");

customElements.define("makar-models", Models);
