// <upstander-nudge>: shows one card over a live stream. A plain ES module: no build step, no dependency, no request.
//
//   nudge.payload = card;                      the `card` of a nudge_host action (or the attribute `payload`, as JSON)
//   nudge.dismiss();                           close it from outside
//   position="bottom | top | inline"           where it stands; inline: in the page's own flow
//   theme="light | dark"                       without it the card follows the reader's setting
//
// Events, all bubbling and composed, with `detail.id` the nudge's id and `detail.after_ms` since it was shown:
//   upstander-nudge-shown, upstander-nudge-action (detail.do), upstander-nudge-dismissed (detail.by)
//
// All text goes in through textContent: nothing of a payload is ever read as HTML.

const CSS = `
:host { --ground: #ffffff; --text: #1b2430; --soft: #4a5668; --line: #c3cbd8; --accent: #1a56b0; --tint: #e4edfb;
  --on-tint: #123c7c; --edge: #7a879b; color-scheme: light; display: block; position: fixed; inset-inline: 0; bottom: 0; z-index: 2147483000;
  padding: 0.75rem; pointer-events: none; box-sizing: border-box; }
:host([hidden]) { display: none; }
:host([position="top"]) { bottom: auto; top: 0; }
:host([position="inline"]) { position: static; padding: 0; }
@media (prefers-color-scheme: dark) {
  :host(:not([theme="light"])) { --ground: #1a2230; --text: #eef2f8; --soft: #b6c1d2; --line: #46536a; --accent: #8fbcff;
    --tint: #2a3d5e; --on-tint: #dce9ff; --edge: #8592a8; color-scheme: dark; }
}
:host([theme="dark"]) { --ground: #1a2230; --text: #eef2f8; --soft: #b6c1d2; --line: #46536a; --accent: #8fbcff;
  --tint: #2a3d5e; --on-tint: #dce9ff; --edge: #8592a8; color-scheme: dark; }
* { box-sizing: border-box; margin: 0; }
.card { pointer-events: auto; font: 400 1rem/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  color: var(--text); background: var(--ground); border: 1px solid var(--edge); border-radius: 1rem; width: 100%;
  max-width: 34rem; margin-inline: auto; padding: 0.875rem 1rem 1rem; max-height: calc(100vh - 1.5rem);
  max-height: calc(100dvh - 1.5rem); overflow-y: auto; overscroll-behavior: contain; overflow-wrap: anywhere;
  box-shadow: 0 0.5rem 2rem rgb(0 0 0 / 0.28); }
:host([position="inline"]) .card { max-height: none; box-shadow: none; margin-inline: 0; }
.card:focus { outline: none; }
.card:focus-visible, button:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
h2 { font-size: 1.1875rem; line-height: 1.3; font-weight: 650; }
h3 { font-size: 0.875rem; line-height: 1.4; font-weight: 600; color: var(--soft); margin-block: 0.75rem 0.375rem; }
.noticed { margin-block-start: 0.375rem; }
ul { list-style: none; padding: 0; display: grid; gap: 0.5rem; }
.actions { grid-template-columns: repeat(auto-fit, minmax(min(100%, max(8.5rem, calc(50% - 0.25rem))), 1fr)); }
button { font: inherit; font-weight: 600; line-height: 1.25; color: var(--on-tint); cursor: pointer; border-radius: 0.625rem;
  min-height: 2.75rem; width: 100%; height: 100%; padding: 0.375rem; border: 1px solid var(--accent); text-wrap: balance;
  background: var(--tint); }
button.dismiss { color: inherit; background: transparent; border-color: var(--edge); font-weight: 400; }
button:hover { text-decoration: underline; text-underline-offset: 0.15em; }
.help { gap: 0.375rem; }
.help li { display: flex; flex-wrap: wrap; align-items: center; column-gap: 1rem; border-block-start: 1px solid var(--line);
  padding-block-start: 0.375rem; }
.help li > span { flex: 1 1 13rem; color: var(--soft); font-size: 0.9375rem; }
.reach { display: flex; flex-wrap: wrap; align-items: center; column-gap: 1rem; flex: 1 1 13rem; }
a, .name { font-weight: 600; display: inline-flex; align-items: center; min-height: 1.75rem; min-width: 1.5rem; }
a { color: var(--accent); text-underline-offset: 0.15em; border-radius: 0.25rem; }
.quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: no-preference) {
  .card { animation: rise 0.24s ease-out; }
  @keyframes rise { from { opacity: 0; transform: translateY(0.75rem); } }
  :host([position="inline"]) .card { animation: none; }
}
@media (max-width: 24rem) { :host { padding: 0.5rem; } .card { padding: 0.875rem; } }
`;

const DO = new Set(["block_viewer", "comments_off", "end_stream", "tell_someone", "dismiss"]);
let sheet;
let count = 0;

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function link(href, text) {
  const node = make("a", "", text);
  node.href = href;
  if (href.startsWith("https:")) {
    node.target = "_blank";
    node.rel = "noopener noreferrer";
  }
  return node;
}

export class UpstanderNudge extends HTMLElement {
  static observedAttributes = ["payload"];

