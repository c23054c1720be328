// What was made: a card of it, and everything about it on top of the page, one click away.

import { h, button, dialog, ask, copy, download, duration, pairs, problem, say, size, tabs, when } from "./dom.js";
import { bytesOf, call, drawn, madeAt, picture, request } from "./api.js";
import { stars } from "./rate.js";
import { lines, noveltyWords, readingOf, settingsOf, written } from "./manifest.js";
import { piece } from "./piece.js";
import { structure } from "./structure.js";

const address = (id) => `/makar/v1/assets/${id}/content`;

/** A picture of an asset; small ones are enlarged without blur. */
export function image(path, words) {
  const shown = h("img", { alt: words, loading: "lazy", decoding: "async", onload: () => shown.classList.toggle("pixels", shown.naturalWidth < 160) });
  picture(shown, path);
  return shown;
}

/** A player for a sound or a clip of the server. */
export function player(path, words, tag = "audio") {
  const shown = h(tag, { controls: true, preload: "metadata", "aria-label": words, ...(tag === "video" ? CLIP : {}) });
  picture(shown, path);
  return shown;
}
/** Of a player of clips: what is short begins again, and what is small is enlarged without blur. */
export const CLIP = { playsinline: true, class: "clip", onloadedmetadata: ({ target }) => { target.loop = target.duration < 10; target.classList.toggle("pixels", target.videoWidth < 160); } };

const DRAWING = "image/svg+xml";
/** Whether people can say what they think of an asset: a model made it, and no outlines, which have no features. */
export const isJudged = (asset) => Boolean(asset?.model) && asset.type !== DRAWING;

const NOUNS = { image: "Image", sound: "Sound", video: "Clip", structure: "Structure", music: "Piece", molecule: "Molecule", protein: "Protein" };
const SUFFIXES = { image: ".png", [DRAWING]: ".svg", sound: ".wav", structure: ".pdb", "chemical/x-mmcif": ".cif", "audio/midi": ".mid", code: ".py", molecule: ".smi" };
const described = (asset) => !asset.model ? `Clip made of others: ${asset.prompt}` : `${NOUNS[asset.medium] ?? "Text"} by ${asset.model}${asset.prompt ? `: ${asset.prompt}` : ""}, seed ${asset.seed}`;

/** A card; `more` are further parts under it. */
export function card(asset, { gone, more } = {}) {
  const isImage = asset.type?.startsWith("image/");
  const isSound = asset.medium === "sound";
  const isVideo = asset.type?.startsWith("video/");
  const isStructure = asset.medium === "structure";
  const roll = asset.medium === "music" && piece({ still: true, from: address(asset.id) });
  const heard = { sound: "A sound", video: "A clip" }[asset.medium];
  const face = h("button", { class: "face", type: "button", "aria-label": `${described(asset)}. Open`, onclick: () => details(asset.id, { gone: () => { item.remove(); gone?.(); } }) },
    isImage ? image(address(asset.id), "") : isStructure ? structure({ still: true, from: address(asset.id) }) : roll || h("div", { class: "words" }, (heard ? asset.prompt || heard : asset.text?.trim()) || "(only white space)"));
  const item = h("li", { class: "card" }, face, (isSound || isVideo) && player(address(asset.id), described(asset), isVideo ? "video" : "audio"), roll && roll.player(),
    h("div", { class: "under" }, h("span", {}, asset.prompt || asset.model), asset.is_copy ? h("span", { class: "tag bad" }, "copy") : typeof asset.novelty === "number" && h("span", { class: "tag", title: "How new it is against the training data" }, `${Math.round(100 * asset.novelty)} % new`)),
    more);
  return item;
}

/** Previews of each image that are asked for; a model without steps has none. */
export const PREVIEWS = 3;

/** Show, in the place of a card, what an image is expected to become. */
export function sketch(place, png, seed, { step, steps }) {
  if (!place.querySelector("progress")) {
    place.replaceChildren(h("img", { onload: (event) => event.target.classList.toggle("pixels", event.target.naturalWidth < 160) }),
      h("div", { class: "under" }, h("progress", { max: steps, "aria-label": `Steps of seed ${seed}` })));
  }
  const shown = place.querySelector("img");
  shown.alt = `Preview of seed ${seed}, step ${step} of ${steps}`;
  drawn(shown, png);
  place.querySelector("progress").value = step;
}

