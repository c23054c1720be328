// Markdown as elements: headings, lists, tables, code, quotations, emphasis. No HTML passes through, and links lead only to the web.

import { h } from "./dom.js";

const INLINE = /(`[^`]+`)|(\*\*[^*]+\*\*)|(\*[^*\s][^*]*\*)|\[([^\]]+)\]\((https?:[^)\s]+)\)/g;

function inline(text) {
  const parts = [];
  let last = 0;
  for (const found of text.matchAll(INLINE)) {
    parts.push(text.slice(last, found.index));
    const [all, code, strong, soft, words, address] = found;
    if (code) parts.push(h("code", {}, code.slice(1, -1)));
    else if (strong) parts.push(h("strong", {}, strong.slice(2, -2)));
    else if (soft) parts.push(h("em", {}, soft.slice(1, -1)));
    else parts.push(h("a", { href: address, rel: "noreferrer noopener", target: "_blank" }, words));
    last = found.index + all.length;
  }
  return [...parts, text.slice(last)];
}

const cells = (line) => line.replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

/** Elements of a text; headings begin at `level`. */
export function markdown(text, { level = 2 } = {}) {
  const lines = text.replace(/^---\n[\s\S]*?\n---\n/, "").split("\n");
  const found = [];
  let at = 0;
  const take = (fits) => { const taken = []; while (at < lines.length && fits(lines[at])) taken.push(lines[at++]); return taken; };
  while (at < lines.length) {
    const line = lines[at];
    const heading = /^(#{1,6})\s+(.*)/.exec(line);
    if (line.startsWith("```")) {
      at++;
      found.push(h("pre", { tabindex: 0 }, h("code", {}, take((one) => !one.startsWith("```")).join("\n"))));
      at++;
    } else if (heading) {
      found.push(h(`h${Math.min(6, heading[1].length + level - 1)}`, {}, inline(heading[2])));
      at++;
    } else if (/^\s*[-*]\s/.test(line)) {
      found.push(h("ul", {}, take((one) => /^\s*[-*]\s/.test(one)).map((one) => h("li", {}, inline(one.replace(/^\s*[-*]\s/, ""))))));
    } else if (/^\s*\d+\.\s/.test(line)) {
      found.push(h("ol", {}, take((one) => /^\s*\d+\.\s/.test(one)).map((one) => h("li", {}, inline(one.replace(/^\s*\d+\.\s/, ""))))));
    } else if (line.startsWith("|")) {
      const rows = take((one) => one.startsWith("|")).map(cells);
      const body = rows.filter((row, place) => place !== 1 || !row.every((cell) => /^:?-*:?$/.test(cell)));
      const [head, ...others] = body;
      const isNamed = head.some(Boolean);
      const row = (values, isHead) => h("tr", {}, values.map((value, place) => h(isHead || place === 0 ? "th" : "td", isHead ? { scope: "col" } : place === 0 ? { scope: "row" } : {}, inline(value))));
      found.push(h("div", { class: "scroll" }, h("table", {}, isNamed && h("thead", {}, row(head, true)), h("tbody", {}, others.map((values) => row(values))))));
    } else if (line.startsWith("> ")) {
      found.push(h("blockquote", {}, inline(take((one) => one.startsWith("> ")).map((one) => one.slice(2)).join(" "))));
    } else if (line.trim()) {
      found.push(h("p", {}, inline(take((one) => one.trim() && !/^(#{1,6}\s|```|\||> |\s*[-*]\s)/.test(one)).join("\n"))));
    } else {
      at++;
    }
  }
  return found;
}
