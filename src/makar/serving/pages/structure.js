// The backbone of a protein, drawn from its PDB or mmCIF file: the trace of its CA atoms, turned by pointer or keys.

import { h, problem } from "./dom.js";
import { request } from "./api.js";

const SIDE = 600;
const MARGIN = 40;
const FINER = 4;
/** Farther than this from the next CA atom, a chain has a gap. In angstroms. */
const LONGEST = 4.6;
const STEP = Math.PI / 18;
const KEYS = { ArrowLeft: [0, -STEP], ArrowRight: [0, STEP], ArrowUp: [-STEP, 0], ArrowDown: [STEP, 0] };

export const isCif = (text) => /^\s*(data_|loop_|_atom_site)/m.test(text);

/** The residues of the first model of a file by their CA atoms, as chains of { place, name } without gaps. */
export function traceOf(text) {
  const atoms = isCif(text) ? atomsOfCif(text) : atomsOfPdb(text);
  const chains = [];
  let last = null;
  for (const atom of atoms) {
    const isNext = last && last.chain === atom.chain && Math.hypot(...atom.place.map((one, axis) => one - last.place[axis])) <= LONGEST;
    if (isNext) chains.at(-1).push(atom);
    else chains.push([atom]);
    last = atom;
  }
  return chains;
}
const placesOf = (text) => traceOf(text).map((chain) => chain.map((one) => one.place));

function* atomsOfPdb(text) {
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("ENDMDL")) return;
    if (!line.startsWith("ATOM") || line.slice(12, 16).trim() !== "CA" || !" A".includes(line[16])) continue;
    const place = [30, 38, 46].map((start) => Number(line.slice(start, start + 8)));
    if (place.every(Number.isFinite)) yield { chain: line[21], place, name: line.slice(17, 20) };
  }
}

