// Tools in Chat: functions that a model may call, told in OpenAI's shape; what it calls is shown, and a person says what came of it.

import { h, button, choice, dialog, field, say } from "./dom.js";

const NAME = "[A-Za-z0-9_\\-]{1,64}";
const EXAMPLE = JSON.stringify({ type: "object", properties: { place: { type: "string" } }, required: ["place"], additionalProperties: false }, null, 1);

/** Read tools that were pasted: one or a list, each whole or only its function. Throws where they are no such thing. */
export function readTools(text) {
  const values = JSON.parse(text);
  return (Array.isArray(values) ? values : [values]).map((one) => {
    const { name, description = "", parameters = { type: "object", properties: {} } } = one?.function ?? one ?? {};
    if (typeof name !== "string" || !new RegExp(`^${NAME}$`).test(name)) throw new Error("a tool has no name of letters, digits, _ and -");
    if (typeof parameters !== "object" || !parameters || Array.isArray(parameters)) throw new Error(`the parameters of ${name} are no JSON Schema of an object`);
    return { type: "function", function: { name, description, parameters } };
  });
}

/** What a request says of the tools of a conversation; after a result the model is free to answer in words. */
export function asked(talk, { isResult }) {
  if (!talk.tools?.length) return {};
  const named = talk.tools.some((one) => one.function.name === talk.choice);
  const wanted = named ? { type: "function", function: { name: talk.choice } } : talk.choice ?? "auto";
  return { tools: talk.tools, tool_choice: isResult && wanted !== "none" ? "auto" : wanted };
}

/** A message as the server reads it. */
export function messageOf(node) {
  if (node.role === "tool") return { role: "tool", tool_call_id: node.call, content: node.text };
  return { role: node.role, content: node.text, ...(node.calls ? { tool_calls: node.calls } : {}) };
}

/** The tools of a conversation, to add, change and take away; `changed` is called after each. */
export function toolBox(talk, changed) {
  const box = h("details", { open: Boolean(talk.tools?.length) });
  const put = (tools, { choice: wanted = talk.choice } = {}) => { Object.assign(talk, { tools, choice: wanted }); changed(); draw(); };
  const add = (made, old) => {
    const others = (talk.tools ?? []).filter((one) => one !== old);
    const twice = made.find((one, place) => [...others, ...made.slice(0, place)].some((other) => other.function.name === one.function.name));
    if (twice) throw new Error(`two tools are called ${twice.function.name}`);
    put([...others, ...made]);
  };
  const draw = () => {
    const tools = talk.tools ?? [];
    const names = tools.map((one) => one.function.name);
    const when = choice([["auto", "when it likes"], ["required", "always"], ["none", "never"], ...names.map((name) => [name, `always ${name}`])], names.includes(talk.choice) || ["required", "none"].includes(talk.choice) ? talk.choice : "auto", (value) => put(tools, { choice: value }));
    box.replaceChildren(h("summary", {}, tools.length ? `Tools: ${tools.length}` : "Tools"), h("div", {},
      h("p", { class: "small soft" }, "Functions that the model may call. What it calls is shown, and you say what came of it; nothing is run."),
      tools.length > 0 && h("ul", { class: "plain" }, tools.map((one) => h("li", { class: "row spread" }, h("code", {}, one.function.name), h("span", { class: "row tight" }, button("", { icon: "edit", kind: "plain", title: `Change ${one.function.name}`, act: () => open(add, one) }), button("", { icon: "trash", kind: "plain", title: `Take ${one.function.name} away`, act: () => put(tools.filter((other) => other !== one)) }))))),
      tools.length > 0 && field("The model calls", when, "Not where answers come from documents"),
      button("Add a tool", { icon: "plus", act: () => open(add) })));
  };
  draw();
  return box;
}

function open(add, old) {
  const given = old?.function ?? { name: "", description: "", parameters: null };
  const name = h("input", { type: "text", required: true, pattern: NAME, value: given.name, autocomplete: "off", spellcheck: "false" });
  const description = h("input", { type: "text", value: given.description });
  const parameters = h("textarea", { rows: 9, value: given.parameters ? JSON.stringify(given.parameters, null, 1) : EXAMPLE, spellcheck: "false" });
  const whole = h("textarea", { rows: 3, spellcheck: "false", placeholder: '[{"type": "function", "function": {"name": …}}]' });
  const wrong = h("p", { class: "small", role: "alert" });
  const save = (read) => (event) => {
    event.preventDefault();
    try {
      add(read(), old);
      top.close();
      say("The model knows it from the next message on");
    } catch (error) {
      wrong.textContent = `That is no tool: ${error.message}`;
    }
  };
  const top = dialog(old ? `The tool ${given.name}` : "A tool", h("div", {},
    h("form", { onsubmit: save(() => readTools(JSON.stringify({ name: name.value, description: description.value, parameters: JSON.parse(parameters.value) }))) },
      field("Name", name, "Letters, digits, _ and -"), field("Description", description, "What it does, and when it is of use"), field("Parameters", parameters, "A JSON Schema; what is forced always fits it"), button("Keep it", { kind: "main", type: "submit" })),
    !old && h("details", {}, h("summary", {}, "Or paste tools in OpenAI's shape"), h("form", { onsubmit: save(() => readTools(whole.value)) }, field("Tools as JSON", whole), button("Take them", { type: "submit" }))), wrong), { kind: "slim" });
}

const pretty = (text) => { try { return JSON.stringify(JSON.parse(text), null, 1); } catch { return text; } };

/** The calls of an answer, word for word. */
export function called(calls) {
  return h("div", {}, calls.map((one) => h("div", { class: "call" }, h("p", { class: "small soft" }, "calls ", h("code", {}, one.function.name)), h("pre", { tabindex: 0, "aria-label": `Arguments of ${one.function.name}` }, pretty(one.function.arguments)))));
}

/** Ask what came of some calls; `give` gets a text for each. */
export function results(calls, give) {
  const inputs = calls.map(() => h("textarea", { rows: 3, required: true, spellcheck: "false", placeholder: '{"temperature": 12}' }));
  return h("form", { class: "results", onsubmit: (event) => { event.preventDefault(); give(inputs.map((input) => input.value)); } },
    calls.map((one, place) => field(`Result of ${one.function.name}`, inputs[place], place + 1 === calls.length && "What the function gave, as text or JSON")), button("Give it to the model", { icon: "send", kind: "main", type: "submit" }));
}
