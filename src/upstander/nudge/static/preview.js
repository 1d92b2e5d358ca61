// The preview page: lists the cards of a language and a band, and shows one over a drawn stream.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const theme = () => byId("theme").value;

function options(select, values) {
  for (const value of values) select.append(new Option(/^[0-9]/.test(value) ? value.replace("_", " to ") : value.replace("_", " "), value));
}

function nudge(card, position) {
  const element = document.createElement("upstander-nudge");
  element.setAttribute("position", position);
  if (theme()) element.setAttribute("theme", theme());
  element.payload = card;
  return element;
}

function show(card) {
  byId("stream").querySelector("upstander-nudge")?.remove();
  byId("stream").append(nudge(card, "bottom"));
}

function list() {
  const wanted = data.cards.filter((card) => card.id.startsWith(`${byId("language").value}-`) && card.id.endsWith(`-${byId("band").value}`));
  byId("all").replaceChildren(
    ...wanted.map((card) => {
      const one = document.createElement("article");
      one.className = "one";
      const head = document.createElement("header");
      const name = document.createElement("h3");
      name.textContent = `${card.topic.replaceAll("_", " ")}${card.band === byId("band").value ? "" : ` (as for ${card.band.replace("_", " to ")})`}`;
      const open = document.createElement("button");
      open.type = "button";
      open.className = "open";
      open.textContent = "On the stream";
      open.addEventListener("click", () => show(card));
      head.append(name, open);
      // In a list none may take the keyboard.
      one.append(head, nudge({ ...card, urgent: false }, "inline"));
      return one;
    }),
  );
  const first = wanted.find((card) => card.topic === "general");
  if (first) show(first);
}

options(byId("language"), data.languages);
options(byId("band"), data.bands);
byId("language").value = "en";
byId("country").textContent = data.country;
for (const id of ["language", "band", "theme"]) byId(id).addEventListener("change", list);
for (const what of ["shown", "action", "dismissed"]) {
  byId("stream").addEventListener(`upstander-nudge-${what}`, ({ detail }) => {
    const line = document.createElement("li");
    const { id, ...rest } = detail;
    line.textContent = `${what} ${id} ${JSON.stringify(rest)}`;
    byId("log").prepend(line);
    while (byId("log").children.length > 6) byId("log").lastChild.remove();
  });
}
list();
