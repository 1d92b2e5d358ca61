// Says that somebody is at the screen, at most once a minute: a wall that is only open does not keep a session alive.
"use strict";

let said = Date.now();
for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
  document.addEventListener(kind, () => {
    if (Date.now() - said < 60_000) return;
    said = Date.now();
    const token = document.querySelector("meta[name=form-token]").content;
    fetch("/account/here", { method: "POST", headers: { "x-form-token": token } }).catch(() => {});
  }, { passive: true });
}
