// The coding desk: everything by key or pointer; what is chosen stays here until it is kept.
const $ = (id) => document.getElementById(id);
const key = location.hash.slice(1);
let state = null, values = {}, now = 0, rules = false, busy = false, typing = false;

async function ask(path, body) {
  if (busy) return;
  busy = true;
  $("problem").textContent = "";
  try {
    const asked = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(path, { ...asked, headers: { "x-key": key } });
    const found = await answer.json();
    if (!answer.ok) { $("problem").textContent = found.error; return; }
    state = found; values = {}; now = 0;
    show();
  } catch {
    $("problem").textContent = "The desk does not answer. Is the command still running? What was kept is on the disk.";
  } finally {
    busy = false;
  }
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

const spoken = (name) => name.replaceAll("_", " ");

function show() {
  const task = state.task;
  $("where").textContent = `${state.study}, ${state.coder}${state.settling ? ", settling" : ""}`;
  $("count").textContent = `${state.done} done, ${state.left} left${state.skipped ? `, ${state.skipped} skipped` : ""}`;
  $("item").hidden = !task;
  $("empty").hidden = Boolean(task);
  if (!task) {
    $("why").textContent = state.skipped ? `${state.skipped} skipped: look again to take them up.` : "New items come with “upstander study import”.";
    $("again").focus();
    return;
  }
  $("name").textContent = `Item ${task.item_id}`;
  $("kind").textContent = state.settling ? `Coded as ${task.said.join(" or ")}` : task.media_type;
  $("fields").replaceChildren(...state.fields.map(fieldset));
  mark(true);
}

function fieldset(field, index) {
  const box = element("fieldset");
  box.append(element("legend", spoken(field.name)));
  const row = element("div", undefined, { class: "values" });
  if (field.kind === "integer") {
    const input = element("input", undefined, { type: "number", min: field.low, max: field.high, name: field.name, "aria-label": `${spoken(field.name)}, ${field.low} to ${field.high}` });
    input.addEventListener("input", () => { values[field.name] = input.value; });
    input.addEventListener("focus", () => { now = index; mark(false); });
    row.append(input);
  } else {
    field.values.forEach((value, at) => {
      const label = element("label");
      const radio = element("input", undefined, { type: "radio", name: field.name, value });
      radio.addEventListener("change", () => { values[field.name] = value; });
      radio.addEventListener("focus", () => { now = index; mark(false); });
      label.append(radio, element("kbd", String(at + 1), { "aria-hidden": "true" }), document.createTextNode(spoken(value)));
      row.append(label);
    });
  }
  box.append(row, element("p", field.rule, { class: "rule" }));
  return box;
}

// The field in hand; with `move` the focus goes there (or to the button, when all are chosen).
function mark(move) {
  const boxes = [...$("fields").children];
  if (move) typing = false;
  boxes.forEach((box, at) => {
    box.classList.toggle("now", at === now);
    box.querySelector(".rule").hidden = !(rules && at === now);
  });
  if (!move) return;
  if (now >= boxes.length) { $("keep").focus(); return; }
  const chosen = boxes[now].querySelector("input:checked") ?? boxes[now].querySelector("input");
  chosen.focus();
}

function choose(digit) {
  const field = state.fields[now];
  if (!field) return;
  const box = $("fields").children[now];
  if (field.kind === "integer") {
    box.querySelector("input").value = values[field.name] = digit;
  } else {
    const value = field.values[Number(digit) - 1];
    if (value === undefined) return;
    [...box.querySelectorAll("input")].find((radio) => radio.value === value).checked = true;
    values[field.name] = value;
  }
  now += 1;
  mark(true);
}

function keep() {
  if (!state?.task) return;
  const missing = state.fields.findIndex((field) => !values[field.name]);
  if (missing >= 0) {
    now = missing;
    $("problem").textContent = `Choose ${spoken(state.fields[missing].name)} first.`;
    mark(true);
    return;
  }
  const { item_id } = state.task;
  if (state.settling) ask("decide", { item_id, field: state.fields[0].name, value: values[state.fields[0].name] });
  else ask("code", { item_id, values });
}

const skip = () => state?.task && ask("skip", { item_id: state.task.item_id, field: state.settling ? state.fields[0].name : "" });
const again = () => state && !state.task && ask("again", {});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !state) return;
  const number = event.target.type === "number";
  // As at the terminal: a digit is the number, and 0 begins a larger one, which Enter ends.
  if (number && typing && /^[0-9]$/.test(event.key)) return;
  if (/^[1-9]$/.test(event.key)) choose(event.key);
  else if (number && event.key === "0") { typing = true; event.target.value = values[event.target.name] = ""; }
  else if (event.key === "b") { now = Math.max(0, now - 1); mark(true); }
  else if (event.key === "?") { rules = !rules; mark(false); }
  else if (event.key === "s") skip();
  else if (event.key === "r") again();
  else if (event.key === "Enter" && number && typing) { now += 1; mark(true); }
  else if (event.key === "Enter" && event.target.tagName !== "BUTTON" && event.target.tagName !== "SUMMARY") keep();
  else return;
  event.preventDefault();
});
$("fields").addEventListener("submit", (event) => event.preventDefault());
$("keep").addEventListener("click", keep);
$("skip").addEventListener("click", skip);
$("again").addEventListener("click", again);
ask("state");
