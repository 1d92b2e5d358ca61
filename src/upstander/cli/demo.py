"""``upstander demo``: the whole thing at work, on embedded defaults."""

from __future__ import annotations

import base64
import contextlib
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import msgspec
from rich.console import Console
from rich.live import Live

from upstander.adapters.base import Capability
from upstander.cli.common import Mistake, clear_errors
from upstander.console import missing
from upstander.demo.platform import Platform, Receiver, bundled_chat, bundled_scripts
from upstander.demo.view import View
from upstander.gateway.keys import KeyStore, Scope
from upstander.gateway.wall import Update
from upstander.journal import store
from upstander.settings import Settings

EXAMPLES = """
\b
Examples:
  upstander demo
  upstander demo --speed 3
  upstander demo --chat recorded.jsonl      (JSON Lines with "author" and "text")
  upstander demo --seconds 30 --plain
"""
#: Recorded chat that is used when it is there and nothing else is named.
RECORDED = Path("../shared/data/chat/twitch-46k.jsonl")
PLATFORM = "demo"


@click.command("demo", epilog=EXAMPLES)
@click.option("--data", default="upstander-data/demo", show_default=True, metavar="FOLDER")
@click.option("--port", type=click.IntRange(0, 65_535), default=8787, show_default=True, help="0 takes a free one.")
@click.option("--speed", type=click.FloatRange(0.1, 100), default=1.0, show_default=True)
@click.option("--chat", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Recorded chat to play too.")
@click.option("--seconds", type=click.FloatRange(min=1), help="Stop after so long. Default: on Ctrl-C.")
@click.option("--plain", is_flag=True, help="Lines instead of the live view (the default when not on a terminal).")
def command(data: str, port: int, speed: float, chat: Path | None, seconds: float | None, plain: bool) -> None:
    """Play scripted broadcasts (and recorded chat) against a real Upstander and watch it decide.

    Starts the service on loopback with its data in one folder, a pretend platform that holds comments and obeys
    webhooks, and a live view; prints the address of the same as a web page. Run it again: it continues from the
    journal. Not on a terminal, each script is played once and the demo ends.
    """
    console = Console()
    plain = plain or not console.is_terminal
    folder = Path(data)
    receiver = Receiver(secret := "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    with clear_errors():
        config = _configure(folder, receiver.url, secret)
        keys = KeyStore(folder / "keys.sqlite")
    text, key = keys.create(PLATFORM, list(Scope), "demo")
    continued = _journaled(folder)
    try:
        with _service(config, port, folder) as url:
            view = View(url, data, continued)
            platform = Platform(url, text, speed, view.on_held, repeat=not plain)
            view.link = url + _sign_in_path(folder)
            feed = threading.Thread(target=_follow, args=(url, text, view), daemon=True)
            feed.start()
            chat = chat or (RECORDED if RECORDED.exists() else bundled_chat())
            platform.play(bundled_scripts(), chat)
            until = time.monotonic() + seconds if seconds else None
            try:
                (_lines if plain else _watch)(console, view, platform, receiver, until)
            except KeyboardInterrupt:
                console.print("\nstopping…", style="dim")
            platform.stop()
    finally:
        _end_account(folder)
        keys.revoke(key.id)
        keys.close()
        receiver.close()
    done = _journaled(folder)
    actions = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in receiver.counts.most_common())
    console.print(f"{done - continued:,} events this time, {done:,} in the journal ({data}/journal.sqlite).")
    console.print(f"The platform did: {actions or 'nothing'}.")
    for error, times in platform.errors.items():
        console.print(f"[yellow]{times} x {error}[/]")
    console.print(f"Look further: upstander verify --data {data}", highlight=False)
    console.print(f"              upstander outbox --data {data}", highlight=False)


def _watch(console: Console, view: View, platform: Platform, receiver: Receiver, until: float | None) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while platform.playing and (until is None or time.monotonic() < until):
            live.update(view.render(platform, receiver, console.height, console.width), refresh=True)
            time.sleep(0.25)


def _lines(console: Console, view: View, platform: Platform, receiver: Receiver, until: float | None) -> None:
    """For pipes and logs: a line a decision, and the figures every few seconds."""
    console.print(f"live page (once, within five minutes): {view.link}", soft_wrap=True)
    next_figures = time.monotonic() + 5
    told = 0.0
    while platform.playing and (until is None or time.monotonic() < until):
        for at, comment, answer in [held for held in reversed(view.held) if held[0] > told]:
            told = at
            decision = answer.decision
            assert decision is not None
            why = decision.reasons[0].why if decision.reasons else ""
            asked = ", ".join(a.do for a in decision.interventions)
            line = f"{decision.level:<9} {comment.broadcast:<24} {comment.actor}: {comment.text!r}  {why} -> {asked}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        if time.monotonic() >= next_figures:
            stats = view.seen.stats
            figures = f"{stats.events:,} events, {stats.events_per_s:,.0f}/s, p99 {stats.p99_ms:.1f} ms"
            levels = ", ".join(f"{name} {count}" for name, count in stats.levels.items()) or "all clear"
            console.print(f"-- {figures}; {levels}", style="dim", highlight=False)
            next_figures += 5
        time.sleep(0.1)


def _configure(folder: Path, webhook: str, secret: str) -> Path:
    """The demo's settings: fresh for every run, since the pretend platform's port and secret are."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Mistake(
            f"the data folder {folder} cannot be used ({error.strerror}). Choose another with --data."
        ) from None
    secret_file = folder / "webhook.secret"
    secret_file.touch(mode=0o600)
    secret_file.write_text(secret + "\n", encoding="utf-8")
    capabilities = ", ".join(f'"{c}"' for c in Capability if c is not Capability.PLATFORM_HOLD)
    config = folder / "upstander.toml"
    lines = (
        "# Written by `upstander demo`.",
        'data = "."',
        "[presets]",
        'use = ["none"]  # presets keep comments off in children\'s broadcasts, and there would be little to see',
        "[[adapters]]",
        'name = "pretend-platform"',
        f'platform = "{PLATFORM}"',
        'kind = "webhook"',
        f'url = "{webhook}"',
        'secret_file = "webhook.secret"',
        f"capabilities = [{capabilities}]",
    )
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return config


@contextlib.contextmanager
def _service(config: Path, port: int, folder: Path) -> Iterator[str]:
    """A real `upstander serve` in a process of its own; stopped cleanly at the end."""
    if port and _taken(port):
        port = 0
    log = (folder / "serve.log").open("ab")
    arguments = [sys.executable, "-m", "upstander", "serve", "--config", str(config), "--port", str(port)]
    # Its own session, so that Ctrl-C reaches the demo first and the service is stopped in order.
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    try:
        yield _address(process, folder)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def _address(process: subprocess.Popen[bytes], folder: Path) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    for word in line.split():
        if word.startswith("http://"):
            return word
    tail = (folder / "serve.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    raise Mistake(f"the service did not start: {tail[0] if tail else 'no reason given'} (see {folder}/serve.log)")


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _sign_in_path(folder: Path) -> str:
    """A path that signs a browser in, once, as the demo's own account; it has no password and ends with the demo."""
    if missing():
        return "/live"
    from upstander.people.permissions import Role  # noqa: PLC0415
    from upstander.people.store import People  # noqa: PLC0415

    people = People(Settings(data=str(folder)).people_path)
    try:
        person = people.find(PLATFORM)
        if person is None:
            people.add(PLATFORM, [Role.SENIOR], platforms=[PLATFORM])
        elif person.disabled_at:
            people.enable(PLATFORM)
        return f"/sign-in/link?ticket={people.make_link(PLATFORM)}"
    finally:
        people.close()


def _end_account(folder: Path) -> None:
    path = Settings(data=str(folder)).people_path
    if missing() or not path.exists():
        return
    from upstander.people.store import People  # noqa: PLC0415

    people = People(path)
    person = people.find(PLATFORM)
    if person is not None and not person.disabled_at:
        people.disable(PLATFORM)
    people.close()


def _follow(url: str, key: str, view: View) -> None:
    decoder = msgspec.json.Decoder(Update)
    headers = {"authorization": f"Bearer {key}"}
    with (
        contextlib.suppress(httpx.HTTPError),
        httpx.stream("GET", f"{url}/live/events", headers=headers, timeout=30) as feed,
    ):
        for line in feed.iter_lines():
            if line.startswith("data: {") and len(line) > 10:
                view.seen = decoder.decode(line[6:])


def _journaled(folder: Path) -> int:
    path = Settings(data=str(folder)).journal_path
    if not path.exists():
        return 0
    connection = store.connect(path, readonly=True)
    try:
        found: int = connection.execute("SELECT count(*) FROM entries WHERE kind = 'event'").fetchone()[0]
    finally:
        connection.close()
    return found
