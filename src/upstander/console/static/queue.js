// Keeps the queue current: when the feed says that a case has changed, the list is loaded again (a look like any
// other, at most every few seconds), unless cases are being chosen. What is newly there is said aloud.
"use strict";

const CALM_MS = 3_000;
let known = null;
let loading = 0;
let wanted = false;

const queue = () => document.getElementById("queue");
const busy = () => queue().querySelector("input[name=case]:checked, details[open]") || queue().contains(document.activeElement?.closest("form.filters"));

async function load() {
  if (busy()) return;
  wanted = false;
  loading = Date.now();
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("queue");
  if (!fresh || busy()) return;
  const held = document.activeElement?.closest("[data-key]")?.dataset.key;
  const before = new Set([...queue().querySelectorAll("[data-key]")].map((row) => row.dataset.key));
  const scripted = new Set(fresh.querySelectorAll("[data-key]").length ? [...fresh.querySelectorAll("[data-key]")].map((row) => row.dataset.key) : []);
  queue().replaceWith(document.adoptNode(fresh));
  const again = [...queue().querySelectorAll("[data-key]")];
  again.find((row) => row.dataset.key === held)?.focus();
  const added = again.filter((row) => !before.has(row.dataset.key));
  for (const row of added) row.classList.add("fresh");
  if (added.length && scripted.size) {
    const gravest = added[0].querySelector(".badge").textContent;
    document.getElementById("news").textContent = `${added.length} new: ${gravest}`;
  }
}

const feed = new EventSource("/cases/events");
feed.onmessage = (message) => {
  const change = JSON.parse(message.data);
  if (known === null && Number(queue().dataset.since) === change.version) known = change.version;
  if (change.version === known) return;
  known = change.version;
  wanted = true;
};
feed.addEventListener("closed", () => location.reload());
setInterval(() => {
  if (wanted && Date.now() - loading > CALM_MS) load().catch(() => {});
}, 250);
document.addEventListener("keydown", (event) => {
  if (event.key === "r" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(document.activeElement)) location.reload();
  if (event.key === "b" && !typing(document.activeElement)) {
    const details = document.querySelector("#bulk details");
    if (details) {
      details.open = true;
      details.querySelector("select").focus();
      event.preventDefault();
    }
  }
});
