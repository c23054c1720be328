// Promote: a model takes the name of another one where it is measured to be better and surely no worse; and the way back.

import { h, button, number, problem, table } from "./dom.js";
import { call, forgetModels } from "./api.js";

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

/** Let the better model take the name of the other one, where it is measured to be no worse. */
export function promotion(better, worse) {
  return slow(`Let ${better} take the name ${worse}`, "Measuring both …", async (status) => {
    const found = await ask({ model: better, name: worse });
    const isKept = found.kept_as !== null;
    const between = ({ gain }) => (gain ? `${number(gain.low)} to ${number(gain.high)}` : "");
    status.replaceChildren(h("p", {}, h("span", { class: `tag ${isKept ? "good" : "gold"}` }, found.verdict), isKept ? ` ${worse} is what ${better} is now; the model before is ${found.kept_as}` : " It is surely worse at something, or better at nothing"),
      table(["measured", "has to be", "gain", "between", "verdict"], found.checks.map((one) => [one.name, one.wanted, one.gain ? `${number(one.gain.value)} ${one.unit}` : "–", between(one), one.why ? `${one.verdict}: ${one.why}` : one.verdict]), "Verdict"),
      ...(isKept ? [giveBack(worse)] : []));
    return isKept;
  });
}

/** Give a name back to the model that had it before the last promotion. */
export function giveBack(name) {
  return slow(`Give the name ${name} back`, "One moment …", async (status) => {
    const found = await ask({ name });
    status.replaceChildren(h("p", {}, `${name} is the model before again; the other one is ${found.kept_as}`));
    return true;
  });
}
