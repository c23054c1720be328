// A piece of music, drawn and played from its MIDI file: time to the right, pitch upwards, a colour for each voice; no sound is fetched.

import { h, button, duration, problem } from "./dom.js";
import { request } from "./api.js";

const [WIDTH, HEIGHT] = [600, 240];
const DRUMS = 9;
const USUAL_TEMPO = 500000;
/** How far ahead notes are given to the sound card, and how often. In seconds. */
const [AHEAD, EVERY] = [.6, .2];

/** The notes of a MIDI file of format 0 or 1, the first first: { start, end, pitch, voice, isDrum } with seconds. Throws where it is none. */
export function notesOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 14 || view.getUint32(0) !== 0x4d546864) throw new Error("this is no MIDI file");
  const [tracks, division] = [view.getUint16(10), view.getUint16(12) & 0x7fff || 480];
  const [notes, tempos] = [[], []];
  let at = 8 + view.getUint32(4);
  const varying = () => { let [value, byte] = [0, 0]; do { byte = bytes[at++]; value = value * 128 + (byte & 127); } while (byte & 128); return value; };
  for (let track = 0; track < tracks && at + 8 <= bytes.length; track++) {
    const end = Math.min(bytes.length, at + 8 + view.getUint32(at + 4));
    let [ticks, status] = [0, 0];
    const sounding = new Map();
    at += 8;
    while (at < end) {
      ticks += varying();
      if (bytes[at] & 128) status = bytes[at++];
      const [kind, channel] = [status >> 4, status & 15];
      if (kind === 15) {
        const isTempo = status === 255 && bytes[at++] === 0x51;
        const length = varying();
        if (isTempo) tempos.push([ticks, bytes[at] << 16 | bytes[at + 1] << 8 | bytes[at + 2]]);
        at += length;
        continue;
      }
      const [pitch, loudness] = [bytes[at], bytes[at + 1]];
      at += kind === 12 || kind === 13 ? 1 : 2;
      if (kind !== 8 && kind !== 9) continue;
      const key = 128 * channel + pitch;
      const known = sounding.get(key);
      if (known) Object.assign(known, { to: ticks });
      sounding.delete(key);
      if (kind === 9 && loudness) {
        const note = { from: ticks, to: ticks, pitch, voice: `${track}/${channel}`, isDrum: channel === DRUMS };
        sounding.set(key, note);
        notes.push(note);
      }
    }
    at = end;
  }
  tempos.sort((a, b) => a[0] - b[0]);
  const seconds = (ticks) => {
    let [last, tempo, sum] = [0, USUAL_TEMPO, 0];
    for (const [place, next] of tempos) {
      if (place > ticks) break;
      sum += (place - last) * tempo;
      [last, tempo] = [place, next];
    }
    return (sum + (ticks - last) * tempo) / division / 1e6;
  };
  return notes.map(({ from, to, ...note }) => ({ ...note, start: seconds(from), end: seconds(to) })).sort((a, b) => a.start - b.start);
}

let playing = null;

class Piece extends HTMLElement {
  async connectedCallback() {
    if (this.canvas) return;
    this.canvas = h("canvas", { width: WIDTH, height: HEIGHT, "aria-hidden": "true" });
    this.append(this.canvas);
    try {
      const file = this.given.file ?? await (await request(this.given.from)).blob();
      this.notes = notesOf(new Uint8Array(await file.arrayBuffer()));
      this.end = this.notes.reduce((end, note) => Math.max(end, note.end), 0);
      this.draw();
      if (!this.given.still) {
        for (const [name, value] of [["role", "img"], ["aria-label", `${this.given.words ?? "A piece"}: ${this.notes.length} notes in ${duration(this.end)}`]]) this.canvas.setAttribute(name, value);
        this.canvas.removeAttribute("aria-hidden");
        this.append(this.player());
      }
    } catch (error) {
      this.replaceChildren(problem(error));
    }
  }

  disconnectedCallback() {
    this.stop?.();
  }

  draw(now = null) {
    const pen = this.canvas.getContext("2d");
    const voices = [...new Set(this.notes.map((note) => note.voice))];
    const [low, high] = this.notes.reduce(([lowest, highest], { pitch }) => [Math.min(lowest, pitch - 1), Math.max(highest, pitch + 2)], [59, 62]);
    const [wide, tall] = [WIDTH / this.end, HEIGHT / (high - low)];
    pen.clearRect(0, 0, WIDTH, HEIGHT);
    for (const { start, end, pitch, voice } of this.notes) {
      pen.fillStyle = `hsl(${(230 + 360 * voices.indexOf(voice) / voices.length) % 360} 60% 58%)`;
      pen.fillRect(start * wide, HEIGHT - (pitch + 1 - low) * tall, Math.max(1, (end - start) * wide - 1), Math.max(1, tall - 1));
    }
    if (now === null) return;
    pen.fillStyle = getComputedStyle(this).color;
    pen.fillRect(now * wide, 0, 2, HEIGHT);
  }

  /** A button that plays it and stops it; one piece is heard at a time. */
  player() {
    const words = () => (this.stop ? "Stop" : "Play");
    const act = () => {
      if (this.stop) return this.stop();
      playing?.();
      this.play(() => shown.lastChild.replaceWith(words()));
      shown.lastChild.replaceWith(words());
    };
    const shown = button(words(), { icon: "play", title: undefined, act });
    return h("div", { class: "row field" }, shown);
  }

  play(ended) {
    if (!this.notes) return;
    const sound = new AudioContext();
    const begin = sound.currentTime + .1;
    let next = 0;
    const step = () => {
      const now = sound.currentTime - begin;
      for (; next < this.notes.length && this.notes[next].start < now + AHEAD; next++) this.ring(sound, begin, this.notes[next]);
      this.draw(Math.max(0, now));
      if (now > this.end + .3) this.stop();
    };
    const turns = setInterval(step, 1000 * EVERY);
    this.stop = playing = () => {
      clearInterval(turns);
      sound.close();
      this.stop = playing = null;
      this.draw();
      ended();
    };
    step();
  }

  ring(sound, begin, { start, end, pitch, isDrum }) {
    const [from, to] = [begin + start, begin + Math.max(end, start + .08)];
    const tone = new OscillatorNode(sound, { type: isDrum ? "square" : "triangle", frequency: isDrum ? 90 : 440 * 2 ** ((pitch - 69) / 12) });
    const loudness = new GainNode(sound, { gain: 0 });
    loudness.gain.setTargetAtTime(.12, from, .01);
    loudness.gain.setTargetAtTime(0, isDrum ? from + .04 : to - .03, .04);
    tone.connect(loudness).connect(sound.destination);
    tone.start(from);
    tone.stop(to + .3);
  }
}

customElements.define("makar-piece", Piece);

/** A piece as an element: its `file`, or the address `from` which it comes; `still` only shows it. */
export function piece(given) {
  return Object.assign(document.createElement("makar-piece"), { given });
}
