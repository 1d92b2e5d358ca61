// The stream as everyone sees it: the host, who watches, and the chat. Pupils' lines can be tapped.
import { drawHost } from "/static/host.js";
import { make, replace, say } from "/static/common.js";

const NS = "http://www.w3.org/2000/svg";

export class Stream {
  constructor(root, state, { onTag = null, tagOf = () => null } = {}) {
    this.state = state;
    this.onTag = onTag;
    this.tagOf = tagOf;
    this.lines = [];
    this.svg = document.createElementNS(NS, "svg");
    this.badge = make("span", { class: "badge" });
    this.watching = make("span", { class: "watching" });
    this.bubble = make("p", { class: "bubble", hidden: true });
    this.list = make("ol");
    this.log = make("div", { class: "chat", role: "log", "aria-label": say("chat"), tabIndex: 0 }, this.list);
    this.side = make("div", { class: "side" });
    const top = make("p", { class: "over" }, this.badge, this.watching);
    const stage = make("section", { class: "stage", "aria-label": state.title }, this.svg, top, this.bubble);
    const hint = onTag ? make("p", { class: "soft hint" }, say("tag_how")) : null;
    const chat = make("section", { class: "talk" }, make("h2", {}, say("chat")), hint, this.log);
    replace(root, make("div", { class: "show" }, make("h2", { class: "name" }, state.title), stage, make("p", { class: "intro soft" }, state.intro), this.side), chat);
    this.mood("happy");
    for (const line of state.lines) this.add(line);
    this.phase(state.phase);
  }

  mood(mood) {
    drawHost(this.svg, this.state.host.animal, mood, say(`mood_${mood}`, { host: this.state.host.name }));
  }

  /** Show the newest line: after the stream became visible. */
  settle() { this.log.scrollTop = this.log.scrollHeight; }

  phase(phase) {
    const shown = { lobby: "waiting", playing: "playing", choosing: "playing", paused: "paused", frozen: "frozen" }[phase];
    this.badge.textContent = shown ? say(shown) : "";
    this.badge.hidden = !shown || phase === "lobby";
    this.badge.className = `badge ${phase}`;
  }

  add(line) {
    if (this.lines.some((known) => known.index === line.index)) return;
    this.lines.push(line);
    this.mood(line.mood);
    this.watching.textContent = say("viewers", { count: line.viewers });
    if (line.kind === "says") { this.bubble.textContent = line.text; this.bubble.hidden = false; }
    if (line.kind === "start" || line.kind === "ended") return;
    const near = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80;
    this.list.append(this.item(line));
    if (near) this.log.scrollTop = this.log.scrollHeight;
  }

  words(line) {
    return sentence(line, this.state.host.name);
  }

  item(line) {
    const who = line.kind === "says" ? say("says_line", { host: line.who }) : line.who;
    const inside = [make("span", { class: "who" }, who), make("span", { class: "said" }, this.words(line))];
    const item = make("li", { class: `line ${line.kind}`, data: { index: line.index } });
    if (this.onTag && line.taggable) {
      const button = make("button", { type: "button", onclick: () => this.onTag(line) }, ...inside, make("span", { class: "mine" }));
      item.append(button);
    } else item.append(make("div", { class: "plain" }, ...inside, make("span", { class: "mine" })));
    this.mark(item, line.index);
    return item;
  }

  mark(item, index) {
    const shown = this.tagOf(index);
    item.querySelector(".mine").textContent = shown ?? "";
    item.classList.toggle("tagged", Boolean(shown));
  }

  remark() {
    const near = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80;
    for (const item of this.list.children) this.mark(item, Number(item.dataset.index));
    if (near) this.log.scrollTop = this.log.scrollHeight;
  }
}

/** What a line says, as a sentence. */
export function sentence(line, host) {
  if (line.kind === "comment" || line.kind === "says") return line.text;
  return say(`${line.kind}_line`, { gift: line.text, count: line.count, host });
}

