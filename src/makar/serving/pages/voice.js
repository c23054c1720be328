// Chat that is spoken to and answers aloud: what the microphone hears becomes a message, an answer becomes a recording.

import { h, button, choice, field, say } from "./dom.js";
import { call, describe, models, request } from "./api.js";

const RATE_HZ = 16_000;
const told = (error) => say(WHY[error.name] ?? error.message, { seconds: 12 });
const WHY = { NotAllowedError: "The microphone was refused: allow it for this page, beside its address", NotFoundError: "There is no microphone here" };

/** A choice between names, where there are several. */
const pick = (words, names, act) => names.length > 1 && field(words, choice(names, names[0], act));

/** A WAV file of one channel out of whatever this browser records. */
async function wave(recorded) {
  // What it decodes has its own rate then.
  const sound = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(await recorded.arrayBuffer());
  const samples = Int16Array.from(sound.getChannelData(0), (value) => 32_767 * Math.max(-1, Math.min(1, value)));
  // RIFF, WAVE, fmt, one channel of PCM, two bytes of 16 bits a sample, data.
  const head = [0x46464952, 36 + samples.byteLength, 0x45564157, 0x20746d66, 16, 0x10001, RATE_HZ, 2 * RATE_HZ, 0x100002, 0x61746164, samples.byteLength];
  return new Blob([Uint32Array.from(head), samples]);
}

/** A button that hears, press to begin and press to end; `put` is given the words, and before it begins all is `quiet`. */
function microphone(ear, { put, quiet }) {
  let recorder = null, isBusy = false;
  const status = h("span", { class: "small soft", role: "status" });
  const tell = (words, is) => { status.textContent = words; go.setAttribute("aria-pressed", is); };
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
      told(error);
    }
    tell("", false);
    isBusy = false;
  };
  const end = () => { if (recorder?.state === "recording") recorder.stop(); };
  const go = button("Speak", { icon: "hear", "aria-pressed": false, act: async () => {
    if (recorder) return end();
    // Nothing is disabled, so that nobody loses the focus.
    if (isBusy) return;
    if (!navigator.mediaDevices) return told({ message: "A browser gives the microphone only to pages at https or of this machine" });
    isBusy = true;
    quiet();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
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
      told(error);
    }
    isBusy = false;
  } });
  return { element: [go, status], leave: end };
}

/** A switch under which every answer is read aloud. */
function reader(names) {
  let [name] = names, label, stopper;
  const player = h("audio", { controls: true, hidden: true, "aria-label": "The answer, read aloud" });
  const voices = h("div", {});
  const quiet = () => {
    stopper?.abort();
    player.pause();
    player.hidden = true;
  };
  const prepare = async () => {
    voices.replaceChildren();
    if (!box.checked) return quiet();
    try {
      const { classes } = await describe(name);
      [label] = classes;
      voices.replaceChildren(pick("Voice", classes, (value) => { label = value; }) || "");
    } catch (error) {
      told(error);
    }
  };
  const box = h("input", { type: "checkbox", onchange: prepare });
  const read = async (text) => {
    quiet();
    const input = text.replace(/```[^]*?```|\[\d+\]|[*_`#|]/g, " ").trim();
    if (!box.checked || !input) return;
    stopper = new AbortController();
    try {
      const made = await request("/v1/audio/speech", { json: { model: name, input, response_format: "wav", ...(label ? { voice: label } : {}) }, signal: stopper.signal });
      URL.revokeObjectURL(player.src);
      player.src = URL.createObjectURL(await made.blob());
      player.hidden = false;
      await player.play();
    } catch (error) {
      if (error.name !== "AbortError") told(error);
    }
  };
  return { read, quiet, element: h("div", {}, h("label", { class: "check" }, box, "Read answers aloud"), pick("Read by", names, (value) => { name = value; prepare(); }), voices, player) };
}

/** What a chat does with sound: `microphone` and `settings` are elements, none where no model of this server hears or speaks. */
export async function voice(put) {
  const found = await models();
  const [ears, speakers] = ["hears", "speaks"].map((what) => found.filter((one) => one[what]).map((one) => one.id));
  let [ear] = ears;
  const { read, quiet, element } = speakers.length ? reader(speakers) : { read() {}, quiet() {} };
  const hearing = ear && microphone(() => ear, { put, quiet });
  return { read, quiet, microphone: hearing?.element, settings: [element, pick("Heard by", ears, (value) => { ear = value; })], leave: () => { hearing?.leave(); quiet(); } };
}
