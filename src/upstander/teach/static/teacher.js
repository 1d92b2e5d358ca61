// The teacher's page and the projector's. The key stands behind the # of the address: browsers never send that part.
import { connect, make, replace, say, speak } from "/static/common.js";
import { Stream, debrief, outcomes, tagWord } from "/static/stream.js";

const $ = (id) => document.getElementById(id);
const leads = document.body.dataset.view === "teach";
const key = location.hash.slice(1);
let scripts = [];
let address = "";
let engine = "loading";
let state = null;
let stream = null;
let results = null;
let connection = null;
let shown = "";

const send = (action, more = {}) => connection.send({ do: action, ...more });

function show(...which) {
  for (const id of ["choose", "class", "results", "debrief"]) $(id).hidden = !which.includes(id);
}

const handlers = {
  async ready(message) {
    ({ scripts, engine } = message);
    address = message.address || location.origin;
    if (!state) choose();
    bar();
  },
  engine(message) { engine = message.engine; bar(); },
  async opened(message) {
    await speak(message.language);
    state = message;
    results = null;
    stream = new Stream($("class"), state);
    if (message.phase !== "debrief") { show("class", "results"); stream.settle(); }
    phase(message);
    showResults();
  },
  event(message) { if (stream) stream.add(message.line); },
  phase(message) { phase(message); },
  results(message) { results = message.results; showResults(); bar(); },
  then(message) { replace(stream.side, outcomes(message, state.points[message.point])); },
  debrief(message) {
    debrief($("debrief"), message, state);
    show("debrief");
    $("debrief-title").focus();
  },
  over() { state = null; stream = null; choose(); bar(); },
  refused(message) { $("problem").textContent = say(message.why); },
};

function phase(message) {
  $("problem").textContent = "";
  state.phase = message.phase;
  state.point = message.point;
  state.pace = message.pace;
  stream.phase(message.phase);
  if (message.phase === "choosing") ask();
  else if (stream.side.querySelector(".choices")) replace(stream.side);
  bar();
}

function ask() {
  replace(stream.side, make("section", { class: "panel choices" },
    make("h3", {}, say("choose_title", { host: state.host.name })), make("p", {}, state.points[state.point]),
    make("p", { class: "count-in", role: "status" })));
  answers();
}

function answers() {
  const place = stream?.side.querySelector(".count-in");
  if (place && results) place.textContent = say("answers_in", { count: results.chosen, total: results.pupils });
}

function choose() {
  document.title = say(leads ? "teacher_title" : "title");
  if (!leads) { replace($("choose"), make("h2", { id: "choose-title" }, say("waiting"))); show("choose"); return; }
  const ours = (script) => (script.language === document.documentElement.lang ? 0 : 1);
  const cards = scripts.toSorted((a, b) => ours(a) - ours(b)).map((script) => make("li", { class: "panel", lang: script.language },
    make("h3", {}, script.title),
    make("p", { class: "soft" }, `${say(`band_${script.band}`)} · ${script.language}`, script.benign ? make("span", { class: "agree agree_yes" }, say("benign")) : null),
    make("p", {}, script.intro),
    make("button", { type: "button", onclick: () => send("open", { script: script.name, language: script.language }), "aria-label": `${say("open_class")}: ${script.title}` }, say("open_class"))));
  replace($("choose"), make("h2", { id: "choose-title" }, say("choose_script")), make("ul", { class: "scripts" }, ...cards));
  show("choose");
}

function button(label, action, properties = {}) {
  return make("button", { type: "button", onclick: () => send(action, properties.more ?? {}), class: properties.class ?? "", disabled: properties.disabled ?? false, "aria-pressed": properties.pressed, data: { do: action } }, say(label));
}

function bar() {
  $("bar").hidden = state === null;
  $("state").textContent = say(`engine_${engine}`);
  if (state === null) { shown = ""; return; }
  // Buttons are made anew only when they change: one that is replaced between press and release loses the click.
  const now = JSON.stringify([state.code, state.phase, state.pace, state.language]);
  if (now === shown) { $("pupils").textContent = say("pupils", { count: results?.pupils ?? 0 }); return; }
  shown = now;
  const kept = document.activeElement?.dataset?.do;
  const code = make("div", { class: "code" }, make("span", { class: "soft" }, say("join_at"), " ", make("strong", {}, address)), make("span", { class: "soft" }, say("code_is")), make("output", { id: "code" }, state.code), make("span", { id: "pupils", class: "pupils" }, say("pupils", { count: results?.pupils ?? 0 })));
  replace($("bar"), code, leads ? controls() : null);
  if (kept) $("bar").querySelector(`[data-do="${kept}"]`)?.focus();
}

function controls() {
  const p = state.phase;
  const over = p === "debrief";
  const starts = p === "lobby" ? "start" : "resume";
  const paces = [[0.5, "pace_slow"], [1, "pace_usual"], [2, "pace_fast"]].map(([value, label]) =>
    make("button", { type: "button", class: "quiet", "aria-pressed": String(state.pace === value), onclick: () => send("pace", { value }) }, say(label)));
  return make("div", { class: "controls" },
    p === "choosing" ? button("go_on", "go_on", { class: "main" }) : button(starts, "start", { class: "main", disabled: !["lobby", "paused", "frozen"].includes(p) }),
    button("pause", "pause", { disabled: !["playing", "frozen", "choosing"].includes(p) }),
    button("freeze", "freeze", { disabled: !["playing", "paused", "choosing"].includes(p) }),
    button("next", "next", { disabled: !["playing", "paused"].includes(p) }),
    button("show_debrief", "look_back", { disabled: p === "lobby" || over, class: p === "ended" ? "main" : "" }),
    button("end_class", "end", { class: "quiet" }),
    make("span", { class: "paces", role: "group", "aria-label": say("pace") }, make("span", { class: "soft" }, say("pace")), ...paces),
    make("a", { href: `/projector#${key}`, target: "_blank", rel: "noopener", class: "soft" }, say("projector")));
}

function showResults() {
  answers();
  if (!stream || !results) return;
  const lines = new Map(stream.lines.map((line) => [line.index, line]));
  const rows = Object.entries(results.tags).map(([index, tags]) => {
    const line = lines.get(Number(index));
    if (!line) return null;
    const bars = Object.entries(tags).sort((a, b) => b[1] - a[1]).map(([tag, count]) =>
      make("li", {}, make("span", { class: "tag" }, tagWord(tag)), results.few ? null : make("meter", { min: 0, max: Math.max(results.pupils, 1), value: count, "aria-label": tagWord(tag) }), results.few ? null : make("span", { class: "count" }, String(count))));
    return make("li", { class: "tally" }, make("p", {}, make("span", { class: "who" }, line.who), ` ${stream.words(line)}`), make("ul", {}, ...bars));
  }).filter(Boolean).reverse();
  replace($("results"), make("h2", {}, say("class_tags")),
    make("p", { class: "soft" }, results.few ? say("small_notice", { count: 5 }) : say("engine_hidden")),
    rows.length ? make("ul", { class: "tallies" }, ...rows) : make("p", { class: "empty" }, say("no_tags_yet")));
  $("results").dataset.at = String(Date.now());
}

await speak(document.documentElement.lang);
document.title = say(leads ? "teacher_title" : "title");
if (!key) $("problem").textContent = say("teacher_need_link");
else {
  connection = connect({
    hello: () => ({ do: leads ? "teach" : "watch", key }),
    take: (message) => handlers[message.say]?.(message),
    changed: (up) => { if (!up) $("state").textContent = say("connecting"); },
  });
}
document.documentElement.dataset.ready = "yes";
