// The frame: which pages there are, which one is shown, light and dark, and whether the server is there.

import { h, icon, button, failed, problem } from "./dom.js";

const GROUPS = [
  ["Make", [["create", "Create"], ["edit", "Edit"], ["compare", "Compare"], ["chat", "Chat"]]],
  ["Look", [["gallery", "Gallery"], ["arena", "Arena"], ["knowledge", "Knowledge"]]],
  ["Learn", [["train", "Train"], ["models", "Models"], ["feedback", "Feedback"]]],
];
const WORDS = new Map(GROUPS.flatMap(([, pages]) => pages));
const THEMES = ["light dark", "light", "dark"];
const THEME_WORDS = { "light dark": "as the system", light: "light", dark: "dark" };

const main = document.getElementById("main");
const ways = document.getElementById("ways");
const menu = document.getElementById("menu");

/** A part of an address; one that somebody wrote by hand may be none. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Where the address says we are: `#/create?model=x` is the page "create" with the word model. */
function here() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return { name: WORDS.has(name) ? name : "create", rest: rest.map(decoded), words: new URLSearchParams(query) };
}

let shown = 0;
async function show({ isFirst = false } = {}) {
  const place = here();
  const turn = ++shown;
  document.title = `${WORDS.get(place.name)} – Makar`;
  for (const link of ways.querySelectorAll("a")) {
    if (link.dataset.name === place.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  open(false);
  for (const top of document.querySelectorAll("dialog[open]")) top.close();
  try {
    await import(`./${place.name}.js`);
    if (turn !== shown) return;
    const page = document.createElement(`makar-${place.name}`);
    page.place = place;
    main.replaceChildren(page);
  } catch (error) {
    main.replaceChildren(h("h1", {}, WORDS.get(place.name)), problem(error));
  }
  if (!isFirst) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function open(is) {
  ways.classList.toggle("open", is);
  menu.setAttribute("aria-expanded", is);
}

function theme(next) {
  const chosen = next ?? localStorage.getItem("makar-theme") ?? THEMES[0];
  document.documentElement.style.colorScheme = chosen;
  if (next) localStorage.setItem("makar-theme", next);
  return chosen;
}

function themeButton() {
  const words = h("span", {}, `Colours: ${THEME_WORDS[theme()]}`);
  return button(words, { icon: "theme", kind: "plain", act: () => {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    theme(next);
    words.textContent = `Colours: ${THEME_WORDS[next]}`;
  } });
}

async function pulse(state) {
  try {
    const answer = await fetch("/health");
    state.textContent = answer.ok ? `Makar ${(await answer.json()).version}, on this server` : "The server is ill";
  } catch {
    state.textContent = "The server does not answer";
  }
}

const state = h("span", {});
ways.append(
  ...GROUPS.flatMap(([title, pages]) => [h("h2", {}, title), h("ul", {}, pages.map(([name, words]) => h("li", {}, h("a", { href: `#/${name}`, "data-name": name }, icon(name), words))))]),
  h("div", { class: "foot" }, themeButton(), state),
);
menu.addEventListener("click", () => open(menu.getAttribute("aria-expanded") !== "true"));
document.getElementById("skip").addEventListener("click", () => main.focus());
addEventListener("unhandledrejection", ({ reason }) => failed(reason));
addEventListener("hashchange", () => show());
setInterval(() => document.hidden || pulse(state), 30_000);
pulse(state);
show({ isFirst: true }).then(() => document.documentElement.setAttribute("data-ready", ""));
