// A pupil's page. All it knows of the pupil is a token that lives in this variable and dies with the page.
import { connect, make, replace, say, speak } from "/static/common.js";
import { Stream, debrief, outcomes, tagWord } from "/static/stream.js";

const $ = (id) => document.getElementById(id);
let token = "";
let code = "";
let state = null;
let stream = null;
let mine = { tags: {}, choices: {} };
let connection = null;

function show(which) {
  for (const id of ["join", "over", "class", "debrief"]) $(id).hidden = id !== which;
}

function status(key) { $("state").textContent = key ? say(key) : ""; }

function take(message) {
  return handlers[message.say]?.(message);
}

const handlers = {
  async joined(message) {
    const back = token === message.token;
    await speak(message.language);
    token = message.token;
    state = message;
    mine = { tags: { ...message.mine.tags }, choices: { ...message.mine.choices } };
    $("heading").textContent = say("title");
    stream = new Stream($("class"), state, { onTag: openSheet, tagOf: (index) => (mine.tags[index] ? say("you_tagged", { tag: tagWord(mine.tags[index]) }) : null) });
    if (message.phase !== "debrief") { show("class"); stream.settle(); }
    phase(message);
    if (!back) $("main").focus();
  },
  event(message) { if (stream) stream.add(message.line); },
  phase(message) { phase(message); },
  then(message) {
    replace(stream.side, outcomes(message, state.points[message.point]));
    stream.side.querySelector("h3").focus();
  },
  tagged(message) { keep(message.at, message.tag); },
  chose(message) {
    mine.choices[message.point] = message.choice;
    choices(message.point);
  },
  debrief(message) {
    close();
    debrief($("debrief"), message, state);
    show("debrief");
    $("debrief-title").focus();
  },
  over() {
    token = "";
    code = "";
    close();
    show("over");
    $("over").querySelector("h2").focus();
    status("");
  },
  refused(message) {
    if (!token) { code = ""; $("problem").textContent = say(message.why); }
    else if (message.why === "class_over") handlers.over();
    else if (stream) stream.remark();
  },
};

function phase(message) {
  state.phase = message.phase;
  stream.phase(message.phase);
  document.body.classList.toggle("is-frozen", message.phase === "frozen");
  status({ lobby: "waiting", paused: "paused", frozen: "frozen" }[message.phase] ?? "connected");
  if (message.phase === "frozen") close();
  if (message.point !== null && message.phase === "choosing") choices(message.point);
  else if (stream.side.querySelector(".choices")) replace(stream.side);
}

function choices(point) {
  const chosen = mine.choices[point];
  const ask = ["ignore", "block", "comments_off", "end", "tell"].map((choice) =>
    make("button", { type: "button", class: "option", "aria-pressed": String(chosen === choice), data: { choice }, onclick: () => connection.send({ do: "choose", choice }) }, say(`choice_${choice}`)));
  const focused = stream.side.contains(document.activeElement) ? document.activeElement.dataset.choice : null;
  const fresh = !stream.side.querySelector(".choices");
  replace(stream.side, make("section", { class: "panel choices" },
    make("h3", { tabIndex: -1 }, say("choose_title", { host: state.host.name })),
    make("p", {}, state.points[point]), make("div", { class: "options" }, ...ask),
    make("p", { class: "soft", role: "status" }, chosen ? say("chosen", { choice: say(`choice_${chosen}`) }) : "")));
  if (focused) stream.side.querySelector(`[data-choice="${focused}"]`).focus();
  else if (fresh && !$("sheet").open) stream.side.querySelector("h3").focus();
}

function openSheet(line) {
  if (state.phase === "frozen" || state.phase === "debrief") return;
  const pick = (tag) => { connection.send({ do: "tag", at: line.index, tag }); keep(line.index, tag); close(); };
  const current = mine.tags[line.index];
  const options = state.tags.map((tag) => make("button", { type: "button", class: "option", "aria-pressed": String(current === tag), data: { tag }, onclick: () => pick(tag) }, tagWord(tag)));
  replace($("sheet"),
    make("h2", { id: "sheet-title" }, say("tag_title")),
    make("p", { class: "quote" }, make("span", { class: "who" }, line.who), ` ${stream.words(line)}`),
    make("div", { class: "options" }, ...options),
    make("div", { class: "row" },
      current ? make("button", { type: "button", class: "quiet", onclick: () => pick(null) }, say("tag_none")) : null,
      make("button", { type: "button", class: "quiet", onclick: close }, say("close"))));
  $("sheet").showModal();
}

function close() { if ($("sheet").open) $("sheet").close(); }

function keep(index, tag) {
  if (tag === null) delete mine.tags[index];
  else mine.tags[index] = tag;
  if (stream) stream.remark();
}

$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  $("problem").textContent = "";
  code = $("code").value.trim().toUpperCase();
  // While the connection is being made, `hello` asks as soon as it is there.
  connection.send({ do: "join", code });
});

await speak(document.documentElement.lang);
show("join");
// The board may show a link with the code behind the #: browsers never send that part anywhere.
if (location.hash.length > 1) $("code").value = decodeURIComponent(location.hash.slice(1)).slice(0, 6);
connection = connect({
  hello: () => (token ? { do: "resume", code, token } : code ? { do: "join", code } : null),
  take,
  changed: (up) => status(up ? (token ? "connected" : "") : (token ? "reconnecting" : "connecting")),
});
document.documentElement.dataset.ready = "yes";
