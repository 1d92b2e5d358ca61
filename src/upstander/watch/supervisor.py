"""Watches many broadcasts for the service, in a process of its own and behind it in the queue for the processor.

Lines of JSON in (``Do``) and out (``Out``). It knows no keys and no journal: the service decides what becomes of
events. Run as ``python -m upstander.watch.supervisor``; the first line is the settings.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any, BinaryIO

import msgspec

from upstander.model.events import AnyEvent
from upstander.watch import start
from upstander.watch.analyst import Analyst, Models, Said
from upstander.watch.buffer import Buffer
from upstander.watch.errors import WatchError
from upstander.watch.fingerprint import Print
from upstander.watch.messages import Clip
from upstander.watch.nursery import Nursery
from upstander.watch.settings import WatchSettings
from upstander.watch.source import Source
from upstander.watch.watcher import Limits, State, Watcher

TICK_S = 5.0
MOST_EASE_S = 8.0
#: After so long without a picture that had to be passed over, sampling speeds up again.
CALM_S = 30.0


class Do(msgspec.Struct, forbid_unknown_fields=True):
    """``start`` or ``stop`` watching a broadcast, or hand out its ``clips`` (under the number ``ref``)."""

    do: str
    platform: str
    broadcast: str
    url: str = ""
    ref: int = 0


class Out(msgspec.Struct, omit_defaults=True):
    """What comes out: an ``event``; ``said`` (words that may or may not become one); a ``note`` for the log; ``states``
    of all watchers; ``clips`` that were asked for; a ``print`` of the sound; ``gone``: a watcher ended (``note`` says
    why)."""

    kind: str
    platform: str = ""
    broadcast: str = ""
    event: dict[str, Any] | None = None
    language: str = ""
    note: str = ""
    states: list[State] = []
    clips: list[Clip] = []
    ref: int = 0
    print: Print | None = None


class Supervisor:
    """All watchers of one service."""

    def __init__(self, settings: WatchSettings, out: BinaryIO) -> None:
        self.settings, self._out = settings, out
        self._writing = threading.Lock()
        self._watchers: dict[tuple[str, str], Watcher] = {}
        self._buffers: dict[tuple[str, str], Buffer] = {}
        self._models: Models = start.models(settings)
        self._rules = start.rules(settings)
        self._nursery = Nursery()
        self._ease_s, self._skipped, self._eased = 0.0, 0, 0.0

    def say(self, out: Out) -> None:
        """Write one line."""
        line = msgspec.json.encode(out) + b"\n"
        with self._writing:
            self._out.write(line)
            self._out.flush()

    def obey(self, do: Do) -> None:
        """Do what a line says."""
        key = (do.platform, do.broadcast)
        if do.do == "start" and key not in self._watchers:
            self._start(key, do.url)
        elif do.do == "stop" and key in self._watchers:
            self._watchers[key].stop()
        elif do.do == "clips":
            buffer = self._buffers.get(key)
            clips = buffer.clips() if buffer is not None else []
            for clip in clips:
                self.say(Out("clips", *key, clips=[clip], ref=do.ref))
            self.say(Out("clips", *key, ref=do.ref))

    def _start(self, key: tuple[str, str], url: str) -> None:
        platform, broadcast = key
        keep = self.settings.keep_of(platform)
        try:
            source = Source(url, self._rules)
        except WatchError as error:
            self.say(Out("gone", *key, note=str(error)))
            return
        prints = self.settings.fingerprint_days > 0
        analyst = Analyst(
            broadcast, self._models, self._event(platform), self._said(platform),
            printed=(lambda made: self.say(Out("print", *key, print=made))) if prints else None,
        )  # fmt: skip
        buffer = Buffer(keep.seconds) if keep is not None else None
        watcher = Watcher(
            source, start.order(self.settings, keep is not None), analyst, self._nursery,
            Limits(self.settings.deadline_s), lambda text: self.say(Out("note", *key, note=text)),
            buffer.add if buffer is not None else None,
        )  # fmt: skip
        self._watchers[key] = watcher
        if buffer is not None:
            self._buffers[key] = buffer
        threading.Thread(target=self._run, args=(key, watcher), name="watcher", daemon=True).start()

    def _run(self, key: tuple[str, str], watcher: Watcher) -> None:
        try:
            fault = watcher.run()
        except Exception as error:  # one watcher's fault must not end the others
            fault = f"{type(error).__name__}: {error}"
        self._watchers.pop(key, None)
        self._buffers.pop(key, None)
        self.say(Out("gone", *key, note=fault))

    def _event(self, platform: str) -> Any:
        def take(event: AnyEvent) -> None:
            self.say(Out("event", platform, event.broadcast, msgspec.to_builtins(event)))

        return take

    def _said(self, platform: str) -> Any:
        def take(said: Said) -> None:
            event = msgspec.to_builtins(said.event)
            self.say(Out("said", platform, said.event.broadcast, event, language=said.language))

        return take

    def tick(self) -> None:
        """Every few seconds: how all stand, and whether the models keep up."""
        skipped = self._models.faces.skipped if self._models.faces is not None else 0
        now = time.monotonic()
        before = self._ease_s
        if skipped > self._skipped:
            self._ease_s, self._eased = min(MOST_EASE_S, max(2.0, self._ease_s * 2)), now
        elif self._ease_s and now - self._eased > CALM_S:
            self._ease_s, self._eased = (self._ease_s / 2 if self._ease_s > 2 else 0.0), now
        self._skipped = skipped
        if self._ease_s != before:
            for watcher in list(self._watchers.values()):
                watcher.ease(self._ease_s)
            every = max(self._ease_s, self.settings.interval_s)
            self.say(Out("note", note=f"the face model is {'behind' if self._ease_s > before else 'catching up'}: "
                                      f"a sample of each broadcast every {every:g} s"))  # fmt: skip
        self.say(Out("states", states=[watcher.state for watcher in list(self._watchers.values())]))

    def close(self) -> None:
        """Stop all watchers and let go of everything."""
        for watcher in list(self._watchers.values()):
            watcher.stop()
        self._nursery.close()
        self._models.close(finish=False)


def main(into: BinaryIO, out: BinaryIO) -> None:
    """Obey until the service has gone."""
    os.nice(5)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service says when to end
    settings = msgspec.json.decode(into.readline(), type=WatchSettings)
    supervisor = Supervisor(settings, out)
    supervisor.say(Out("note", note="ready"))
    ticking = threading.Event()

    def tick() -> None:
        while not ticking.wait(TICK_S):
            supervisor.tick()

    threading.Thread(target=tick, name="tick", daemon=True).start()
    for line in iter(into.readline, b""):
        supervisor.obey(msgspec.json.decode(line, type=Do))
    ticking.set()
    supervisor.close()


if __name__ == "__main__":
    # Writing to a service that has gone is no reason for a traceback.
    try:
        main(sys.stdin.buffer, sys.stdout.buffer)
    except WatchError as fault:
        sys.stderr.write(f"watch: {fault}\n")
        sys.exit(2)
    except BrokenPipeError:
        os._exit(0)