  #payload = null;
  #shownAt = 0;
  #before = null;
  #said;
  #place;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
    }
    root.adoptedStyleSheets = [sheet];
    // A live region has to be there before its text: only then is the text spoken.
    this.#said = make("p", "quiet");
    this.#said.setAttribute("role", "status");
    this.#said.setAttribute("aria-live", "polite");
    this.#place = make("div");
    root.append(this.#said, this.#place);
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.#payload) return;
      event.stopPropagation();
      this.#close("escape");
    });
  }

  get payload() {
    return this.#payload;
  }

  set payload(card) {
    this.#payload = card && typeof card === "object" ? card : null;
    if (this.isConnected) this.#render();
  }

  connectedCallback() {
    if (Object.hasOwn(this, "payload")) {
      // It was set before this module was loaded: the plain property would hide the accessor.
      const card = this.payload;
      delete this.payload;
      this.payload = card;
      return;
    }
    this.#render();
  }

  disconnectedCallback() {
    this.#empty();
  }

  attributeChangedCallback(name, before, text) {
    if (before === text) return;
    try {
      this.payload = text ? JSON.parse(text) : null;
    } catch {
      this.payload = null;
      console.error("upstander-nudge: the attribute `payload` is not JSON. Set it to the `card` of a nudge.");
    }
  }

  /** Close the card from outside: nothing is shown until the next payload. */
  dismiss() {
    if (this.#payload) this.#close("platform");
  }

  #render() {
    this.#empty();
    const card = this.#payload;
    this.hidden = !card;
    if (!card) return;
    const urgent = Boolean(card.urgent);
    const number = ++count;
    const box = make("section", "card");
    box.lang = card.language || "";
    box.dir = card.direction === "rtl" ? "rtl" : "ltr";
    box.tabIndex = -1;
    box.setAttribute("role", urgent ? "alertdialog" : "dialog");
    box.setAttribute("aria-labelledby", `title-${number}`);
    box.setAttribute("aria-describedby", `noticed-${number}`);

    const title = make("h2", "", card.title);
    title.id = `title-${number}`;
    const noticed = make("p", "noticed", card.noticed);
    noticed.id = `noticed-${number}`;
    box.append(title, noticed, make("h3", "", card.headings?.actions || ""));

    const list = make("ul", "actions");
    for (const offer of card.actions || []) {
      if (!DO.has(offer.do)) continue;
      const item = make("li");
      const button = make("button", offer.do === "dismiss" ? "dismiss" : "", offer.label);
      button.type = "button";
      button.addEventListener("click", () => (offer.do === "dismiss" ? this.#close("button") : this.#act(offer.do)));
      item.append(button);
      list.append(item);
    }
    box.append(list);

    if (card.help?.length) {
      const heading = make("h3", "", card.headings?.help || "");
      heading.id = `help-${number}`;
      heading.tabIndex = -1;
      const places = make("ul", "help");
      for (const place of card.help) places.append(this.#help(place));
      box.append(heading, places);
    }
    this.#place.append(box);
    this.#shownAt = performance.now();
    if (urgent) {
      // Grave enough to be read at once. The keyboard goes back to where it was when the card closes.
      this.#before = this.getRootNode().activeElement ?? null;
      box.focus({ preventScroll: true });
    } else {
      const said = `${card.title}. ${card.noticed}`;
      setTimeout(() => {
        if (this.#payload === card) {
          this.#said.lang = card.language || "";
          this.#said.textContent = said;
        }
      }, 100);
    }
    this.#tell("shown", {});
  }

  #help(place) {
    const item = make("li");
    item.append(make("span", "", place.for));
    const reach = make("div", "reach");
    const address = String(place.url || "");
    const number = String(place.contact || "");
    reach.append(address.startsWith("https://") ? link(address, place.name) : make("span", "name", place.name));
    if (/^[0-9 -]+$/.test(number)) reach.append(link(`tel:${number.replace(/[^0-9]/g, "")}`, number));
    item.append(reach);
    return item;
  }

  #act(name) {
    this.#tell("action", { do: name });
    if (name !== "tell_someone") return;
    // Besides what the platform makes of it: on to the places of help on this card.
    const heading = this.shadowRoot.querySelector("h3[tabindex]");
    heading?.scrollIntoView({ block: "nearest" });
    heading?.focus({ preventScroll: true });
  }

  #close(by) {
    const inside = this.shadowRoot.activeElement !== null;
    const back = this.#before;
    this.#tell("dismissed", { by });
    this.#payload = null;
    this.#empty();
    this.hidden = true;
    if (inside && back?.isConnected && back !== document.body) back.focus({ preventScroll: true });
  }

  #empty() {
    this.#place.replaceChildren();
    this.#said.textContent = "";
    this.#before = null;
  }

  #tell(what, more) {
    const after = Math.round(performance.now() - this.#shownAt);
    const detail = { id: this.#payload.id, after_ms: after, ...more };
    this.dispatchEvent(new CustomEvent(`upstander-nudge-${what}`, { bubbles: true, composed: true, detail }));
  }
}

if (!customElements.get("upstander-nudge")) customElements.define("upstander-nudge", UpstanderNudge);