/** Have a sound made and kept; gives what its card shows. */
async function soundOf({ model, prompt, seed, controls }, { signal } = {}) {
  const json = { model, input: prompt, seed, controls, response_format: "wav", store: true };
  const answer = await request("/v1/audio/speech", { json, signal });
  const lost = answer.headers.get("x-makar-not-kept");
  if (lost) say(`Not kept: ${lost}`);
  const id = answer.headers.get("x-makar-asset");
  const sent = answer.headers.get("x-makar-manifest");
  // That of a long text is too long for a header.
  const signed = sent ? JSON.parse(new TextDecoder().decode(bytesOf(sent))) : lost ? {} : (await call(`/makar/v1/assets/${id}`)).manifest;
  const novelty = signed.manifest?.novelty;
  return { id, type: "audio/wav", medium: "sound", model, prompt, seed, novelty: novelty?.score, is_copy: novelty?.is_copy };
}

/** Have a clip made and kept; gives what its card shows. It is made in the background, and a signal stops it there too. */
async function clipOf({ model, prompt, seed, controls }, { signal, told } = {}) {
  const { id } = await call("/v1/videos", { json: { model, prompt, seed, controls, store: true }, signal });
  const path = `/v1/videos/${id}`;
  // What was made is in the library, and what was not is not wanted any more.
  const forget = () => request(path, { method: "DELETE" }).catch(() => {});
  addEventListener("pagehide", forget);
  try {
    return kept({ ...(await madeAt(path, { signal, told })).makar, model, prompt, medium: "video" });
  } finally {
    removeEventListener("pagehide", forget);
    await forget();
  }
}

/** A place where something is being made, with how far it is as soon as that is known: [element, told]. */
export function waitingFor(words, noun = "Step") {
  const bar = h("progress", { max: 100, "aria-label": words });
  const left = h("span", { class: "small" }, "Being made …");
  const told = (progress, known) => {
    if (!known) return;
    bar.value = progress;
    left.textContent = `${noun} ${known.step} of ${known.steps}${known.seconds_left === null ? "" : `, about ${duration(known.seconds_left)} left`}`;
  };
  return [h("li", { class: "card pending" }, h("div", { class: "words" }, bar, left)), told];
}

/** Have a structure or a piece of music made and kept; gives what its card shows. */
const fileOf = (route) => async ({ model, prompt, seed, controls }, { signal } = {}) => kept({ ...(await call(route, { json: { model, prompt, seed, controls }, signal })), prompt });
/** What has one made, by medium; images and what is written come in streams of several. */
export const MAKERS = { sound: soundOf, video: clipOf, structure: fileOf("/makar/v1/structures"), music: fileOf("/makar/v1/music") };

/** What the card of an asset shows, of what the server said when it was made. */
export function kept({ asset, type, medium, model, prompt, seed, novelty, not_kept: lost }) {
  if (lost) say(`It is not in the gallery: ${lost}`, { seconds: 12 });
  return { id: asset, type, medium, model, prompt, seed, novelty: novelty?.score, is_copy: novelty?.is_copy };
}

/** Everything about an asset of this machine. */
export async function details(id, { gone } = {}) {
  const body = h("div", {}, h("p", { class: "soft" }, "One moment …"));
  const top = dialog("What was made", body);
  try {
    const asset = await call(`/makar/v1/assets/${id}`);
    const file = await (await request(address(id))).blob();
    const raw = asset.type === "image/png" ? null : await (await request(`/makar/v1/assets/${id}/manifest`)).blob();
    const remove = async () => {
      if (!(await ask("Delete this for good?", "Delete"))) return;
      await request(`/makar/v1/assets/${id}`, { method: "DELETE" });
      top.close();
      say("Deleted");
      gone?.();
    };
    body.replaceChildren(await whole(asset.manifest, file, { asset, raw, close: () => top.close(), remove }));
  } catch (error) {
    body.replaceChildren(problem(error));
  }
}

/** Everything about a file that somebody brought; `raw` is the file of the manifest that lies beside it. */
export async function foreign(signed, file, raw) {
  const top = dialog(file.name, h("div", {}));
  top.querySelector("header + *").replaceWith(await whole(signed, file, { raw, close: () => top.close() }));
}

