// Manifests: read out of a file that was made, turned back into settings, and into lines for the shell, Python and curl.

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** A manifest is smaller; a film is not read whole to find out that it is none. */
const MOST_BYTES = 32e6;

/** The signed manifest in a PNG file (chunk iTXt "makar"), or of a sidecar; null where there is none. */
export async function manifestOf(file) {
  const begin = new Uint8Array(await file.slice(0, PNG.length).arrayBuffer());
  const isPicture = PNG.every((byte, place) => begin[place] === byte);
  if (!isPicture && file.size > MOST_BYTES) return null;
  const bytes = new Uint8Array(await file.arrayBuffer());
  try {
    if (isPicture) return inside(bytes);
    const values = JSON.parse(new TextDecoder().decode(bytes));
    return values?.manifest && values?.signature ? values : null;
  } catch {
    return null;
  }
}

function inside(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (kind === "iTXt") {
      const end = data.indexOf(0);
      // Keyword, 0, compressed or not, method, language, 0, keyword in that language, 0, text. Ours is never compressed.
      if (String.fromCharCode(...data.subarray(0, end)) === "makar" && data[end + 1] === 0) {
        const language = data.indexOf(0, end + 3);
        const text = data.indexOf(0, language + 1);
        return JSON.parse(new TextDecoder().decode(data.subarray(text + 1)));
      }
    }
    if (kind === "IEND") break;
    at += 12 + length;
  }
  return null;
}

/** What was asked for, as the pages ask for it. */
export function settingsOf(manifest) {
  const { operation, speed, pitch, energy } = manifest.edit ?? {};
  const manner = operation === "speak" ? Object.entries({ speed: speed === 1 ? null : speed, pitch: pitch || null, energy: energy || null }) : [];
  const steering = Object.entries(manifest.steering ?? {}).filter(([, value]) => value !== 0);
  const palette = manifest.finish?.palette;
  const finish = palette ? [["palette", palette.colours?.join(",") ?? palette]] : [];
  const controls = Object.fromEntries([...Object.entries(manifest.settings ?? {}), ...steering, ...manner, ...finish].filter(([name, value]) => name !== "kind" && value !== null && value !== undefined && !(Array.isArray(value) && !value.length)));
  const isTold = Array.isArray(manifest.prompt) && manifest.prompt.length > 0 && manifest.prompt.every((one) => one?.role);
  const turns = isTold ? manifest.prompt : null;
  // What was asked alone is its own text; a conversation is none that could be gone on from elsewhere.
  const prompt = turns?.length === 1 ? turns[0].content : manifest.prompt;
  return { model: manifest.artifact?.name, prompt: typeof prompt === "string" ? prompt : prompt === null || prompt === undefined ? "" : JSON.stringify(prompt), turns, seed: manifest.seed, controls, medium: manifest.medium };
}

const shell = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${String(word).replaceAll("'", `'"'"'`)}'`);
export const written = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const python = (value) => {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${python(one)}`).join(", ")}}`;
  return JSON.stringify(value);
};

const WHOLE = new Set(["denoise", "reconstruct", "translate", "colour", "control"]);

/** What was done to an image, as words of the verb, values of Python and fields of a form; IMAGE and MASK stand for files. */
function howOf(edit) {
  const how = Object.entries(edit.settings ?? {});
  if (edit.mask && !edit.settings?.box && !how.some(([name]) => ["left", "top", "right", "bottom", "background"].includes(name))) how.push(["mask", "MASK.png"]);
  if (edit.reference) how.push(["reference", "REFERENCE.png"]);
  const whole = WHOLE.has(edit.operation) ? [`--${edit.operation}`] : [];
  const option = (name) => `--${name.replaceAll("_", "-")}`;
  return { words: [...whole, ...how.flatMap(([name, value]) => (value === true ? [option(name)] : [option(name), Array.isArray(value) ? value.join(",") : String(value)]))], values: { ...Object.fromEntries(how), ...(whole.length ? { operation: edit.operation } : {}) } };
}

