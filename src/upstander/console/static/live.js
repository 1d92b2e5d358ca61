// Follows the live wall through server-sent events. All text goes in through textContent: nothing a viewer
// chooses (names, ids) is ever read as HTML.
"use strict";

const LEVELS = ["emergency", "urgent", "concern", "notice"];
const byId = (id) => document.getElementById(id);
const words = (name) => name.replaceAll("_", " ");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
let gravest = -1;

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function chips(names, className) {
  const list = make("ul", "chips");
  for (const name of names) list.append(make("li", className, words(name)));
  return list;
}

function badge(level) {
  return make("span", `badge ${level}`, level);
}

function stamp(at) {
  const time = make("time", "", clock.format(new Date(at)));
  time.dateTime = new Date(at).toISOString();
  return time;
}

function name(row) {
  if (byId("broadcasts").dataset.open !== "yes") return make("strong", "name", row.broadcast);
  const link = make("a", "name", row.broadcast);
  link.href = `/live/broadcasts/${encodeURIComponent(row.platform)}/${encodeURIComponent(row.broadcast)}`;
  return link;
}

function broadcast(row) {
  const item = make("li", `row ${row.level}${row.state === "ended" ? " ended" : ""}`);
  item.tabIndex = -1;
  item.dataset.key = row.broadcast;
  const head = make("div", "row-head");
  head.append(badge(row.level), name(row));
  if (row.state === "ended") head.append(make("span", "where", "ended"));
  head.append(stamp(row.at));
  item.append(head, make("p", "why", row.why || "—"));
  const tags = make("div", "tags");
  if (row.tactics.length) tags.append(chips(row.tactics, "tactic"));
  if (row.exposures.length) tags.append(chips(row.exposures, "exposure"));
  item.append(tags);
  return item;
}

function decision(shown) {
  const item = make("li", `decision ${shown.level}`);
  const head = make("div", "row-head");
  head.append(badge(shown.level), make("span", "name", shown.actor));
  head.append(make("span", "where", shown.broadcast), stamp(shown.at));
  item.append(head, make("p", "why", shown.why.join(" · ") || "—"));
  if (shown.interventions.length) item.append(chips(shown.interventions, "done"));
  return item;
}

function figure(list, name, value, className) {
  const group = make("div", className || "");
  group.append(make("dt", "", name), make("dd", "", value));
  list.append(group);
}

function show(update) {
  const { stats, rows, decisions } = update;
  const state = byId("state");
  state.textContent = stats.available ? "live" : "not accepting events: the journal cannot be written";
  state.className = `state ${stats.available ? "up" : "down"}`;

  const list = make("dl");
  list.id = "stats";
  for (const level of LEVELS) figure(list, level, String(stats.levels[level] || 0), `level ${level}`);
  figure(list, "broadcasts", stats.broadcasts.toLocaleString());
  figure(list, "events", stats.events.toLocaleString());
  figure(list, "events/s", stats.events_per_s.toLocaleString());
  figure(list, "p99", `${stats.p99_ms.toLocaleString()} ms`);
  figure(list, "actions open", stats.outbox_open.toLocaleString());
  byId("stats").replaceWith(list);

  const held = document.activeElement?.closest("li.row")?.dataset.key;
  const onLink = document.activeElement?.matches("a.name");
  byId("broadcasts").replaceChildren(...rows.map(broadcast));
  byId("no-broadcasts").hidden = rows.length > 0;
  byId("decisions").replaceChildren(...decisions.map(decision));
  byId("no-decisions").hidden = decisions.length > 0;
  const again = held && [...byId("broadcasts").children].find((row) => row.dataset.key === held);
  if (again) (onLink ? again.querySelector("a.name") : again).focus();

  // Only what is newly grave is spoken, so that a screen reader is not flooded.
  const rank = rows.length ? rows[0].rank : 0;
  if (rank > gravest && rank >= 3 && gravest >= 0) byId("alert").textContent = `${rows[0].level}: ${rows[0].broadcast}`;
  gravest = rank;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" && document.activeElement?.matches("li.row")) {
    document.activeElement.querySelector("a.name")?.click();
  }
  if (!["j", "k"].includes(event.key)) return;
  const rows = [...byId("broadcasts").children];
  const at = rows.indexOf(document.activeElement?.closest("li.row"));
  rows[Math.max(0, Math.min(rows.length - 1, at + (event.key === "j" ? 1 : -1)))]?.focus();
});

const source = new EventSource("/live/events");
source.onmessage = (message) => show(JSON.parse(message.data));
source.addEventListener("closed", () => location.reload());
source.onerror = () => {
  const state = byId("state");
  state.textContent = "connection lost: trying again…";
  state.className = "state down";
};