/** Media that the page Edit changes. */
const CHANGED = new Set(["image", "sound", "video", "structure", "music", "code"]);

async function whole(signed, file, { asset, raw, close, remove }) {
  const manifest = signed.manifest;
  const [score, why, isCopy] = noveltyWords(manifest.novelty);
  const isImage = manifest.medium === "image";
  const isSound = manifest.medium === "sound";
  const isVideo = manifest.medium === "video";
  const isStructure = manifest.medium === "structure";
  const suffix = isVideo ? `.${file.type.split("/")[1]?.replace("x-matroska", "mkv") ?? "webm"}` : SUFFIXES[file.type] ?? SUFFIXES[manifest.medium] ?? ".txt";
  const name = asset ? `${asset.model || "film"}-${manifest.seed ?? 0}-${manifest.id.slice(0, 6)}${suffix}` : file.name;
  const use = settingsOf(manifest);
  const spoken = readingOf(manifest);
  const words = new URLSearchParams(Object.entries(spoken ?? { model: asset?.model ?? use.model ?? "", prompt: use.prompt, seed: use.seed, controls: use.controls }).map(([name, value]) => [name, written(value)]));
  const acts = h("div", { class: "row" },
    use.model && !(use.turns?.length > 1) && h("a", { class: "button", href: `#/create?${words}`, onclick: close }, "Use these settings"),
    file.type !== "application/json" && button("Save", { icon: "down", act: () => download(file, name) }),
    CHANGED.has(manifest.medium) && asset?.model && !spoken && h("a", { class: "button", href: `#/edit?${new URLSearchParams({ model: asset.model, asset: asset.id })}`, onclick: close }, "Edit"),
    isVideo && asset && h("a", { class: "button", href: `#/edit?${new URLSearchParams({ films: asset.id })}`, onclick: close }, "Cut and join"),
    remove && button("Delete", { icon: "trash", kind: "bad", act: remove }));
  const novelty = h("section", {}, h("h3", {}, "How new it is"),
    score !== null && score !== undefined && h("div", {}, h("meter", { min: 0, max: 1, value: score, low: .4, high: .7, optimum: 1, "aria-label": "How new it is" }), h("p", {}, h("strong", {}, isCopy ? "A copy" : `${Math.round(100 * score)} % new`))),
    h("p", { class: "small soft" }, why));
  const facts = pairs([["Model", asset?.model ?? use.model], ["Prompt", use.prompt], ["Seed", use.model && String(use.seed)], ["Made", asset ? when(asset.created) : manifest.time_utc], ["Took", asset && duration(asset.seconds)], ["Size", asset && size(asset.bytes)], ["Learned from", manifest.data?.name], ["Training", manifest.run?.id], ["Edit", manifest.edit && JSON.stringify(manifest.edit)]]);
  const set = h("section", {}, h("h3", {}, "Settings"), pairs(Object.entries(use.controls).map(([key, value]) => [key.replaceAll("_", " "), Array.isArray(value) ? value.join(", ") : String(value)])));
  const whose = described({ ...use, medium: manifest.medium, model: use.model });
  const shown = isImage && file.type.startsWith("image/") ? bigImage(file, whose) : isSound && /wav/.test(file.type) ? await bigSound(file, whose) : manifest.medium === "music" && file.type !== "application/json" ? h("div", { class: "big" }, piece({ words: whose, file })) : isVideo && /^(video|image)/.test(file.type) ? bigClip(file, whose) : isStructure && file.type !== "application/json" ? h("div", { class: "big" }, structure({ words: whose, text: await file.text() })) : await text(file, manifest);
  if (spoken) shown.append(chapters(manifest.edit.chapters, shown.querySelector("audio, video")));
  return h("div", {}, h("div", { class: "two" }, h("div", {}, shown, acts, isJudged(asset) && stars(asset.id)), h("div", {}, novelty, facts, Object.keys(use.controls).length > 0 && set, checks(file, raw))),
    h("section", {}, h("h3", {}, "The same again"), again(manifest)),
    h("details", {}, h("summary", {}, "The signed manifest"), h("pre", {}, JSON.stringify(signed, null, 1))));
}

function bigImage(file, words) {
  const source = URL.createObjectURL(file);
  const shown = h("img", { alt: words, src: source, onload: () => { shown.classList.toggle("pixels", shown.naturalWidth < 300); URL.revokeObjectURL(source); } });
  return h("div", { class: "big" }, shown);
}

