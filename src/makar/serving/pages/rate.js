// What people say of things: a name and consent once, then thumbs and stars, kept in the table that models learn from.

import { h, button, dialog, field, say } from "./dom.js";
import { call, request } from "./api.js";

const WHO = "makar-rater";

/** Who judges in this browser, and whether models may learn from it; null while nobody said. */
export function rater() {
  try {
    const found = JSON.parse(localStorage.getItem(WHO));
    return found?.name ? found : null;
  } catch {
    return null;
  }
}

/** A name and a box, kept as they are changed. */
export function raterForm() {
  const known = rater();
  const name = h("input", { type: "text", required: true, maxlength: 60, autocomplete: "nickname", value: known?.name ?? "" });
  const consent = h("input", { type: "checkbox", checked: known?.consent ?? false });
  const keep = () => localStorage.setItem(WHO, JSON.stringify({ name: name.value.trim(), consent: consent.checked }));
  name.addEventListener("change", keep);
  consent.addEventListener("change", keep);
  const form = h("div", {}, field("Your name", name, "Stands beside what you say, on this server only"), h("label", { class: "check field" }, consent, "Models may learn from what I say"));
  form.keep = keep;
  return form;
}

/** The rater; asked for where nobody is known yet. */
export function wantRater() {
  const known = rater();
  if (known) return Promise.resolve(known);
  return new Promise((done) => {
    const form = raterForm();
    const top = dialog("Who are you?", h("form", { onsubmit: (event) => { event.preventDefault(); form.keep(); top.close(); } }, form, button("Go on", { kind: "main", type: "submit" })), { kind: "slim" });
    top.addEventListener("close", () => done(rater()));
  });
}

const base64 = (blob) => new Promise((good, bad) => {
  const reader = new FileReader();
  reader.onload = () => good(reader.result.split(",")[1]);
  reader.onerror = () => bad(reader.error);
  reader.readAsDataURL(blob);
});

/** An asset of the library as it is judged: with its signed manifest. */
async function itemOf(id) {
  const [manifest, file] = await Promise.all(["manifest", "content"].map(async (part) => (await request(`/makar/v1/assets/${id}/${part}`)).blob()));
  if (file.type === "image/png") return { png: await base64(file) };
  return { ...(/^(audio|video|image)[/]/.test(file.type) ? { file: await base64(file) } : { text: await file.text() }), manifest: await manifest.text() };
}

/** Keep what is said of assets (ids) or of items; says so, and gives whether it was kept. */
export async function judge(kind, items, value, more = {}) {
  const who = await wantRater();
  if (!who) return false;
  try {
    const read = await Promise.all(items.map((item) => (typeof item === "string" ? itemOf(item) : item)));
    // Signed texts are put in as they came: read and written anew, 1.0 would be 1 and the signature broken.
    const signed = [];
    const judged = read.map((item) => (item.manifest ? { ...item, manifest: `@signed-${signed.push(item.manifest) - 1}@` } : item));
    const body = JSON.stringify({ kind, items: judged, ...(value === null ? {} : { value }), rater: who.name, consent: who.consent, ...more });
    await call("/makar/v1/feedback", { json: body.replace(/"manifest":"@signed-(\d+)@"/g, (_, place) => `"manifest":${signed[place]}`) });
    say(who.consent ? "Kept; models may learn from it" : "Kept");
    return true;
  } catch (error) {
    say(error.message, { seconds: 10 });
    return false;
  }
}

/** Two thumbs for an asset. */
export function thumbs(id, { kind = "plain" } = {}) {
  const give = (value, words, name) => {
    const one = button("", { icon: name, kind, title: words, "aria-pressed": false, act: async () => {
      if (!(await judge("thumb", [id], value))) return;
      for (const other of both) other.setAttribute("aria-pressed", other === one);
    } });
    return one;
  };
  const both = [give(1, "Good", "good"), give(0, "Poor", "poor")];
  return h("span", { class: "row tight" }, both);
}

/** One to five stars for an asset. */
export function stars(id) {
  const all = [1, 2, 3, 4, 5].map((count) => button("", { icon: "feedback", kind: "plain", title: `${count} of 5`, "aria-pressed": false, act: async () => {
    if (!(await judge("stars", [id], count))) return;
    all.forEach((one, place) => { one.classList.toggle("lit", place < count); one.setAttribute("aria-pressed", place === count - 1); });
  } }));
  return h("div", { class: "row tight stars", role: "group", "aria-label": "Stars" }, all);
}
