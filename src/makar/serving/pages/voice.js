// Chat that is spoken to and answers aloud: what the microphone hears becomes a message, an answer becomes a recording.

import { h, button, choice, field, say } from "./dom.js";
import { call, describe, models, request } from "./api.js";

const RATE_HZ = 16_000;
const WHY = { NotAllowedError: "The microphone was refused: allow it for this page, beside its address", NotFoundError: "There is no microphone here", NotReadableError: "Another program has the microphone" };

/** A WAV file of one channel out of whatever this browser records. */
async function wave(recorded) {
  // What it decodes has its own rate then.
  const sound = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(await recorded.arrayBuffer());
  const file = new DataView(new ArrayBuffer(44 + 2 * sound.length));
  const letters = (place, text) => [...text].forEach((letter, at) => file.setUint8(place + at, letter.charCodeAt(0)));
  letters(0, "RIFF");
  file.setUint32(4, 36 + 2 * sound.length, true);
  letters(8, "WAVEfmt ");
  [[16, 16], [20, 1 | 1 << 16], [24, RATE_HZ], [28, 2 * RATE_HZ], [32, 2 | 16 << 16]].forEach(([place, value]) => file.setUint32(place, value, true));
  letters(36, "data");
  file.setUint32(40, 2 * sound.length, true);
  const channels = Array.from({ length: sound.numberOfChannels }, (_, at) => sound.getChannelData(at));
  for (let at = 0; at < sound.length; at++) {
    const value = channels.reduce((sum, one) => sum + one[at], 0) / channels.length;
    file.setInt16(44 + 2 * at, Math.round(32_767 * Math.max(-1, Math.min(1, value))), true);
  }
  return new Blob([file], { type: "audio/wav" });
}

/** A button that hears, press to begin and press to end; `put` is given the words, and before it begins all is `quiet`. */
function microphone(ear, { put, quiet }) {
  let recorder = null, isBusy = false;
  const told = h("span", { class: "small soft", role: "status" });
  const tell = (words, is) => { told.textContent = words; go.setAttribute("aria-pressed", is); };
  const heard = async (pieces) => {
    isBusy = true;
    tell("Writing it down …", false);
    try {
      const form = new FormData();
      form.append("file", await wave(new Blob(pieces)), "said.wav");
      form.append("model", ear());
      const { text } = await call("/v1/audio/transcriptions", { form });
      if (text.trim()) put(text.trim());
      else say("No words were heard");
    } catch (error) {
      say(error.message, { seconds: 12 });
    }
    tell("", false);
    isBusy = false;
  };
  const end = () => { if (recorder?.state === "recording") recorder.stop(); };
  const go = button("Speak", { icon: "hear", "aria-pressed": false, act: async () => {
    if (recorder) return end();
    // Nothing is disabled, so that nobody loses the focus.
    if (isBusy) return;
    if (!navigator.mediaDevices) return say("A browser gives the microphone only to pages at https or of this machine", { seconds: 12 });
    isBusy = true;
    quiet();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const pieces = [];
      recorder = new MediaRecorder(stream);
      recorder.ondataavailable = ({ data }) => pieces.push(data);
      recorder.onstop = () => {
        recorder = null;
        stream.getTracks().forEach((track) => track.stop());
        if (go.isConnected) heard(pieces);
      };
      if (!go.isConnected) return recorder.onstop();
      recorder.start();
      tell("Listening; press again when you have said it", true);
    } catch (error) {
      say(WHY[error.name] ?? error.message, { seconds: 12 });
    }
    isBusy = false;
  } });
  return { element: [go, told], leave: end };
}

/** A switch under which every answer is read aloud. */
function reader(names) {
  let name = names[0], label = null, stopper = null;
  const player = h("audio", { controls: true, hidden: true, "aria-label": "The answer, read aloud" });
  const voices = h("div", {});
  const quiet = () => {
    stopper?.abort();
    player.pause();
    URL.revokeObjectURL(player.src);
    player.hidden = true;
  };
  const prepare = async () => {
    label = null;
    voices.replaceChildren();
    if (!box.checked) return quiet();
    try {
      const { classes } = await describe(name);
      label = classes[0] ?? null;
      if (classes.length > 1) voices.replaceChildren(field("Voice", choice(classes, label, (value) => { label = value; })));
    } catch (error) {
      say(error.message, { seconds: 12 });
    }
  };
  const box = h("input", { type: "checkbox", onchange: prepare });
  const read = async (text) => {
    quiet();
    const input = text.replace(/```[\s\S]*?```/g, " ").replace(/[*_`#|]/g, "").trim();
    if (!box.checked || !input) return;
    stopper = new AbortController();
    try {
      const made = await request("/v1/audio/speech", { json: { model: name, input, response_format: "wav", ...(label ? { voice: label } : {}) }, signal: stopper.signal });
      player.src = URL.createObjectURL(await made.blob());
      player.hidden = false;
      await player.play();
    } catch (error) {
      if (error.name !== "AbortError") say(`Not read aloud: ${error.message}`, { seconds: 12 });
    }
  };
  const element = h("div", {}, h("label", { class: "check" }, box, "Read answers aloud"), names.length > 1 && field("Read by", choice(names, name, (value) => { name = value; prepare(); })), voices, player);
  return { element, read, quiet };
}

/** What a chat does with sound: `microphone` and `settings` are elements, empty where no model of this server hears or speaks. */
export async function voice(put) {
  const found = await models();
  const [ears, speakers] = ["hears", "speaks"].map((what) => found.filter((one) => one[what]).map((one) => one.id));
  let ear = ears[0];
  const reading = speakers.length > 0 && reader(speakers);
  const quiet = () => reading && reading.quiet();
  const hearing = ear && microphone(() => ear, { put, quiet });
  return {
    microphone: hearing ? hearing.element : [],
    settings: [reading && reading.element, ears.length > 1 && field("Heard by", choice(ears, ear, (value) => { ear = value; }))],
    read: (text) => reading && reading.read(text),
    quiet,
    leave: () => { hearing?.leave(); quiet(); },
  };
}