/** What was done to a sound or a clip. */
function changeOf(edit) {
  const values = Object.fromEntries(Object.entries(edit.settings ?? {}).filter(([, value]) => value !== false && value !== null));
  const words = Object.entries(values).flatMap(([name, value]) => (name === "operation" ? [`--${value}`] : value === true ? [`--${name.replaceAll("_", "-")}`] : [`--${name.replaceAll("_", "-")}`, Array.isArray(value) ? value.join(",") : String(value)]));
  const files = { ...(edit.mask ? { mask: "MASK.png" } : {}), ...(edit.to ? { to: "LAST.png" } : {}) };
  return { words, values, files };
}

/** Of a script that was read aloud what Create asks of one; null of everything else. */
export function readingOf({ edit, prompt: script, seed, settings, content }) {
  if (edit?.operation !== "read aloud") return null;
  const voices = Object.fromEntries(edit.voices.map(({ name, model, label }) => [name, label === null ? model : `${model}:${label}`]));
  const controls = { ...(edit.speed === 1 ? {} : { speed: edit.speed }), ...(edit.pitch ? { pitch: edit.pitch } : {}), ...(settings.steps ? { steps: settings.steps } : {}) };
  return { script, voices, form: content.format ?? "wav", seed, controls };
}

/** Lines that read a script aloud again. */
function readingLines(manifest) {
  const { voices, form, seed, controls } = readingOf(manifest);
  const { drawing, consent } = manifest.edit.presenter ?? {};
  const face = { ...(drawing === undefined ? {} : { drawing: "DRAWING.png", mouth: "X,Y,WIDTH" }), ...(consent ? { consent: "CONSENT.json" } : {}) };
  const others = Object.entries({ ...controls, ...face });
  return {
    shell: ["makar", "speak", "SCRIPT.md", ...Object.entries(voices).flatMap(([name, voice]) => ["--voice", `${name}=${voice}`]), ...others.flatMap(([name, value]) => [`--${name}`, String(value)]), "--seed", String(seed), "-o", `out.${form}`].map(shell).join(" "),
    python: [`import makar`, ``, `script = open("SCRIPT.md").read()`, `asset = makar.speak(script, voices=${python(voices)}, form=".${form}", seed=${seed}, options=${python(controls)}${Object.entries(face).map(([name, value]) => `, ${name}=${name === "mouth" ? `(${value})` : python(value)}`).join("")})`, `asset.save("out.${form}")`].join("\n"),
    curl: `curl ${location.origin}/makar/v1/readings ${["script=<SCRIPT.md", `voices=${written(voices)}`, `form=${form}`, `seed=${seed}`, ...others.map(([name, value]) => `${name}=${name in face && name !== "mouth" ? "@" : ""}${value}`)].map((one) => `-F ${shell(one)}`).join(" ")}`,
  };
}

/** Lines that put films together again; FILM stands for each. */
function filmLines(edit) {
  const { start, end, ...others } = edit.settings;
  const how = { ...edit.settings, ...(edit.sound?.sound === "removed" ? { sound: "remove" } : edit.sound?.sound === "replaced" ? { sound: "SOUND.wav" } : {}) };
  const names = edit.sources.map((_, at) => `FILM-${at + 1}.webm`);
  const trim = start === undefined && end === undefined ? [] : ["--trim", `${start ?? ""}:${end ?? ""}`];
  const option = { speed: "--speed", rate_hz: "--rate" };
  const words = [...trim, ...Object.entries(others).flatMap(([name, value]) => (name === "shift_pitch" ? ["--shift-pitch"] : option[name] ? [option[name], String(value)] : [])), ...(how.sound ? ["--sound", how.sound] : []), "--format", edit.form];
  const { sound, ...said } = how;
  const fields = { ...said, ...(sound === "remove" ? { sound } : {}), format: edit.form };
  return {
    shell: ["makar", "edit", ...names, ...words, "-o", "out/"].map(shell).join(" "),
    python: [`import makar`, ``, `asset = makar.edit_film(${python(names)}, ${python(how)}, form=${python(edit.form)})[0]`, `asset.save("out/")`].join("\n"),
    curl: `curl ${location.origin}/makar/v1/edits ${names.map((name) => `-F file=@${name}`).join(" ")}${sound === "SOUND.wav" ? " -F sound=@SOUND.wav" : ""} -F ${shell(`how=${JSON.stringify(fields)}`)}`,
  };
}