export function bigClip(file, words) {
  const src = URL.createObjectURL(file);
  const shown = file.type.startsWith("video/") ? h("video", { controls: true, ...CLIP, src, "aria-label": words }) : h("img", { class: "clip pixels", src, alt: words });
  return h("div", { class: "big" }, shown);
}

const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** What is heard where ([start, end, words]), each a button that plays from there; the one that is heard is marked. */
export function places(entries, player) {
  const items = entries.map(([start, , words]) => h("button", { type: "button", class: "plain", onclick: () => { player.currentTime = start; player.play().catch(() => {}); } }, h("span", { class: "tag" }, minutes(start)), words));
  player.addEventListener("timeupdate", () => entries.forEach(([start, end], at) => {
    const { currentTime: now } = player;
    if (now >= start && now < end) items[at].setAttribute("aria-current", "true");
    else items[at].removeAttribute("aria-current");
  }));
  return h("ol", { class: "places" }, items.map((one) => h("li", {}, one)));
}

/** The chapters of what is read aloud; nothing where it has none. */
export const chapters = (found, player) => (found.length ? places(found.map((one) => [one.start, one.end, one.title || "(beginning)"]), player) : "");

/** A sound with its wave drawn: of every moment the least and the greatest sample. */
export async function bigSound(file, words) {
  const canvas = h("canvas", { width: 600, height: 120, role: "img", "aria-label": "How loud it is from beginning to end" });
  const source = URL.createObjectURL(file);
  const audio = h("audio", { controls: true, src: source, "aria-label": words });
  try {
    const heard = (await new OfflineAudioContext(1, 1, 44100).decodeAudioData(await file.arrayBuffer())).getChannelData(0);
    const pen = canvas.getContext("2d");
    pen.fillStyle = getComputedStyle(document.body).color;
    for (let place = 0; place < canvas.width; place++) {
      const part = heard.subarray(Math.floor(place * heard.length / canvas.width), Math.max(1, Math.ceil((place + 1) * heard.length / canvas.width)));
      let [low, high] = [0, 0];
      for (const one of part) { if (one < low) low = one; if (one > high) high = one; }
      pen.fillRect(place, 60 - 58 * Math.min(1, high), 1, Math.max(1, 58 * (Math.min(1, high) - Math.max(-1, low))));
    }
  } catch {
    canvas.remove();
  }
  return h("div", { class: "big" }, canvas, audio);
}

async function text(file, manifest) {
  if (file.type === "application/json") return h("p", { class: "soft" }, "This is the manifest alone; what it belongs to is not here.");
  const whole = [...(await file.text())];
  const start = manifest.continues_characters ?? 0;
  return h("pre", {}, h("span", { class: "soft" }, whole.slice(0, start).join("")), whole.slice(start).join(""));
}

function again(manifest) {
  const found = lines(manifest);
  const entry = (name, words) => [name, words, () => h("div", {}, h("pre", { tabindex: 0 }, found[name]), button("Copy", { icon: "copy", act: () => copy(found[name], words) }))];
  return tabs("The same again", [entry("shell", "Shell"), entry("python", "Python"), entry("curl", "curl")]);
}

/** Let the server check signature, content and marks. A manifest goes as it came: read and written anew, 1.0 would be 1 and the signature broken. */
function checks(file, raw) {
  const place = h("div", { "aria-live": "polite" });
  const act = async () => {
    place.replaceChildren(h("p", { class: "soft" }, "Checking …"));
    const form = new FormData();
    form.append("file", file, "asset");
    if (raw) form.append("manifest", raw, "manifest.json");
    try {
      const found = await call("/makar/v1/verify", { form });
      const marks = { ok: ["good", "in order"], failed: ["bad", "broken"], unknown: ["gold", "unknown"] };
      place.replaceChildren(h("ul", { class: "small" }, found.checks.map((check) => h("li", {}, h("span", { class: `tag ${marks[check.status][0]}` }, marks[check.status][1]), ` ${check.link}, ${check.name}: ${check.detail}`))));
    } catch (error) {
      place.replaceChildren(problem(error));
    }
  };
  return h("section", {}, h("h3", {}, "Is it what it says it is?"), button("Check it", { act }), place);
}

