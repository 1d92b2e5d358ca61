#!/usr/bin/env python3
"""Makes the pictures of the docs from a real run of the demo: the terminal as SVG, the live page as PNG.

Needs Debian's chromium for the page.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console

from upstander.cli import demo
from upstander.demo.platform import Platform, Receiver, bundled_chat, bundled_scripts
from upstander.demo.view import View
from upstander.gateway.keys import KeyStore, Scope

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
SECRET = "whsec_" + "cGljdHVyZXMgb25seSwgbm90IGEgc2VjcmV0ISE="


def main() -> None:
    """Run the demo for a while and take the pictures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 24.0
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        receiver = Receiver(SECRET)
        config = demo._configure(folder, receiver.url, SECRET)
        keys = KeyStore(folder / "keys.sqlite")
        key, _ = keys.create(demo.PLATFORM, list(Scope), "pictures")
        with demo._service(config, 0, folder) as url:
            view = View("http://127.0.0.1:8787", "upstander-data/demo", 0)
            view.link = "http://127.0.0.1:8787/sign-in/link?ticket=…"
            demo.threading.Thread(target=demo._follow, args=(url, key, view), daemon=True).start()
            platform = Platform(url, key, 2.0, view.on_held, repeat=True)
            platform.play(bundled_scripts(), bundled_chat())
            time.sleep(seconds)
            console = Console(record=True, width=150, height=44, file=io.StringIO())
            console.print(view.render(platform, receiver, 44, 150))
            svg = console.export_svg(title="upstander demo")
            # Rich's template fetches its font from a server; readers of the docs should not.
            svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace("Fira Code,", "")
            (IMAGES / "demo.svg").write_text(svg, encoding="utf-8")
            _page(url + demo._sign_in_path(folder), IMAGES / "live.png")
            platform.stop()
        receiver.close()


def _page(url: str, path: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="dark")
        page.goto(url)
        page.wait_for_selector("#broadcasts li")
        page.wait_for_timeout(1500)
        page.screenshot(path=str(path))
        browser.close()


if __name__ == "__main__":
    main()