export function tagWord(tag) {
  return tag === "tag_kind" ? say("tag_kind") : say(`tactic_${tag}`);
}

/** What follows from each choice, with counts where there are enough pupils. */
export function outcomes(message, ask) {
  const rows = Object.entries(message.outcomes).map(([choice, outcome]) => {
    const count = message.choices[choice];
    const mark = count === undefined ? null : make("span", { class: "count" }, message.few ? "✓" : String(count));
    return make("li", { class: count === undefined ? "" : "picked" }, make("p", { class: "choice" }, make("strong", {}, say(`choice_${choice}`)), mark), make("p", {}, outcome.then));
  });
  return make("section", { class: "panel then" }, make("h3", { tabIndex: -1 }, say("then")), ask ? make("p", { class: "soft" }, ask) : null, make("ul", {}, ...rows));
}

/** The look back: class and engine side by side, the card, questions to talk about. */
export function debrief(root, message, state) {
  const { comparison } = message;
  const words = (tactics) => tactics.map((tactic) => say(`tactic_${tactic}`)).join(", ");
  const head = make("tr", {}, ...["line", "what_class_saw", "what_engine_saw"].map((key) => make("th", { scope: "col" }, say(key))));
  const rows = comparison.rows.map((row) => {
    const tags = Object.entries(row.tags).sort((a, b) => b[1] - a[1]);
    const seen = tags.length ? tags.map(([tag, count]) => make("li", {}, tagWord(tag), message.few ? null : make("span", { class: "count" }, String(count)))) : [make("li", { class: "soft" }, say("nobody_tagged"))];
    const engine = row.seen
      ? [row.seen.tactics.length ? make("p", { class: "saw" }, words(row.seen.tactics)) : null,
        row.seen.maybe.length ? make("p", { class: "soft" }, say("engine_maybe", { tactics: words(row.seen.maybe) })) : null, make("p", { class: "soft level" }, say(`level_${row.seen.level}`))]
      : [make("p", { class: "soft" }, message.engine === "ready" ? say("engine_nothing") : say("engine_failed"))];
    const written = row.shows.length ? make("p", { class: "soft written" }, `${say("script_says")}: ${words(row.shows)}`) : null;
    const agree = row.agree ? make("span", { class: `agree ${row.agree}` }, say(row.agree)) : null;
    return make("tr", {},
      make("th", { scope: "row" }, make("span", { class: "who" }, row.line.who), ` ${sentence(row.line, state.host.name)}`, written),
      make("td", { data: { label: say("what_class_saw") } }, make("ul", { class: "tags" }, ...seen)),
      make("td", { data: { label: say("what_engine_saw") } }, ...engine, agree));
  });
  const card = comparison.card;
  replace(root,
    make("h2", { id: "debrief-title", tabIndex: -1 }, say("debrief")),
    make("p", { class: "soft" }, say("highest", { level: say(`level_${comparison.highest}`) })),
    rows.length ? make("div", { class: "scroll", tabIndex: 0, role: "group", "aria-labelledby": "debrief-title" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))) : null,
    make("div", { class: "below" },
      make("section", { class: "panel" }, make("h3", {}, say("talk_about")), make("ol", {}, ...message.questions.map((each) => make("li", {}, each)))),
      card ? make("section", { class: "panel card" }, make("h3", {}, say("nudge_shown", { host: state.host.name })), make("p", { class: "card-title" }, card.title), make("p", {}, card.noticed)) : null,
      helpBox(state)));
}

export function helpBox(state) {
  const items = state.help.map((place) => make("li", {}, make("strong", {}, `${place.name}${place.contact ? `: ${place.contact}` : ""}`), make("br"), make("span", { class: "soft" }, `${place.for}${place.url ? ` · ${place.url.replace("https://", "")}` : ""}`)));
  return make("section", { class: "panel help" }, make("h3", {}, say("help_title")), make("ul", {}, ...items));
}
