// What stands in documents: answers and reviews with numbered sources, and each source shown where it stands.

import { h, number, say } from "./dom.js";
import { call } from "./api.js";

/** An answer whose every sentence says where it stands; a click on a number shows the place, the first one at once where it `opens`. */
export function cited(found, collection, { opens = true } = {}) {
  const source = h("div", {});
  const cite = (count) => h("button", { type: "button", class: "cite", "aria-label": `Source ${count}`, onclick: () => show(found.citations.find((one) => one.number === count), source, collection) }, String(count));
  const sentences = found.sentences.map((said) => h("span", { class: said.problem ? "doubtful" : "" }, said.text, said.citations.map(cite), said.problem && h("span", { class: "tag gold" }, said.problem), " "));
  const missing = found.is_cut ? ", of the end of the best source" : found.left_out ? `, without the last ${found.left_out} sources, which did not fit` : "";
  if (opens && found.citations.length) show(found.citations[0], source, collection);
  return h("div", {}, h("section", { class: "panel", "aria-label": "Answer" }, h("p", { class: "answer" }, found.is_found ? sentences : found.text), h("p", { class: "small soft" }, `Answered by ${found.by}${missing}`)), found.citations.length > 0 && source);
}

/** A review of several documents, with the same numbers. */
export function reviewed(found, collection) {
  const source = h("div", {});
  const citations = found.citations ?? [];
  const lines = found.text.split("\n").map((line) => h("p", {}, line.split(/(\[\d+\])/).map((part) => {
    const count = /^\[(\d+)\]$/.exec(part)?.[1];
    const citation = count && citations.find((one) => one.number === Number(count));
    return citation ? h("button", { type: "button", class: "cite", "aria-label": `Source ${count}`, onclick: () => show(citation, source, collection) }, count) : part;
  })));
  return h("div", {}, h("section", { class: "panel", "aria-label": "Review" }, lines), source);
}

/** The place of a citation, with what stands around it. */
async function show(citation, place, collection) {
  const where = [citation.document, citation.page && `page ${citation.page}`, citation.heading].filter(Boolean).join(", ");
  const words = new URLSearchParams({ document: citation.document, start: citation.start, end: citation.end });
  let parts = [];
  try {
    parts = (await call(`/makar/v1/collections/${encodeURIComponent(collection)}/passages?${words}`)).data;
  } catch (error) {
    say(error.message);
  }
  // Passages overlap: what was shown already is left out.
  let at = 0;
  const text = [];
  for (const part of parts) {
    const from = Math.max(at, part.start);
    if (part.end <= from) continue;
    const letters = [...part.text].slice(from - part.start);
    const [first, last] = [Math.max(0, citation.start - from), Math.max(0, citation.end - from)];
    text.push(at && part.start > at ? (part.start > at + 4 ? "\n…\n" : "\n") : "", letters.slice(0, first).join(""), last > first && first < letters.length ? h("mark", {}, letters.slice(first, last).join("")) : "", letters.slice(Math.max(first, last)).join(""));
    at = part.end;
  }
  place.replaceChildren(h("section", { class: "panel", "aria-label": `Source ${citation.number}` }, h("p", {}, h("strong", {}, `${citation.number}. ${where}`)), h("div", { class: "source", tabindex: 0, role: "region", "aria-label": "The passage" }, text.length ? text : citation.text), h("p", { class: "small soft" }, `characters ${number(citation.start)} to ${number(citation.end)}`)));
  place.querySelector("mark")?.scrollIntoView({ block: "nearest" });
}
