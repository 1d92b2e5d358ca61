"""Labelled wire events: ordinary JSON Lines whose events may carry ``label`` and ``slice_tags``.

The engine ignores both fields, so a labelled file replays like any other.
"""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from upstander.evaluate.corpus import NO_HOST, VOICE, Case, Options, announcement
from upstander.model.events import Acted, AnyEvent, BroadcastEnded, BroadcastStarted, Speech
from upstander.model.vocabulary import AgeBand, Tactic
from upstander.model.wire import MAX_EVENT_BYTES, WireError, read_events

#: An ended broadcast waits for late events for so many more lines; then it is evaluated and forgotten.
LATE_LINES = 1_000
_HARMFUL = {"harmful": True, "benign": False}


class _Extra(msgspec.Struct):
    label: list[str] | str | None = None
    slice_tags: list[str] = []


_EXTRA = msgspec.json.Decoder(_Extra)


class _Open:
    """A broadcast whose events are still coming."""

    def __init__(self, identifier: str) -> None:
        self.id = identifier
        self.events: dict[str, AnyEvent] = {}
        self.start: BroadcastStarted | None = None
        self.over = False
        self.said: bool | None = None
        self.labels: dict[str, frozenset[Tactic]] = {}
        self.tags: set[str] = set()

    def add(self, event: AnyEvent, extra: _Extra) -> None:
        """Take one event; its label must be of the right form. Raises ``WireError``, and takes nothing then."""
        if event.id in self.events:
            return
        label = extra.label
        if isinstance(label, str):
            if not isinstance(event, BroadcastStarted) or label not in _HARMFUL:
                fix = 'A broadcast is "harmful" or "benign"; an event has a list of tactics ([] when benign).'
                raise WireError("label", f"{label[:40]!r} is no label of a `{_tag(event)}`", fix, event=event.id)
            self.said = _HARMFUL[label]
        elif label is not None:
            self.labels[event.id] = frozenset(_tactic(name, event.id) for name in label)
        self.tags.update(extra.slice_tags)
        self.events[event.id] = event
        if isinstance(event, BroadcastStarted):
            self.start = self.start or event
            self.over = False
        elif isinstance(event, BroadcastEnded):
            self.over = True

    def case(self, options: Options) -> Case:
        """What was taken, as a case."""
        events = list(self.events.values())
        start = self.start
        if start is None:
            start = announcement(self.id, NO_HOST, events[0].at_ms, options.band)
            events.insert(0, start)
        elif start.host_age_band is AgeBand.UNKNOWN and options.band is not AgeBand.UNKNOWN:
            named = msgspec.structs.replace(start, host_age_band=options.band)
            events = [named if event is start else event for event in events]
        shown = {identifier for identifier, tactics in self.labels.items() if tactics}
        harmful = True if shown else self.said
        if harmful is None and (self.labels or options.assume_benign):
            harmful = False
        actors = {_actor(self.events[identifier]) for identifier in shown}
        return Case(
            id=self.id,
            host=start.host,
            events=events,
            harmful=harmful,
            harmful_actors=frozenset(actor for actor in actors if actor is not None and actor != start.host),
            labels=self.labels,
            language=start.language,
            slice_tags=frozenset(self.tags),
        )


def read(stream: BinaryIO, file: str, options: Options) -> Iterator[Case]:
    """The broadcasts of a wire file, each when it has ended, the rest at the end of the file.

    A broadcast is harmful when an event in it has a non-empty label or its announcement says so, benign when it says
    ``benign`` or its events are labelled ``[]`` only. Without any label it is benign under ``assume_benign``, else
    unlabelled. Lines that are no events or have a wrong label are complained about and left out.
    """
    broadcasts: dict[str, _Open] = {}
    ended: deque[tuple[int, _Open]] = deque()
    finished: set[str] = set()
    for number, raw, event in read_events(_lines(stream)):
        try:
            if isinstance(event, WireError):
                raise event
            # Most lines carry neither field: do not read them twice.
            extra = _extra(raw, event.id) if b'"label"' in raw or b'"slice_tags"' in raw else _Extra()
            if event.broadcast in finished and not isinstance(event, BroadcastStarted):
                raise WireError("broadcast", "it ended long before this line", "Put the line nearer.", event=event.id)
            broadcast = broadcasts.get(event.broadcast) or _Open(event.broadcast)
            broadcast.add(event, extra)
        except WireError as error:
            error.line = number
            options.complain(f"{file}: {error}")
            continue
        broadcasts[event.broadcast] = broadcast
        finished.discard(event.broadcast)
        if isinstance(event, BroadcastEnded):
            ended.append((number, broadcast))
        while ended and number - ended[0][0] >= LATE_LINES:
            waited = ended.popleft()[1]
            if waited.over and broadcasts.get(waited.id) is waited:
                finished.add(waited.id)
                yield broadcasts.pop(waited.id).case(options)
    for broadcast in broadcasts.values():
        yield broadcast.case(options)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines of bounded length: of one that is far too long only the start is kept (enough to refuse it)."""
    first = True
    while line := stream.readline(MAX_EVENT_BYTES + 2):
        if len(line) > MAX_EVENT_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(1024 * 1024)) and not rest.endswith(b"\n"):
                pass
        yield line.removeprefix(b"\xef\xbb\xbf") if first else line
        first = False


def _extra(raw: bytes, event: str) -> _Extra:
    try:
        return _EXTRA.decode(raw)
    except msgspec.ValidationError as error:
        name = "slice_tags" if "slice_tags" in str(error) else "label"
        fix = 'Give `label` a list of tactics or, in an announcement, "harmful" or "benign"; `slice_tags` a list.'
        raise WireError(name, str(error).split(" - at")[0].lower(), fix, event=event) from None


def _tactic(name: str, event: str) -> Tactic:
    try:
        return Tactic(name)
    except ValueError:
        near = difflib.get_close_matches(name, list(Tactic), 1)
        fix = f"Did you mean `{near[0]}`?" if near else f"Use some of: {', '.join(Tactic)}."
        raise WireError("label", f"{name[:40]!r} is no tactic", fix, event=event) from None


def _tag(event: AnyEvent) -> str:
    return str(type(event).__struct_config__.tag)


def _actor(event: AnyEvent) -> str | None:
    """Who did what is labelled; ``None`` for the host's own voice."""
    if isinstance(event, Speech):
        return None if event.speaker == "host" else VOICE
    return event.actor if isinstance(event, Acted) else None
