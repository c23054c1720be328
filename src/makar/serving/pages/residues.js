// Edit, of structures: which residues are made anew, in numbers, on the sequence by pointer or keys, and seen on the backbone.

import { h, field } from "./dom.js";
import { structure, traceOf } from "./structure.js";

const LETTERS = { ALA: "A", ARG: "R", ASN: "N", ASP: "D", CYS: "C", GLN: "Q", GLU: "E", GLY: "G", HIS: "H", ILE: "I", LEU: "L", LYS: "K", MET: "M", PHE: "F", PRO: "P", SER: "S", THR: "T", TRP: "W", TYR: "Y", VAL: "V" };
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

/** A stretch of the residues of a file: `.fields` asks for it, `.shown` draws it. Throws where the file has none. */
export class Residues {
  constructor(text) {
    const residues = traceOf(text).flat();
    this.count = residues.length;
    this.drawing = structure({ words: "What is to be changed", text });
    const number = (more) => h("input", { type: "number", step: 1, inputmode: "numeric", oninput: () => this.show(), ...more });
    const [third, half] = [Math.floor(this.count / 3) + 1, Math.ceil(this.count / 2)];
    this.from = number({ min: 1, max: this.count + 1, required: true, value: third });
    this.to = number({ min: 0, max: this.count, required: true, value: Math.max(third, half) });
    this.length = number({ min: 0, max: 1024, placeholder: "as many as before" });
    this.letters = residues.map((one, at) => h("span", { title: `${one.name} ${at + 1}` }, LETTERS[one.name] ?? "X"));
    this.line = h("div", { class: "sequence", role: "slider", tabindex: 0, "aria-label": "Residues that are made anew. Arrow keys move them, with Shift their end.", "aria-valuemin": 1, "aria-valuemax": this.count,
      onkeydown: (event) => this.key(event), onpointerdown: (event) => this.drag(event) }, this.letters);
    this.fields = h("fieldset", {}, h("legend", {}, "Residues that are made anew"), h("div", { class: "fields" }, field("From", this.from, "One behind the last goes on there"), field("To", this.to, "One before the first puts some in between")), field("How many stand there afterwards", this.length, "All others stay where they are"));
    this.told = h("p", { class: "small soft", role: "status" });
    this.shown = h("div", { class: "big" }, this.drawing, this.line, this.told);
    this.show();
  }

  /** What of it the verb is told, or what is wrong, in words. */
  get how() {
    const [from, to] = [Number(this.from.value), Number(this.to.value)];
    if (to < from - 1) return "The last residue is before the first";
    const length = this.length.value === "" ? to - from + 1 : Number(this.length.value);
    if (!length) return "Say how many residues are to stand there";
    if (to - from + 1 === this.count) return "Some residues have to stay";
    return { from_residue: from, to_residue: to, ...(this.length.value === "" ? {} : { residues: length }) };
  }

  show() {
    const [from, to] = [Number(this.from.value), Number(this.to.value)];
    this.letters.forEach((one, at) => one.classList.toggle("new", at + 1 >= from && at + 1 <= to));
    const words = to < from ? `between residue ${from - 1} and ${from}` : `residues ${from} to ${to} of ${this.count}`;
    this.line.setAttribute("aria-valuenow", from);
    this.line.setAttribute("aria-valuetext", words);
    this.told.textContent = `Made anew: ${words}. Grey stays.`;
    this.drawing.mark([from, to]);
  }

  take(from, to) {
    this.from.value = from;
    this.to.value = to;
    // As if somebody had written it: what was said of the numbers before holds no more.
    this.to.dispatchEvent(new Event("input", { bubbles: true }));
  }

  key(event) {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    const [from, to] = [Number(this.from.value), Number(this.to.value)];
    const within = (low, value, high) => Math.min(high, Math.max(low, value));
    if (event.shiftKey) return this.take(from, within(from - 1, to + step, this.count));
    const by = within(1 - from, step, this.count - Math.max(to, from - 1));
    this.take(from + by, to + by);
  }

  drag(event) {
    const at = (one) => this.letters.indexOf(document.elementFromPoint(one.clientX, one.clientY)) + 1;
    const first = at(event);
    if (!first) return;
    const ends = new AbortController();
    this.line.setPointerCapture(event.pointerId);
    this.take(first, first);
    this.line.addEventListener("pointermove", (moved) => { const last = at(moved); if (last) this.take(Math.min(first, last), Math.max(first, last)); }, { signal: ends.signal });
    for (const name of ["pointerup", "pointercancel"]) this.line.addEventListener(name, () => ends.abort(), { signal: ends.signal });
  }
}