/** Lines that have a conversation answered again. */
function chatLines({ model, turns, seed, controls }, sets) {
  const { max_tokens: most, ...others } = controls;
  const body = { model, messages: turns, seed, controls: others, ...(most ? { max_tokens: most } : {}) };
  const curl = `curl ${location.origin}/v1/chat/completions -H "content-type: application/json" \\\n  -d ${shell(JSON.stringify(body))}`;
  const system = turns[0].role === "system" ? ["--system", turns[0].content] : [];
  const said = turns.slice(system.length ? 1 : 0);
  const isFirst = said.length === 1 && said[0].role === "user";
  return {
    // A conversation that is longer can only be given to a server.
    shell: isFirst ? ["makar", "chat", model, ...system, "-m", said[0].content, "--seed", String(seed), ...sets].map(shell).join(" ") : curl,
    python: [`import makar`, ``, `model = makar.load(${python(model)})`, `asset = model.generate(${python(turns)}, seed=${seed}, options=${python(controls)})[0]`, `print(asset.content)`].join("\n"),
    curl,
  };
}

/** Lines that make the same again; outlines and vocoders are not had over HTTP. */
export function lines(manifest) {
  const settings = settingsOf(manifest);
  const { model, prompt, seed, controls, medium } = settings;
  const all = { ...controls, ...(manifest.finish?.svg ? { svg: true } : {}), ...(manifest.vocoder ? { vocoder: manifest.vocoder.name } : {}) };
  const isImage = medium === "image";
  const sets = Object.entries(all).flatMap(([name, value]) => ["--set", `${name}=${written(value)}`]);
  if (manifest.edit?.operation === "read aloud") return readingLines(manifest);
  if (manifest.edit?.operation === "film") return filmLines(manifest.edit);
  if (settings.turns) return chatLines(settings, sets);
  if (manifest.edit && isImage) {
    const { words, values } = howOf(manifest.edit);
    const ends = { "interpolate-seeds": [], interpolate: ["IMAGE.png", "LAST.png"] }[manifest.edit.operation] ?? ["IMAGE.png"];
    const given = { ...values, ...(ends[1] ? { to: ends[1] } : {}) };
    const fields = { model, ...(prompt ? { prompt } : {}), seed, ...given, controls: JSON.stringify(controls) };
    const form = Object.entries(fields).map(([name, value]) => `-F ${shell(`${name}=${String(value).endsWith(".png") ? "@" : ""}${written(value)}`)}`);
    return {
      shell: ["makar", "edit", model, ...ends, ...words, ...(prompt ? ["--prompt", prompt] : []), "--seed", String(seed), ...sets].map(shell).join(" "),
      python: [`import makar`, ``, `model = makar.load(${python(model)})`, `asset = model.edit(${ends.length ? python(ends[0]) : "None"}, how=${python(given)}, prompt=${prompt ? python(prompt) : "None"}, seed=${seed}, options=${python(all)})[0]`, `asset.save("out.png")`].join("\n"),
      curl: `curl ${location.origin}/v1/images/edits ${ends.length ? "-F image=@IMAGE.png " : ""}${form.join(" ")}`,
    };
  }
  if (manifest.edit?.operation === "infill") {
    const { max_tokens: most, ...others } = controls;
    const body = { model, prompt: "BEFORE", suffix: "AFTER", seed, controls: others, ...(most ? { max_tokens: most } : {}) };
    return {
      shell: ["makar", "edit", model, "FILE.py", "--infill", "--seed", String(seed), ...sets].map(shell).join(" "),
      python: [`import makar`, ``, `model = makar.load(${python(model)})`, `asset = model.edit("FILE.py", how={"infill": True}, seed=${seed}, options=${python(all)})[0]`, `print(asset.content)`].join("\n"),
      curl: `curl ${location.origin}/v1/completions -H "content-type: application/json" \\\n  -d ${shell(JSON.stringify(body))}`,
    };
  }
  const isSound = medium === "sound";
  const isVideo = medium === "video";
  const isFile = medium === "structure" || medium === "music";
  // What is spoken is made and not changed, although it states how.
  if (manifest.edit && manifest.edit.operation !== "speak" && (isSound || isVideo || isFile)) {
    const { words, values, files } = changeOf(manifest.edit);
    const file = { sound: "SOUND.wav", video: "CLIP.webm", structure: "GIVEN.pdb", music: "GIVEN.mid" }[medium];
    const put = Object.keys(files).map((name) => `-F ${name}=@${files[name]}`);
    const form = Object.entries({ model, ...(prompt ? { prompt } : {}), seed, how: JSON.stringify(values), controls: JSON.stringify(controls) }).map(([name, value]) => `-F ${shell(`${name}=${value}`)}`);
    const { to, ...named } = files;
    return {
      shell: ["makar", "edit", model, file, ...(to ? [to] : []), ...words, ...Object.entries(named).flatMap(([name, value]) => [`--${name}`, value]), ...(prompt ? ["--prompt", prompt] : []), "--seed", String(seed), ...sets].map(shell).join(" "),
      python: [`import makar`, ``, `model = makar.load(${python(model)})`, `asset = model.edit(${python(file)}, how=${python({ ...values, ...files })}, prompt=${prompt ? python(prompt) : "None"}, seed=${seed}, options=${python(all)})[0]`, `asset.save("out/")`].join("\n"),
      curl: `curl ${location.origin}/makar/v1/edits -F file=@${file} ${[...put, ...form].join(" ")}`,
    };
  }
  const words = ["makar", "generate", model, ...(prompt ? [prompt] : []), "--seed", String(seed), ...sets, ...(isImage || isSound || isVideo || isFile ? ["-o", "out/"] : [])];
  const { max_tokens: most, ...others } = controls;
  const body = isVideo || isFile ? { model, prompt, seed, controls } : isSound ? { model, input: prompt, seed, controls, response_format: "wav" } : isImage ? { model, prompt, seed, controls } : { model, prompt, seed, controls: others, ...(most ? { max_tokens: most } : {}) };
  const route = medium === "structure" ? "structures" : isFile ? medium : isVideo ? "videos" : isImage ? "images/generations" : isSound ? "audio/speech" : "completions";
  return {
    shell: words.map(shell).join(" "),
    python: [`import makar`, ``, `model = makar.load(${python(model)})`, `asset = model.generate(${prompt ? python(prompt) : "None"}, seed=${seed}, options=${python(all)})[0]`, isImage ? `asset.save("out.${all.svg ? "svg" : "png"}")` : isSound ? `asset.save("out.wav")` : isVideo || isFile ? `asset.save("out/")` : `print(asset.content)`].join("\n"),
    curl: `curl ${location.origin}${isFile ? "/makar" : ""}/v1/${route}${isSound ? " -o out.wav" : ""} -H "content-type: application/json" \\\n  -d ${shell(JSON.stringify(body))}`,
  };
}

/** How new something is, in words: [share or null, words, whether it is a copy]. */
export function noveltyWords(novelty) {
  if (!novelty) return [null, "Not compared: the training data is not on this machine.", false];
  const { score, is_copy: isCopy, measure, value, threshold } = novelty;
  const shown = Number(value?.toPrecision?.(3) ?? value);
  const why = {
    distance_ratio: `To the nearest training image it is ${shown} times as far as the model's typical distance; up to ${Number(threshold?.toPrecision?.(2))} counts as a copy.`,
    rmsd: `Its CA atoms are ${shown} angstroms (RMSD) from the nearest training backbone; up to ${Number(threshold?.toPrecision?.(2))} counts as a copy.`,
    longest_span: `The longest passage that it shares with the training data has ${shown} words; ${threshold} and more count as a copy.`,
  }[measure] ?? `${String(measure).replaceAll("_", " ")}: ${shown}; ${threshold} marks a copy.`;
  return [score, why, Boolean(isCopy)];
}
