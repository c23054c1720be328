// Results put in order by a person: the best, the next, and which are as good as one another.

import { h, button, dialog, say } from "./dom.js";
import { card } from "./asset.js";
import { judge } from "./rate.js";

/** A button that lets results, as their cards show them, be put in order; what is not in the gallery cannot be judged. */
export function ordering(assets) {
  const known = assets.filter((one) => one.id);
  return known.length > 1 ? h("div", { class: "row" }, button("Put them in order", { act: () => order(known) })) : "";
}

function order(assets) {
  const list = h("ol", { class: "grid", "aria-label": "From the best on" });
  const entries = assets.map((asset) => {
    const entry = { asset, tie: h("input", { type: "checkbox" }) };
    const name = `Seed ${asset.seed}`;
    entry.earlier = button("", { icon: "left", title: `${name}: earlier`, act: () => move(entry, -1) });
    entry.later = button("", { icon: "right", title: `${name}: later`, act: () => move(entry, 1) });
    entry.tied = h("label", { class: "check small" }, entry.tie, "as good as the one before");
    entry.item = card(asset, { more: h("div", { class: "row tight" }, entry.earlier, entry.later, entry.tied) });
    return entry;
  });
  const draw = () => {
    entries.forEach((entry, at) => {
      entry.earlier.disabled = at === 0;
      entry.later.disabled = at === entries.length - 1;
      entry.tied.hidden = at === 0;
    });
    list.replaceChildren(...entries.map((entry) => entry.item));
  };
  const move = (entry, by) => {
    const at = entries.indexOf(entry);
    entries.splice(at + by, 0, ...entries.splice(at, 1));
    draw();
    const [pressed, other] = by < 0 ? [entry.earlier, entry.later] : [entry.later, entry.earlier];
    (pressed.disabled ? other : pressed).focus();
  };
  const keep = async () => {
    let place = 0;
    const places = entries.map(({ tie }, at) => (at > 0 && tie.checked ? place : ++place));
    if (!(await judge("ranking", entries.map(({ asset }) => asset.id), places))) return;
    top.close();
    say("The order is kept");
  };
  draw();
  const top = dialog("Which is best?", h("div", {}, list, h("div", { class: "row" }, button("Keep the order", { kind: "main", act: keep }))));
}
