// Keys of the pages of cases: move between rows, open one, press what a key stands for. Nothing happens while one types.
"use strict";

const typing = (node) => node?.matches("input:not([type=checkbox]), textarea, select") ?? false;

function rows() {
  return [...document.querySelectorAll("[data-key]")];
}

function move(step) {
  const all = rows();
  const at = all.indexOf(document.activeElement?.closest("[data-key]"));
  all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + step))]?.focus();
}

// Where a key stands on a button or link, it presses it; on a panel, it opens it and goes to its first field.
function press(key) {
  const node = document.querySelector(`[data-press="${CSS.escape(key)}"]`);
  if (!node) return false;
  const details = node.closest("details");
  if (details) details.open = true;
  if (node.matches("details")) (node.querySelector("input:not([type=hidden]), select, button") || node).focus();
  else if (node.matches("button, a")) node.click();
  else node.focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && typing(document.activeElement)) return document.activeElement.blur();
  if (typing(document.activeElement)) return;
  const row = document.activeElement?.closest("[data-key]");
  if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key === "Enter" && row === document.activeElement) row?.querySelector("a.name")?.click();
  else if (event.key === "x" && row?.querySelector("input[type=checkbox]")) row.querySelector("input").click();
  else if (!press(event.key)) return;
  event.preventDefault();
});
