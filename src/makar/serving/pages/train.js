// Train: bring a folder, see what is in it, see the plan, train, watch, stop, go on, compare.

import { h, ask, button, choice, duration, field, isWrong, number, pairs, problem, say, size, table, when } from "./dom.js";
import { call, events, forgetModels, models, picture } from "./api.js";
import { chart, smooth } from "./chart.js";
import { bring, dropped } from "./bring.js";

const state = { source: null, inspection: null, plan: null, minutes: 10, steps: "", recipe: "", from: "", adapter: "", name: "" };
const MARKS = { running: "accent", saved: "good", stopped: "gold", queued: "gold", paused: "gold", failed: "bad" };

class Train extends HTMLElement {
  connectedCallback() {
    this.ends = new AbortController();
    this.replaceChildren(h("h1", {}, "Train"), h("p", { class: "soft" }, "One moment …"));
    const [name] = this.place.rest;
    const made = name === "compare" ? this.compare(this.place.words.getAll("run")) : name ? this.watch(name) : this.begin();
    made.catch((error) => { if (error.name !== "AbortError") this.replaceChildren(h("h1", {}, "Train"), problem(error)); });
  }

  disconnectedCallback() {
    this.ends.abort();
  }

  // A new training, and the trainings that there are.

  async begin() {
    const given = this.place.words.get("source");
    if (this.place.words.get("from")) state.from = this.place.words.get("from");
    this.looked = h("div", {});
    this.planned = h("div", {});
    this.runs = h("div", {}, h("p", { class: "soft" }, "One moment …"));
    this.replaceChildren(h("h1", {}, "Train"), h("p", { class: "lead" }, "A model of your own, from your own files, in the time that you give it. Nothing leaves this machine."),
      h("section", { class: "panel", "aria-label": "Data" }, h("h2", {}, "1. Data"), await this.sources(), this.looked), this.planned,
      h("section", { class: "panel", "aria-label": "Trainings" }, h("h2", {}, "Trainings"), this.runs));
    if (given && state.source?.id !== given) this.inspect({ id: given, name: given });
    else if (state.inspection) this.showInspection();
    this.list();
    const again = setInterval(() => document.hidden || this.list(), 4000);
    this.ends.signal.addEventListener("abort", () => clearInterval(again));
  }

