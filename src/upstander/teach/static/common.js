// What the pages share: elements, words, and a connection that comes back by itself. Nothing is stored in the browser.

let spoken = {};
let language = "";

export async function speak(asked) {
  if (asked === language) return;
  const answer = await fetch(`/words/${asked}`);
  if (!answer.ok) return;
  spoken = await answer.json();
  language = asked;
  document.documentElement.lang = asked;
  for (const element of document.querySelectorAll("[data-w]")) element.textContent = say(element.dataset.w);
}

export function say(key, values = {}) {
  let text = spoken[key] ?? key;
  for (const [name, value] of Object.entries(values)) text = text.replaceAll(`{${name}}`, String(value));
  return text;
}

/** An element. `properties` are set as properties, those with a dash (and `role`) as attributes; nothing is read as markup. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key.includes("-") || key === "role" || key === "for") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

/** A WebSocket that opens again after every loss until `stop` is called. `hello` says what to ask for on opening. */
export function connect({ hello, take, changed }) {
  let socket = null;
  let wait = 250;
  let timer = 0;
  let stopped = false;
  let queue = Promise.resolve();

  function open() {
    clearTimeout(timer);
    if (stopped || (socket && socket.readyState <= WebSocket.OPEN)) return;
    const made = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
    socket = made;
    made.addEventListener("open", () => {
      wait = 250;
      const asked = hello();
      if (asked) made.send(JSON.stringify(asked));
      changed(true);
    });
    // One after another: a handler may wait for words in another language.
    made.addEventListener("message", ({ data }) => { queue = queue.then(() => take(JSON.parse(data))).catch(console.error); });
    made.addEventListener("close", () => { if (made === socket) lost(); });
  }

  function lost() {
    if (stopped) return;
    socket = null;
    changed(false);
    clearTimeout(timer);
    timer = setTimeout(open, wait);
    wait = Math.min(wait * 2, 4000);
  }

  // A browser may keep a dead socket for minutes: what it knows of the network is quicker.
  window.addEventListener("offline", () => { if (socket) { const dead = socket; lost(); dead.close(); } });
  window.addEventListener("online", () => { wait = 250; open(); });
  open();
  return {
    send(message) {
      if (!socket || socket.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(message));
      return true;
    },
    stop() { stopped = true; clearTimeout(timer); if (socket) socket.close(); },
  };
}