function* atomsOfCif(text) {
  const names = [];
  let model = null;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("_atom_site.")) names.push(line.trim().slice(11));
    else if (!names.length) continue;
    else if (/^(#|loop_|_|data_)/.test(line)) return;
    else {
      const words = line.match(/'[^']*'(?=\s|$)|"[^"]*"(?=\s|$)|\S+/g) ?? [];
      const value = (name) => words[names.indexOf(name)]?.replace(/^(['"])(.*)\1$/, "$2");
      model ??= value("pdbx_PDB_model_num");
      if (value("pdbx_PDB_model_num") !== model) return;
      const place = ["Cartn_x", "Cartn_y", "Cartn_z"].map((name) => Number(value(name)));
      const isFirst = [undefined, ".", "?", "A"].includes(value("label_alt_id"));
      if (value("label_atom_id") === "CA" && value("group_PDB") !== "HETATM" && isFirst && place.every(Number.isFinite)) yield { chain: value("label_asym_id"), place, name: value("label_comp_id") };
    }
  }
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a) => { const length = Math.hypot(...a) || 1; return a.map((one) => one / length); };

/** Three axes at right angles, the first along the greatest spread, the second along the next; never a mirror. */
function axesOf(points) {
  const spread = (axis, without) => {
    let found = unit(axis);
    for (let turn = 0; turn < 40; turn++) {
      const sum = [0, 0, 0];
      for (const point of points) { const share = dot(point, found); for (let at = 0; at < 3; at++) sum[at] += share * point[at]; }
      if (without) { const share = dot(sum, without); for (let at = 0; at < 3; at++) sum[at] -= share * without[at]; }
      if (Math.hypot(...sum) < 1e-9) break;
      found = unit(sum);
    }
    return found;
  };
  const first = spread([1, .3, .2]);
  const start = cross(first, Math.abs(first[2]) < .9 ? [0, 0, 1] : [1, 0, 0]);
  const second = unit(spread(start, first));
  return [first, second, cross(first, second)];
}

/** Places between the given ones on a smooth curve through them (Catmull and Rom 1974). */
function smooth(chain) {
  const found = [];
  for (let at = 0; at + 1 < chain.length; at++) {
    const [before, from, to, after] = [chain[Math.max(0, at - 1)], chain[at], chain[at + 1], chain[Math.min(chain.length - 1, at + 2)]];
    for (let part = 0; part < FINER; part++) {
      const t = part / FINER;
      found.push(from.map((one, axis) => .5 * (2 * one + (to[axis] - before[axis]) * t + (2 * before[axis] - 5 * one + 4 * to[axis] - after[axis]) * t * t + (3 * one - before[axis] - 3 * to[axis] + after[axis]) * t ** 3)));
    }
  }
  return [...found, chain.at(-1)];
}

class Structure extends HTMLElement {
  async connectedCallback() {
    if (this.canvas) return;
    this.canvas = h("canvas", { width: SIDE, height: SIDE });
    this.append(this.canvas);
    if (this.given.still) this.canvas.setAttribute("aria-hidden", "true");
    try {
      this.show(this.given.text ?? (await (await request(this.given.from)).text()));
    } catch (error) {
      this.replaceChildren(problem(error));
    }
  }

  show(text) {
    const chains = placesOf(text);
    const points = chains.flat();
    if (!points.length) throw new Error("this file has no CA atoms");
    const centre = [0, 1, 2].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
    const centred = (point) => point.map((one, axis) => one - centre[axis]);
    this.chains = chains.map((chain) => smooth(chain.map(centred)));
    this.before = this.given.before ? placesOf(this.given.before).map((chain) => smooth(chain.map(centred))) : [];
    this.radius = Math.max(1, ...[...this.chains, ...this.before].flat().map((point) => Math.hypot(...point)));
    this.start = axesOf(points.map(centred));
    this.reset();
    if (!this.given.still) this.interact(points.length);
  }

  interact(count) {
    const words = `${this.given.words ?? "A structure"}: the backbone of ${count} residues, blue where it begins and red where it ends${this.given.before ? "; what it was before in grey" : ""}. Drag it or use the arrow keys to turn it, plus and minus to change its size, Home to see its broadest side.`;
    for (const [name, value] of [["tabindex", 0], ["role", "application"], ["aria-label", words]]) this.canvas.setAttribute(name, value);
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    let last = null;
    this.canvas.addEventListener("pointerdown", (event) => { last = [event.clientX, event.clientY]; this.canvas.setPointerCapture(event.pointerId); });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const scale = 2.5 / this.canvas.clientWidth;
      this.turn((event.clientY - last[1]) * scale, (event.clientX - last[0]) * scale);
      last = [event.clientX, event.clientY];
    });
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => { last = null; });
    this.append(h("p", { class: "small soft", "aria-hidden": "true" }, "Drag it, or turn it with the arrow keys; plus, minus and Home."));
  }

  key(event) {
    const size = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 }[event.key];
    if (KEYS[event.key]) this.turn(...KEYS[event.key]);
    else if (size) { this.zoom = Math.min(8, Math.max(.3, this.zoom * size)); this.draw(); }
    else if (event.key === "Home") this.reset();
    else return;
    event.preventDefault();
  }

  reset() {
    this.axes = this.start.map((axis) => [...axis]);
    this.zoom = 1;
    this.draw();
  }

  /** Show in colours only the residues of a stretch, counted from 1, both included; null shows all so. */
  mark(stretch) {
    this.marked = stretch;
    if (this.chains) this.draw();
  }

  /** Turn it about the axis to the right and the one upwards, in radians. */
  turn(about, across) {
    const [right, up, near] = this.axes;
    const mix = (a, b, angle) => [a.map((one, at) => one * Math.cos(angle) + b[at] * Math.sin(angle)), b.map((one, at) => one * Math.cos(angle) - a[at] * Math.sin(angle))];
    const [turned, nearer] = mix(right, near, across);
    const [higher, front] = mix(up, nearer, -about);
    this.axes = [turned, higher, front];
    this.draw();
  }

  draw() {
    const pen = this.canvas.getContext("2d");
    const scale = this.zoom * (SIDE / 2 - MARGIN) / this.radius;
    const line = (from, to, share, isGrey, thin) => {
      const depth = (from[2] + to[2]) / 2;
      const near = .5 + depth / this.radius / 2;
      return { from, to, depth, thin, width: thin * (8 + 9 * near) * Math.sqrt(this.zoom), colour: `hsl(${230 * (1 - share)} ${isGrey ? 0 : 45 + 35 * near}% ${62 - 12 * near}%)` };
    };
    const lines = [];
    let first = 1;
    for (const chain of [...this.chains, ...this.before]) {
      const isBefore = this.before.includes(chain);
      const seen = chain.map((point) => this.axes.map((axis) => dot(axis, point)));
      const whole = Math.max(1, seen.length - 1);
      const residue = (at) => Math.round(first + (at + .5) / FINER);
      const isGrey = (at) => isBefore || this.marked && (residue(at) < this.marked[0] || residue(at) > this.marked[1]);
      const own = seen.slice(0, whole).map((from, at) => line(from, seen[at + 1] ?? from, at / whole, isGrey(at), isBefore ? .3 : 1));
      first += Math.ceil(chain.length / FINER);
      own.forEach((one, at) => { one.beside = [own[at - 1], own[at + 1]].filter(Boolean); });
      lines.push(...own);
    }
    // What was there before lies behind all, or it would flicker through where nothing has changed.
    lines.sort((a, b) => a.thin - b.thin || a.depth - b.depth);
    pen.clearRect(0, 0, SIDE, SIDE);
    const ground = getComputedStyle(this.canvas).backgroundColor;
    const place = ([x, y]) => [SIDE / 2 + x * scale, SIDE / 2 - y * scale];
    const stroke = ({ from, to }, width, colour, cap) => {
      pen.lineCap = cap;
      pen.beginPath();
      pen.moveTo(...place(from));
      pen.lineTo(...place(to));
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.stroke();
    };
    for (const one of lines) {
      // What is nearer has an edge of the ground, so that it is seen to pass before what is farther; its neighbours must not lose a corner.
      stroke(one, one.width + 6, ground, "butt");
      for (const part of [...one.beside, one]) stroke(part, part.width, part.colour, "round");
    }
  }
}

customElements.define("makar-structure", Structure);

/** A structure as an element: `text` of its file, or the address `from` which it comes; `still` only shows it, `before` is drawn behind it. */
export function structure(given) {
  return Object.assign(document.createElement("makar-structure"), { given });
}