  async sources() {
    const found = await call("/makar/v1/sources");
    const told = h("p", { class: "small soft", role: "status" });
    // Those of a collection of documents belong to the page Knowledge.
    const kept = found.brought.filter((one) => !one.collection && one.files);
    const brought = h("div", {}, this.brought(kept));
    const take = async (files, name) => {
      if (!files.length) return;
      try {
        const folder = await bring(files, name, (done) => { told.textContent = `Bringing ${done} of ${files.length} files`; });
        told.textContent = `${folder.name}: ${folder.files} files, ${size(folder.bytes)}`;
        kept.unshift(folder);
        brought.replaceChildren(this.brought(kept) || "");
        await this.inspect({ id: folder.id, name: folder.name });
      } catch (error) {
        told.replaceChildren(problem(error));
      }
    };
    const fromInput = (input) => take([...input.files].map((file) => [file.webkitRelativePath.split("/").slice(1).join("/") || file.name, file]), input.files[0]?.webkitRelativePath.split("/")[0] || input.files[0]?.name.replace(/\.[^.]*$/, ""));
    const folder = h("input", { type: "file", webkitdirectory: true, class: "unseen", tabindex: -1, "aria-label": "A folder to learn from", onchange: () => fromInput(folder) });
    const files = h("input", { type: "file", multiple: true, class: "unseen", tabindex: -1, "aria-label": "Files to learn from", onchange: () => fromInput(files) });
    const drop = h("div", { class: "empty drop", ondragover: (event) => { event.preventDefault(); drop.classList.add("over"); }, ondragleave: () => drop.classList.remove("over"), ondrop: async (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const [name, found] = await dropped(event.dataTransfer);
      take(found, name);
    } }, h("p", {}, "Drop a folder here: texts, code, images, tables, or an archive of them"), h("div", { class: "row center" }, button("Choose a folder", { act: () => folder.click() }), button("Choose files", { act: () => files.click() })), folder, files, told);
    const path = h("input", { type: "text", list: "known-sources", value: state.source && !state.source.id.startsWith("folder-") ? state.source.id : "", placeholder: "builtin:digits", spellcheck: "false", autocomplete: "off" });
    const known = h("datalist", { id: "known-sources" }, found.built_in.map((one) => h("option", { value: one.name }, one.meaning)), found.inside.map((one) => h("option", { value: one })));
    const hint = found.folders.length ? `Built in, or inside ${found.folders.join(", ")}` : "What is built in; folders of this machine when the server was started with --data FOLDER";
    const look = () => path.value.trim() && this.inspect({ id: path.value.trim(), name: path.value.trim() });
    const waiting = Object.entries(await call("/makar/v1/feedback/waiting")).filter(([, count]) => count);
    const fresh = waiting.length > 0 && h("p", {}, `${waiting.map(([medium, count]) => `${number(count)} of ${medium}`).join(" and ")} said about what was made since the last training on it. `, button("Learn from feedback", { act: () => this.inspect({ id: "feedback:", name: "feedback" }) }));
    return h("div", {}, fresh, drop, brought, h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); look(); } }, h("div", { class: "grow" }, field("Or a path", path, hint)), button("Look at it", { type: "submit" })), known);
  }

  /** What was brought before: to look at again, or to delete. */
  brought(folders) {
    const row = (one) => {
      const remove = async () => {
        if (!(await ask(`Delete the ${number(one.files)} files of ${one.name} on the server? Models that learned from them stay.`, "Delete"))) return;
        try {
          await call(`/makar/v1/folders/${one.id}`, { method: "DELETE" });
        } catch (error) {
          say(error.message);
          return;
        }
        item.remove();
        if (state.source?.id !== one.id) return;
        Object.assign(state, { source: null, inspection: null, plan: null });
        this.looked.replaceChildren();
        this.planned.replaceChildren();
      };
      const item = h("li", { class: "row spread" }, h("span", {}, h("strong", {}, one.name), h("span", { class: "small soft" }, ` ${number(one.files)} ${one.files === 1 ? "file" : "files"}, ${size(one.bytes)}, ${when(one.created_at)}`)),
        h("span", { class: "row tight" }, button("Look at it", { title: `Look at ${one.name}`, act: () => this.inspect({ id: one.id, name: one.name }) }), button("", { icon: "trash", kind: "plain", title: `Delete the files of ${one.name}`, act: remove })));
      return item;
    };
    return folders.length > 0 && h("details", { open: true }, h("summary", {}, "Brought before"), h("ul", { class: "plain" }, folders.map(row)));
  }

  async inspect(source) {
    Object.assign(state, { source, inspection: null, plan: null });
    this.planned.replaceChildren();
    this.looked.replaceChildren(h("p", { class: "soft", role: "status" }, `Looking at ${source.name} …`));
    try {
      const found = await call("/makar/v1/inspect", { json: { source: source.id }, signal: this.ends.signal });
      if (state.source !== source) return;
      state.inspection = found;
      this.showInspection();
    } catch (error) {
      if (error.name !== "AbortError") this.looked.replaceChildren(problem(error));
    }
  }

  showInspection() {
    const found = state.inspection;
    const top = (counts) => Object.entries(counts ?? {}).sort((a, b) => b[1] - a[1]).slice(0, 8).map(([name, count]) => `${name} ${number(count)}`).join(", ");
    const spread = (value) => typeof value === "number" ? number(value) : value.least === undefined ? Object.keys(value).join(" or ") : [...new Set([number(value.least), number(value.most)])].join(" to ");
    const copies = found.duplicates ? found.duplicates.exact + found.duplicates.near : 0;
    this.looked.replaceChildren(h("h3", {}, `${found.name}: ${number(found.used)} of ${number(found.documents)} used, ${found.medium}`),
      pairs([["Parts", ["train", "inner", "held_out"].map((part) => `${part.replace("_", " ")} ${number(found.splits[part]?.documents ?? 0)}`).join(", ")], ["Sizes", Object.entries(found.sizes ?? {}).map(([name, value]) => `${name.replaceAll("_", " ")} ${name === "bytes" ? size(value) : spread(value)}`).join(", ")],
        ["Copies", copies ? `${number(found.duplicates.exact)} exact, ${number(found.duplicates.near)} near` : "none"], ["Labels", top(found.labels)], ["Languages", top(found.languages)], ["Licences", top(found.licences)], ["Task", found.task]]),
      ...(found.skipped?.length > 0 ? [table(["left out", "reason", "for example"], found.skipped.map((row) => [row.count, row.reason, row.examples.slice(0, 2).join(", ")]), "What is left out")] : []),
      ...[...(found.notes ?? []), ...(found.warnings ?? [])].map((sentence) => h("p", { class: "small soft" }, sentence)));
    this.showPlanning();
  }

  async showPlanning() {
    const found = state.inspection;
    const [recipes, saved] = await Promise.all([call("/makar/v1/recipes"), models()]);
    // Somebody may have looked at other data meanwhile.
    if (state.inspection !== found) return;
    const put = (name) => (event) => { state[name] = event.target.value; };
    const minutes = h("input", { type: "number", min: .1, step: "any", value: state.minutes, oninput: put("minutes") });
    const steps = h("input", { type: "number", min: 1, step: 1, value: state.steps, placeholder: "by the time", oninput: put("steps") });
    const fitting = recipes.filter((one) => one.medium === found.medium).map((one) => [one.name, one.name]);
    const name = h("input", { type: "text", value: state.name, placeholder: found.name, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", oninput: put("name") });
    this.result = h("div", { role: "status" });
    const form = h("form", { onsubmit: (event) => { event.preventDefault(); this.plan(); } },
      h("div", { class: "fields" }, field("Minutes", minutes, "Wall-clock, from the data to the saved model"), field("Or steps", steps, "A fixed number is bit-reproducible"),
        field("Recipe", choice([["", "what the data are for"], ...fitting], state.recipe, (value) => { state.recipe = value; })),
        field("Begin from", choice([["", "nothing"], ...saved.map((one) => [one.id, one.id])], state.from, (value) => { state.from = value; })),
        field("Learn", choice([["", "the whole model"], ...["lora", "rslora", "dora", "qlora"].map((one) => [one, `an adapter (${one})`])], state.adapter, (value) => { state.adapter = value; }), "An adapter begins from a model"),
        field("Name", name)),
      h("div", { class: "row" }, button("Plan", { type: "submit" }), button("Train", { icon: "play", kind: "main", act: () => this.start() })), this.result);
    this.planned.replaceChildren(h("section", { class: "panel", "aria-label": "Plan" }, h("h2", {}, "2. Plan and train"), form));
    if (state.plan) this.showPlan();
  }

  asked() {
    const length = state.steps ? { steps: Number(state.steps) } : { minutes: Number(state.minutes) };
    const others = { recipe: state.recipe, from_model: state.from, adapter: state.adapter };
    return { source: state.source.id, ...length, ...Object.fromEntries(Object.entries(others).filter(([, value]) => value)) };
  }

  async plan() {
    if (isWrong(this.planned)) return;
    this.result.replaceChildren(h("p", { class: "soft" }, state.steps ? "Planning …" : "Planning; this machine is measured for a few seconds …"));
    try {
      state.plan = await call("/makar/v1/plan", { json: this.asked(), signal: this.ends.signal });
      this.showPlan();
    } catch (error) {
      if (error.name !== "AbortError") this.result.replaceChildren(problem(error));
    }
  }

  showPlan() {
    const { recipe, predicted, seconds, steps, device, threads, precision } = state.plan;
    const energy = predicted.energy?.watt_hours;
    const loss = predicted.inner_loss;
    this.result.replaceChildren(h("h3", {}, `${recipe.name} for ${seconds ? duration(seconds) : `${number(steps)} steps`}`), h("p", {}, recipe.summary),
      pairs([["Parameters", predicted.parameters], ["Steps", predicted.steps], ["Through the data", `${number(predicted.epochs)} times`], ["Where", `${device}, ${threads} ${threads === 1 ? "thread" : "threads"}, ${precision}`],
        ["Figures", predicted.measured ? "measured on this machine" : "assumed, not measured"], ["Loss to expect", loss && typeof loss === "object" ? Object.entries(loss).filter(([, value]) => typeof value === "number").map(([key, value]) => `${key} ${number(value)}`).join(", ") : loss],
        ["Energy", energy && `${number(energy.low)} to ${number(energy.high)} Wh`], ["Stages", recipe.stages.map((stage) => stage.name).join(", ")], ["Measured before", recipe.expected]]));
  }

  async start() {
    if (isWrong(this.planned)) return;
    try {
      const job = await call("/makar/v1/runs", { json: { ...this.asked(), ...(state.name ? { name: state.name } : {}) } });
      say(`${job.name} is being trained`);
      this.list();
    } catch (error) {
      this.result.replaceChildren(problem(error));
    }
  }

  async list() {
    let found;
    try {
      found = await call("/makar/v1/runs", { signal: this.ends.signal });
    } catch (error) {
      if (error.name !== "AbortError") this.runs.replaceChildren(problem(error));
      return;
    }
    // A training that runs grows all the time, and nobody is shown by how much.
    const text = JSON.stringify(found, (name, value) => (name === "megabytes" ? undefined : value));
    if (text === this.listed) return;
    this.listed = text;
    const chosen = new Set([...this.runs.querySelectorAll("input:checked")].map((box) => box.value));
    const begun = new Set(found.data.map((run) => run.id));
    const waiting = found.jobs.filter((job) => !begun.has(job.run) && job.status !== "succeeded" && job.status !== "cancelled");
    const jobs = waiting.map((job) => h("li", { class: "row spread" }, h("span", {}, h("strong", {}, job.name), " ", h("span", { class: `tag ${MARKS[job.status] ?? ""}` }, job.status === "running" ? "reading the data" : job.status), job.error && h("span", { class: "small" }, ` ${job.error}`)),
      job.status !== "failed" && button("Cancel", { title: `Cancel ${job.name}`, act: () => call(`/makar/v1/jobs/${job.id}/cancel`, { method: "POST" }).then(() => this.list()) })));
    const why = (run) => run.status === "stopped" && found.jobs.find((job) => job.run === run.id)?.error;
    const rows = found.data.map((run) => h("tr", {}, h("td", {}, h("input", { type: "checkbox", value: run.id, checked: chosen.has(run.id), "aria-label": `Compare ${run.name}, ${run.id}` })), h("td", {}, h("a", { href: `#/train/${run.id}` }, run.name), h("div", { class: "small soft" }, run.id)),
      h("td", {}, h("span", { class: `tag ${MARKS[run.status] ?? ""}` }, run.status), why(run) && h("div", { class: "small" }, why(run))), h("td", {}, run.recipe ?? "–"), h("td", { class: "number" }, run.inner_loss === null ? "–" : number(run.inner_loss))));
    const compare = button("Compare the chosen ones", { act: () => {
      const picked = [...this.runs.querySelectorAll("input:checked")].map((box) => box.value);
      if (picked.length < 2) return say("Choose two or more");
      location.hash = `#/train/compare?${picked.map((id) => `run=${id}`).join("&")}`;
    } });
    const key = (one) => one.value || one.getAttribute("href") || one.getAttribute("aria-label") || one.textContent;
    const focused = this.runs.contains(document.activeElement) && key(document.activeElement);
    this.runs.replaceChildren(...(jobs.length ? [h("ul", { class: "plain" }, jobs)] : []), rows.length ? h("div", {}, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "List of trainings" }, h("table", {}, h("thead", {}, h("tr", {}, ["", "training", "status", "recipe", "loss"].map((head) => h("th", { scope: "col" }, head || h("span", { class: "unseen" }, "compare"))))), h("tbody", {}, rows))), rows.length > 1 && compare) : h("p", { class: "soft" }, jobs.length ? "" : "None yet."));
    if (focused) [...this.runs.querySelectorAll("input, a, button, [tabindex]")].find((one) => key(one) === focused)?.focus();
  }

  // One training, as it happens.

  async watch(name) {
    const run = await call(`/makar/v1/runs/${encodeURIComponent(name)}`);
    this.known = 0;
    this.lines = [];
    this.isLog = false;
    this.smoothing = .6;
    this.head = h("div", {});
    this.curves = h("div", {});
    this.samples = h("div", {});
    const redraw = () => this.draw();
    const log = h("label", { class: "check" }, h("input", { type: "checkbox", onchange: (event) => { this.isLog = event.target.checked; redraw(); } }), "Logarithmic");
    const slider = h("input", { type: "range", min: 0, max: .95, step: .05, value: this.smoothing, oninput: () => { this.smoothing = Number(slider.value); redraw(); } });
    this.replaceChildren(h("p", {}, h("a", { href: "#/train" }, "All trainings")), h("h1", {}, run.name), this.head,
      h("section", { class: "panel", "aria-label": "Curves" }, h("div", { class: "row spread" }, h("h2", {}, "Curves"), log), this.curves, field("Smoothing", slider)),
      h("section", { class: "panel", "aria-label": "Samples" }, h("h2", {}, "Samples"), this.samples),
      run.plan && h("details", { class: "panel" }, h("summary", {}, "The plan"), h("pre", { tabindex: 0 }, JSON.stringify(run.plan, null, 1))));
    this.run = run;
    this.names = [];
    this.title(run.is_running);
    await (this.followed = this.follow());
  }

  /** Show what happens until the training stands still; a server that is started anew goes on with it, and so does this page. */
  async follow() {
    const { signal } = this.ends;
    const path = `/makar/v1/runs/${encodeURIComponent(this.run.id)}`;
    for (let is = true; is;) {
      try {
        for await (const event of events(`${path}/events?after=${this.known}`, { signal })) {
          this.known += event.lines.length;
          event.lines.forEach((line) => this.take(line));
          this.names.push(...event.samples.filter((one) => !this.names.includes(one)));
          this.title(event.is_running);
          this.draw();
          if (event.samples.length) this.drawSamples();
        }
        this.run = await call(path, { signal });
        is = this.run.is_running || this.run.is_waiting;
        this.title(this.run.is_running);
      } catch (error) {
        if (error.status !== 0) throw error;
      }
      if (is) await new Promise((done) => setTimeout(done, 3000));
      signal.throwIfAborted();
    }
    forgetModels();
  }

  /** What was lost in between was trained again, and stands a second time behind it. */
  take(line) {
    if (line.event === "resumed" || line.event === "rolled_back") this.lines = this.lines.filter((old) => old.stage !== line.stage || !(old.step > line.step));
    this.lines.push(line);
  }

  title(isRunning) {
    const { run } = this;
    const last = this.lines.findLast((line) => line.event === "progress");
    const isSaved = run.status === "saved";
    const word = isRunning ? "running" : isSaved ? "saved" : run.is_waiting ? "queued" : "stopped";
    const act = async (what) => {
      await call(`/makar/v1/runs/${encodeURIComponent(run.id)}/${what}`, { method: "POST" });
      say(what === "stop" ? "It saves and stops" : "It goes on");
      if (what === "stop") return;
      await this.followed;
      this.run.is_waiting = true;
      await (this.followed = this.follow());
    };
    const model = isSaved && run.artifact?.split("/").at(-1);
    const error = word === "stopped" && run.error;
    const key = `${word} ${last?.step} ${error}`;
    if (this.shownTitle === key) return;
    this.shownTitle = key;
    const focused = document.activeElement?.dataset?.act;
    this.head.replaceChildren(h("div", { class: "row" }, h("span", { class: `tag ${MARKS[word]}` }, word), h("span", { class: "soft small" }, run.recipe ?? ""),
      (isRunning || word === "queued") && button("Stop", { icon: "stop", act: () => act("stop"), "data-act": "stop" }), word === "stopped" && button("Go on", { icon: "play", act: () => act("resume"), "data-act": "resume" }),
      model && h("a", { class: "button", href: `#/create?model=${encodeURIComponent(model)}` }, "Create with it"), model && h("a", { class: "button", href: `#/models/${encodeURIComponent(model)}` }, "Card and report")),
    error && problem({ message: error }),
    last ? h("div", {}, h("progress", { max: 1, value: isSaved ? 1 : last.progress, "aria-label": "How far it is" }), h("p", { class: "small soft" }, [`step ${number(last.step)}${last.steps ? ` of ${number(last.steps)}` : ""}`, isRunning && last.seconds_left !== null && `${duration(last.seconds_left)} left`, `${number(last.items_per_second)} items a second`, last.inner_loss !== null && `held-out loss ${number(last.inner_loss)}`].filter(Boolean).join(" · "))) : "");
    if (focused) this.head.querySelector(`[data-act=${focused}]`)?.focus();
  }

  draw() {
    const stages = [...new Set(this.lines.map((line) => line.stage).filter(Boolean))];
    const points = (stage, kind, name) => this.lines.filter((line) => line.event === kind && line.stage === stage && line[name] !== null && line[name] !== undefined).map((line) => [line.step, line[name]]);
    const prefix = (stage, words) => (stages.length > 1 ? `${stage}, ${words}` : words);
    const lines = stages.flatMap((stage) => [{ name: prefix(stage, "training"), points: smooth(points(stage, "progress", "loss"), this.smoothing) }, { name: prefix(stage, "held-out"), points: points(stage, "validation", "inner_loss") }]);
    const isOpen = this.curves.querySelector("details")?.open;
    this.curves.replaceChildren(chart(lines, { isLog: this.isLog }));
    if (isOpen) this.curves.querySelector("details").open = true;
  }

  drawSamples() {
    const count = this.names.length;
    const isLast = !this.slider || Number(this.slider.value) === Number(this.slider.max);
    this.slider = h("input", { type: "range", min: 0, max: count - 1, step: 1, value: isLast ? count - 1 : this.slider.value, oninput: () => show() });
    const seen = h("div", {});
    const show = async () => {
      const name = this.names[this.slider.value];
      const step = Number(/-(\d+)\.\w+$/.exec(name)[1]);
      this.slider.setAttribute("aria-valuetext", `step ${step}`);
      const path = `/makar/v1/runs/${encodeURIComponent(this.run.id)}/samples/${encodeURIComponent(name)}`;
      if (name.endsWith(".png")) {
        const image = h("img", { class: "strip pixels", alt: `Samples at step ${step}` });
        picture(image, path);
        seen.replaceChildren(h("p", { class: "small soft" }, `step ${number(step)}`), image);
      } else {
        const text = await (await (await import("./api.js")).request(path)).text();
        seen.replaceChildren(h("p", { class: "small soft" }, `step ${number(step)}`), h("pre", { tabindex: 0 }, text));
      }
    };
    this.samples.replaceChildren(...(count > 1 ? [field("From the first to the last", this.slider)] : []), seen);
    show();
  }

  // Several trainings side by side.

  async compare(runs) {
    const found = await call(`/makar/v1/compare?${runs.map((id) => `run=${encodeURIComponent(id)}`).join("&")}`);
    const ids = Object.keys(found.curves);
    const lines = ids.map((id) => ({ name: id, points: found.curves[id].filter((point) => point.inner_loss !== null).map((point) => [point.step, point.inner_loss]) }));
    const shown = (value) => (value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : typeof value === "number" ? number(value) : String(value));
    const plain = (path) => path.replace("plan.recipe.stages.", "stage ").replace("result.stages.", "result ").replace(/^plan\./, "").replaceAll(".", " · ").replaceAll("_", " ");
    const rows = (fitting) => fitting.map((row) => [plain(row.what), ...ids.map((id) => shown(row[id]))]);
    const known = found.data.filter((row) => !row.what.endsWith(".curve"));
    const both = known.filter((row) => ids.every((id) => row[id] !== null && row[id] !== undefined));
    const one = known.filter((row) => !both.includes(row));
    this.replaceChildren(h("p", {}, h("a", { href: "#/train" }, "All trainings")), h("h1", {}, "Compared"), h("section", { class: "panel", "aria-label": "Curves" }, h("h2", {}, "Loss on held-out data"), chart(lines)),
      h("section", { class: "panel", "aria-label": "Differences" }, h("h2", {}, "What differs"), h("div", { class: "differ" }, table(["what", ...ids], rows(both), "What differs in all of them"), one.length > 0 && h("details", {}, h("summary", {}, `${one.length} more that not all of them have`), table(["what", ...ids], rows(one), "What not all of them have")))));
  }
}

customElements.define("makar-train", Train);
