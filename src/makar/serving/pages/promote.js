// Promote: a model takes the name of another one where it is measured to be better and surely no worse; and the way back.

import { h, button, choice, field, number, problem, table } from "./dom.js";
import { call, forgetModels, models } from "./api.js";

const ask = async (json) => {
  const found = await call("/makar/v1/promotions", { json });
  forgetModels();
  return found;
};

/** A button that does something slow and says beside it what came of it. */
function slow(words, waiting, act) {
  const status = h("div", { role: "status" });
  const go = button(words, { act: async () => {
    go.disabled = true;
    status.replaceChildren(h("p", { class: "small soft" }, waiting));
    try {
      go.hidden = await act(status);
    } catch (error) {
      status.replaceChildren(problem(error));
    }
    go.disabled = false;
  } });
  return h("div", {}, go, status);
}

/** Where models of text are promoted: the tables of bias and safety that both are asked, of those that the server may read. */
async function suites(name, place, choose) {
  const made = (await models()).find((one) => one.id === name);
  if (made?.medium !== "text" && made?.medium !== "code") return;
  const { brought, folders, inside } = await call("/makar/v1/sources");
  const known = [...brought.filter((one) => one.files && !one.collection).map((one) => [one.id, one.name]), ...folders, ...inside];
  place.append(field("Suites of bias and safety", choice([["", "none"], ...known], "", choose), known.length ? "Tables that both are asked; without them nothing is said of bias and safety" : "Bring a folder of them on Train, or start the server with --data FOLDER"));
}

/** Let the better model take the name of the other one, where it is measured to be no worse. */
export function promotion(better, worse) {
  let asked = {};
  const which = h("div", {});
  suites(better, which, (place) => { asked = place ? { suites: place } : {}; }).catch((error) => which.replaceChildren(problem(error)));
  const offer = slow(`Let ${better} take the name ${worse}`, "Measuring both; this can take minutes …", async (status) => {
    const found = await ask({ model: better, name: worse, ...asked });
    const isKept = found.kept_as !== null;
    const between = ({ gain }) => (gain ? `${number(gain.low)} to ${number(gain.high)}` : "");
    which.hidden = isKept;
    status.replaceChildren(h("p", {}, h("span", { class: `tag ${isKept ? "good" : "gold"}` }, found.verdict), isKept ? ` ${worse} is what ${better} is now; the model before is ${found.kept_as}` : " It is surely worse at something, or better at nothing"),
      table(["measured", "has to be", "gain", "between", "verdict"], found.checks.map((one) => [one.name, one.wanted, one.gain ? `${number(one.gain.value)} ${one.unit}` : "–", between(one), one.why ? `${one.verdict}: ${one.why}` : one.verdict]), "Verdict"),
      ...(isKept ? [giveBack(worse)] : []));
    return isKept;
  });
  return h("div", {}, which, offer);
}

/** Give a name back to the model that had it before the last promotion. */
export function giveBack(name) {
  return slow(`Give the name ${name} back`, "One moment …", async (status) => {
    const found = await ask({ name });
    status.replaceChildren(h("p", {}, `${name} is the model before again; the other one is ${found.kept_as}`));
    return true;
  });
}
