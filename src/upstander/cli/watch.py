"""``upstander watch``: one stream into ``frame`` and ``speech`` events."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import click
import msgspec

from upstander.cli.common import Mistake, clear_errors, config_option, settings_of
from upstander.client import Client, Rejected
from upstander.gateway.configuration import configuration_of
from upstander.model.events import AnyEvent, BroadcastEnded, BroadcastStarted
from upstander.settings import Settings
from upstander.watch.analyst import now_ms
from upstander.watch.errors import WatchError

EXAMPLES = """
\b
Examples:
  upstander watch clip.mp4 --broadcast b1 | upstander replay - --json
  upstander watch rtmp://127.0.0.1/live/b1 --broadcast b1 --to http://127.0.0.1:8787
  upstander watch https://example.org/live/b1.m3u8 --broadcast b1 --no-faces
"""


@click.command("watch", epilog=EXAMPLES)
@click.argument("url")
@click.option("--broadcast", required=True, metavar="ID", help="The broadcast's id.")
@click.option("--to", metavar="ADDRESS", help="Send events to an Upstander here. Default: print them, a line each.")
@click.option("--key", envvar="UPSTANDER_KEY", help="The API key for --to (or UPSTANDER_KEY).")
@click.option("--interval", type=click.FloatRange(0.25, 60), help="Seconds between samples. Default: 1.")
@click.option("--faces/--no-faces", default=None, help="Count faces.")
@click.option("--speech/--no-speech", default=None, help="Recognise speech.")
@click.option("--all-speech", is_flag=True, help="With --to: send also what shows nothing. It is then kept for good.")
@click.option("--seconds", type=click.FloatRange(min=1), help="Stop after this time.")
@click.option("--start/--no-start", default=False, help="Say that the broadcast starts and ends as well (for replay).")
@config_option
def command(
    url: str, broadcast: str, to: str | None, key: str | None, interval: float | None, faces: bool | None,
    speech: bool | None, all_speech: bool, seconds: float | None, start: bool, config: Path | None, data: str | None,
) -> int:  # fmt: skip
    """Watch a stream (RTMP, RTSP, HLS, SRT, WHEP) or a file, and say what is seen and heard in it.

    The decoder runs in a sandbox of its own; a stream that breaks off is tried again. Nothing is kept: each picture is
    gone once its facts are known. With --to, spoken words that show nothing are not sent; without, all are printed.
    Exit status: 0 at the end of a file, or after Ctrl-C or --seconds; 1 when the stream could not be watched.
    """
    settings = settings_of(config, data)
    asked = {"interval_s": interval, "faces": faces, "speech": speech}
    watch = msgspec.structs.replace(
        settings.watch, **{name: value for name, value in asked.items() if value is not None}
    )
    settings = msgspec.structs.replace(settings, watch=watch)
    if to and not key:
        raise Mistake(
            "--to needs an API key. Make one with: upstander keys create --platform NAME --scope events:write"
        )
    try:
        with _Sink(to, key) as sink:
            return _watch(settings, url, broadcast, sink, _flagged(settings) if to and not all_speech else None,
                          seconds, start)  # fmt: skip
    except WatchError as error:
        raise Mistake(str(error)) from None


class _Sink:
    """Takes events: prints them, or sends them."""

    def __init__(self, to: str | None, key: str | None) -> None:
        self._client = Client(to, key or "") if to else None
        self._lock = threading.Lock()

    def __enter__(self) -> Callable[[AnyEvent], None]:
        return self._take

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def _take(self, event: AnyEvent) -> None:
        if self._client is not None:
            self._client.send(event)
            return
        with self._lock:
            sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
            sys.stdout.buffer.flush()


def _flagged(settings: Settings) -> Callable[[str], bool]:
    """Whether words show anything, by the same packs as chat."""
    from upstander.runtime import Runtime  # noqa: PLC0415 (loading takes a second)
    from upstander.watch.transcripts import shows  # noqa: PLC0415

    with clear_errors():
        runtime = Runtime(configuration_of(settings))
    return lambda text: shows(runtime.detector, text)


def _watch(
    settings: Settings, url: str, broadcast: str, sink: Callable[[AnyEvent], None],
    flagged: Callable[[str], bool] | None, seconds: float | None, start: bool,
) -> int:  # fmt: skip
    from upstander.watch.analyst import Analyst, Said  # noqa: PLC0415
    from upstander.watch.nursery import Nursery  # noqa: PLC0415
    from upstander.watch.source import Source  # noqa: PLC0415
    from upstander.watch.start import models, order, typed  # noqa: PLC0415
    from upstander.watch.watcher import Limits, Watcher  # noqa: PLC0415

    def tell(text: str) -> None:
        click.echo(f"watch: {text}", err=True)

    def said(words: Said) -> None:
        if flagged is None or flagged(words.event.text):
            sink(words.event)

    loaded, nursery = models(settings.watch), Nursery()
    try:
        is_file = "://" not in url
        rules = typed("http://localhost" if is_file else url, settings.watch)
        source = Source(url, rules, Path(url) if is_file else None)
        analyst = Analyst(broadcast, loaded, _quietly(sink, tell), said, live=source.live)
        watcher = Watcher(source, order(settings.watch), analyst, nursery, Limits(settings.watch.deadline_s), tell)
        stopped = _stop_on_signals(watcher.stop)
        if seconds is not None:
            timer = threading.Timer(seconds, watcher.stop)
            timer.daemon = True
            timer.start()
        if start:
            sink(BroadcastStarted(id=f"start:{os.getpid()}", at=now_ms(), broadcast=broadcast, host=broadcast))
        fault = watcher.run()
    finally:
        loaded.close()
        nursery.close()
    if start:
        sink(BroadcastEnded(id=f"end:{os.getpid()}", at=now_ms(), broadcast=broadcast))
    dropped = loaded.recogniser.dropped_s if loaded.recogniser is not None else 0.0
    lost = f"; {dropped:.0f} s of speech dropped" if dropped else ""
    tell(f"{broadcast}: {watcher.state.frames:,} frames, {watcher.state.beat.corrupt:,} corrupt packets{lost}")
    if fault and not stopped:
        tell(f"{broadcast}: {fault}")
        return 1
    return 0


def _quietly(sink: Callable[[AnyEvent], None], tell: Callable[[str], None]) -> Callable[[AnyEvent], None]:
    """A sink that survives an Upstander that takes no more."""

    def take(event: AnyEvent) -> None:
        try:
            sink(event)
        except Rejected as error:
            tell(str(error))

    return take


def _stop_on_signals(stop: Callable[[], None]) -> list[int]:
    """Ctrl-C and SIGTERM stop the watcher in good order; the list says which came."""
    came: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        came.append(number)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    return came
