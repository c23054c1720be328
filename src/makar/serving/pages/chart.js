// Curves as a drawing with axes, a legend that switches lines, and the same figures as a table for those who cannot see it.

import { h, number, shape, table } from "./dom.js";

const WIDTH = 640, HEIGHT = 260, LEFT = 56, RIGHT = 12, TOP = 10, BOTTOM = 30;
/** Points of a line that are drawn; a drawing of this width shows no more. */
const MOST = 2000;
const COLOURS = ["var(--accent)", "var(--gold)", "var(--good)", "var(--bad)", "var(--soft)"];
const DASHES = ["", "6 3", "2 3", "8 3 2 3", "1 4"];

/** Round steps for an axis. */
function ticks(low, high, count) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step) found.push(at);
  return found;
}

/** An average that follows, by as much as `share`. */
export function smooth(points, share) {
  let last = null;
  return points.map(([x, y]) => [x, (last = last === null ? y : share * last + (1 - share) * y)]);
}

/** A chart of lines `{name, points: [[x, y], ...]}`. */
export function chart(lines, { x = "step", y = "loss", isLog = false } = {}) {
  const drawn = lines.map((line) => ({ ...line, points: thin(line.points.filter(([, value]) => Number.isFinite(value) && (!isLog || value > 0)), MOST) })).filter((line) => line.points.length);
  if (!drawn.length) return h("p", { class: "soft" }, "No figures yet.");
  const all = drawn.flatMap((line) => line.points);
  const scale = (value) => (isLog ? Math.log10(value) : value);
  const xs = all.map((point) => point[0]), ys = all.map((point) => scale(point[1])).sort((a, b) => a - b);
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  // A first step far above all others must not flatten the rest.
  const bottom = ys[0], top = ys.length > 20 ? Math.min(ys.at(-1), ys[Math.floor(.97 * ys.length)] + .3 * (ys[Math.floor(.97 * ys.length)] - ys[0])) : ys.at(-1);
  const atX = (value) => LEFT + (WIDTH - LEFT - RIGHT) * (high > low ? (value - low) / (high - low) : .5);
  const atY = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (top > bottom ? Math.min(1, (scale(value) - bottom) / (top - bottom)) : .5));
  const grid = ticks(bottom, top, 4).map((value) => {
    const place = TOP + (HEIGHT - TOP - BOTTOM) * (1 - (top > bottom ? (value - bottom) / (top - bottom) : .5));
    return [shape("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: place, y2: place, stroke: "var(--line)" }), words(LEFT - 6, place + 4, number(isLog ? 10 ** value : value), "end")];
  });
  const below = ticks(low, high, 5).map((value) => words(atX(value), HEIGHT - 10, number(value), "middle"));
  const curves = drawn.map((line, place) => {
    const colour = COLOURS[place % COLOURS.length];
    const path = line.points.map((point, one) => `${one ? "L" : "M"}${atX(point[0]).toFixed(1)} ${atY(point[1]).toFixed(1)}`).join("");
    const dots = line.points.length < 60 ? line.points.map((point) => shape("circle", { cx: atX(point[0]), cy: atY(point[1]), r: 2.5, fill: colour })) : [];
    return shape("g", {}, shape("path", { d: path, fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": DASHES[place % DASHES.length], "stroke-linejoin": "round" }), ...dots);
  });
  const last = (line) => number(line.points.at(-1)[1]);
  const said = drawn.map((line) => `${line.name}: from ${number(line.points[0][1])} to ${last(line)}`).join("; ");
  const legend = h("ul", { class: "row small legend" }, drawn.map((line, place) => h("li", {}, mark(place), ` ${line.name} ${last(line)}`)));
  const rows = drawn.flatMap((line) => thin(line.points, 20).map(([one, value]) => [line.name, one, value]));
  return h("figure", { class: "chart" }, shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${y} by ${x}. ${said}` }, ...grid.flat(), ...below, ...curves), h("figcaption", {}, legend),
    h("details", {}, h("summary", {}, "The same as a table"), table(["line", x, y], rows, `${y} by ${x}`)));
}

function words(x, y, text, anchor) {
  return shape("text", { x, y, "text-anchor": anchor, "font-size": 12, fill: "var(--soft)" }, text);
}

function mark(place) {
  return shape("svg", { viewBox: "0 0 24 8", width: 24, height: 8, "aria-hidden": "true" }, shape("line", { x1: 0, x2: 24, y1: 4, y2: 4, stroke: COLOURS[place % COLOURS.length], "stroke-width": 3, "stroke-dasharray": DASHES[place % DASHES.length] }));
}

const thin = (points, most) => (points.length <= most ? points : points.filter((_, place) => place % Math.ceil(points.length / most) === 0 || place === points.length - 1));
