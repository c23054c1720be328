// A mask painted over a picture: pointer, pen or keys; undo, invert, clear. White is made anew.

import { h, button, field } from "./dom.js";

const MOST_UNDONE = 40;
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

class Mask extends HTMLElement {
  connectedCallback() {
    if (this.canvas) return;
    this.past = [];
    this.brush = 12;
    this.isErasing = false;
    this.canvas = h("canvas", { tabindex: 0, role: "application", "aria-label": "Mask over the picture. Arrow keys move the brush, Space paints, E erases, U takes back, I inverts, plus and minus change the brush.",
      onpointerdown: (event) => this.begin(event), onpointermove: (event) => this.move(event), onpointerup: () => this.end(), onpointercancel: () => this.end(), onpointerleave: () => this.canvas.hasPointerCapture?.(this.pointer) || this.hover(null), onkeydown: (event) => this.key(event), onblur: () => this.hover(null) });
    this.told = h("p", { class: "small soft", role: "status" });
    this.size = h("input", { type: "range", min: 1, max: 100, value: this.brush, oninput: () => { this.brush = Number(this.size.value); } });
    this.eraser = button("Erase", { "aria-pressed": false, act: () => this.erase(!this.isErasing) });
    this.append(h("div", { class: "row" }, h("div", { class: "grow" }, field("Brush", this.size)), this.eraser, button("Undo", { act: () => this.undo() }), button("Invert", { act: () => this.invert() }), button("Clear", { act: () => this.clear() })), h("div", { class: "paint" }, this.canvas), this.told);
  }

  /** Show a picture with nothing painted yet. */
  show(picture) {
    this.picture = picture;
    Object.assign(this.canvas, { width: picture.width, height: picture.height });
    this.canvas.classList.toggle("pixels", picture.width < 160);
    this.layer = new OffscreenCanvas(picture.width, picture.height);
    this.pen = this.layer.getContext("2d", { willReadFrequently: true });
    this.past = [];
    this.at = [picture.width / 2, picture.height / 2];
    this.size.max = Math.max(4, Math.round(Math.max(picture.width, picture.height) / 2));
    this.size.value = this.brush = Math.max(1, Math.round(Math.min(picture.width, picture.height) / 8));
    this.draw();
  }

  get isEmpty() {
    return this.share() === 0;
  }

  share() {
    if (!this.layer) return 0;
    const { data } = this.pen.getImageData(0, 0, this.layer.width, this.layer.height);
    let count = 0;
    for (let at = 3; at < data.length; at += 4) count += data[at] >= 128;
    return count / (data.length / 4);
  }

  /** The mask as PNG: white where it is made anew, black elsewhere, no half tones. */
  async blob() {
    const { width, height } = this.layer;
    const found = this.pen.getImageData(0, 0, width, height);
    for (let at = 0; at < found.data.length; at += 4) {
      const is = found.data[at + 3] >= 128 ? 255 : 0;
      found.data.set([is, is, is, 255], at);
    }
    const flat = new OffscreenCanvas(width, height);
    flat.getContext("2d").putImageData(found, 0, 0);
    return flat.convertToBlob({ type: "image/png" });
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * this.canvas.width / box.width, (event.clientY - box.top) * this.canvas.height / box.height];
  }

  begin(event) {
    if (event.button !== 0 || !this.layer) return;
    // The stroke goes on when the pointer leaves the picture, and ends wherever it is let go.
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.remember();
    this.last = this.place(event);
    this.stroke(this.last);
  }

  move(event) {
    if (!this.layer) return;
    if (!this.last) return this.hover(this.place(event));
    // A browser joins several movements into one event; all of them are painted.
    const every = event.getCoalescedEvents?.() ?? [];
    for (const one of every.length ? every : [event]) this.stroke(this.place(one));
  }

  end() {
    if (!this.last) return;
    this.last = null;
    this.tell();
  }

  stroke(to) {
    const { pen } = this;
    pen.globalCompositeOperation = this.isErasing ? "destination-out" : "source-over";
    Object.assign(pen, { lineWidth: this.brush, lineCap: "round", lineJoin: "round", strokeStyle: "#fff", fillStyle: "#fff" });
    pen.beginPath();
    pen.moveTo(...(this.last ?? to));
    pen.lineTo(to[0] + .01, to[1]);
    pen.stroke();
    this.last = this.last && to;
    this.hover(to);
  }

  hover(place) {
    this.cursor = place;
    if (!this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.draw(); });
  }

  remember() {
    this.past.push(this.pen.getImageData(0, 0, this.layer.width, this.layer.height));
    if (this.past.length > MOST_UNDONE) this.past.shift();
  }

  undo() {
    if (!this.past.length) return;
    this.pen.putImageData(this.past.pop(), 0, 0);
    this.draw();
    this.tell();
  }

  invert() {
    this.remember();
    this.pen.globalCompositeOperation = "xor";
    this.pen.fillStyle = "#fff";
    this.pen.fillRect(0, 0, this.layer.width, this.layer.height);
    this.draw();
    this.tell();
  }

  clear() {
    this.remember();
    this.pen.clearRect(0, 0, this.layer.width, this.layer.height);
    this.draw();
    this.tell();
  }

  erase(is) {
    this.isErasing = is;
    this.eraser.setAttribute("aria-pressed", is);
  }

  key(event) {
    if (!this.layer || event.ctrlKey && event.key !== "z" || event.altKey || event.metaKey && event.key !== "z") return;
    const step = STEPS[event.key];
    const acts = { u: () => this.undo(), z: () => this.undo(), i: () => this.invert(), e: () => this.erase(!this.isErasing), "+": () => this.resize(1.25), "-": () => this.resize(.8) };
    if (step) {
      const far = event.shiftKey ? this.brush : Math.max(1, this.brush / 3);
      const from = this.at;
      this.at = [Math.min(this.canvas.width, Math.max(0, from[0] + far * step[0])), Math.min(this.canvas.height, Math.max(0, from[1] + far * step[1]))];
      this.hover(this.at);
    } else if (event.key === " ") {
      this.remember();
      this.last = null;
      this.stroke(this.at);
      this.tell();
    } else if (acts[event.key]) {
      acts[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  }

  resize(factor) {
    this.size.value = Math.max(1, Math.round(this.brush * factor) + (factor > 1 ? 1 : 0));
    this.brush = Number(this.size.value);
    this.hover(this.at);
  }

  tell() {
    this.told.textContent = `${(100 * this.share()).toFixed(1)} % is made anew`;
  }

  draw() {
    const pen = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    pen.clearRect(0, 0, width, height);
    pen.drawImage(this.picture, 0, 0);
    const tinted = new OffscreenCanvas(width, height);
    const colour = tinted.getContext("2d");
    colour.drawImage(this.layer, 0, 0);
    colour.globalCompositeOperation = "source-in";
    colour.fillStyle = "#a64dff";
    colour.fillRect(0, 0, width, height);
    pen.globalAlpha = .55;
    pen.drawImage(tinted, 0, 0);
    pen.globalAlpha = 1;
    if (!this.cursor) return;
    const thin = Math.max(.5, width / 400);
    for (const [wide, stroke] of [[2 * thin, "#000"], [thin, "#fff"]]) {
      pen.beginPath();
      pen.arc(...this.cursor, Math.max(.5, this.brush / 2), 0, 7);
      Object.assign(pen, { lineWidth: wide, strokeStyle: stroke });
      pen.stroke();
    }
  }
}

customElements.define("makar-mask", Mask);
