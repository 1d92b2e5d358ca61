"""From a case, its sealed evidence and what a person adds, to a report. Pure: the same input gives the same report.

Nothing is guessed: what the evidence and the person do not say stays empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from upstander.cases.model import Case
from upstander.model.vocabulary import Level
from upstander.reports.facts import Facts, FileFacts
from upstander.reports.model import (
    Account,
    File,
    Hash,
    Incident,
    Line,
    Present,
    Report,
    Reporter,
    ReportError,
    Why,
)
from upstander.reports.settings import ReporterSettings
from upstander.reports.words import RELEVANCE

#: Parts that the vault holds about a decision, in the order in which they are sent.
PARTS = ("chat", "gifts", "frames", "decision")
#: What of the evidence is the thing itself; the rest explains it.
_REPORTED = ("chat", "media")
MAX_LINES = 400


class Piece(msgspec.Struct, frozen=True):
    """A sealed item, opened: ``viewed`` says that a person has looked at it, by the vault's audit."""

    address: str
    part: str
    content: bytes
    sealed_at: int
    viewed: bool = False


def report_of(
    identifier: str,
    destination: str,
    case: Case,
    pieces: Sequence[Piece],
    facts: Facts,
    reporter: ReporterSettings,
    now: int,
) -> Report:
    """The report. Raises ``ReportError`` when there is no decision among the evidence, or an item that the facts name
    is not there."""
    decisions = _documents(pieces, "decision")
    if not decisions:
        fix = "Seal evidence first: `upstander cases follow`, with [cases] enabled."
        raise ReportError(f"case {case.id} has no sealed decision to report. {fix}")
    gravest = max(decisions, key=lambda each: (Level[each["decision"]["level"].upper()], each["decision"]["at"]))
    sent = [piece for piece in _in_order(pieces) if not facts.parts or piece.part in facts.parts]
    return Report(
        id=identifier,
        case=case.id,
        destination=destination,
        at=now,
        incident=_incident(case, gravest, facts),
        reporter=_reporter(reporter),
        reported=_reported(case, facts, reporter.service),
        victim=_victim(case, facts, reporter.service),
        recipients=facts.recipients,
        law=facts.law,
        lines=_lines(pieces, case),
        gifts=_gifts(pieces, case),
        files=_files(sent, facts.files),
        explanation=_explained(decisions),
        versions=dict(gravest["decision"].get("versions", {})),
        target=facts.target,
        first_signal_at=min(each["decision"]["at"] for each in decisions),
        note=facts.note,
        left_out=_left_out(pieces),
    )


def _documents(pieces: Sequence[Piece], part: str) -> list[dict[str, Any]]:
    """The contents of the pieces of a part, as they were sealed."""
    try:
        found = [msgspec.json.decode(piece.content, type=dict[str, Any]) for piece in pieces if piece.part == part]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReportError(f"the sealed {part} cannot be read ({error}). Check it: upstander vault verify") from None
    return found


def _in_order(pieces: Sequence[Piece]) -> list[Piece]:
    order = {part: place for place, part in enumerate(PARTS)}
    return sorted(pieces, key=lambda piece: (order.get(piece.part, len(order)), piece.sealed_at, piece.address))


def _incident(case: Case, gravest: dict[str, Any], facts: Facts) -> Incident:
    started = gravest.get("started") or {}
    urgent = facts.urgent
    if not urgent and case.level >= Level.EMERGENCY:
        seen = ", ".join(name.replace("_", " ") for name in case.tactics)
        urgent = f"A child on a live stream may be in danger now (seen: {seen or 'see the explanation'})."
    return Incident(
        kind=facts.incident,
        at=gravest["decision"]["at"],
        described=facts.described,
        platform=case.platform,
        broadcast=case.broadcast,
        title=started.get("title", ""),
        urls=facts.urls,
        urgent=urgent,
        annotations=facts.annotations,
        tactics=case.tactics,
        level=Level(case.level).word,
        host_asked_help="distress" in gravest["decision"].get("exposures", ()),
    )


def _reporter(settings: ReporterSettings) -> Reporter:
    return Reporter(**{name: getattr(settings, name) for name in Reporter.__struct_fields__})


def _reported(case: Case, facts: Facts, service: str) -> Account | None:
    """The viewer; a case about a whole broadcast names none, unless the facts do."""
    known = facts.reported
    found = msgspec.structs.replace(known, identifier=known.identifier or case.viewer, service=known.service or service)
    return found if found.identifier else None


def _victim(case: Case, facts: Facts, service: str) -> Account | None:
    known = facts.victim
    found = msgspec.structs.replace(
        known,
        identifier=known.identifier or case.host,
        service=known.service or service,
        age_band=known.age_band or str(case.band),
    )
    return found if found.identifier else None


def _role(case: Case, actor: str) -> str:
    if actor and actor == case.viewer:
        return "reported"
    return "host" if actor and actor == case.host else "other"


def _events(pieces: Sequence[Piece], part: str) -> list[dict[str, Any]]:
    """Events of a part, each once, oldest first: a case may have been sealed several times."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for document in _documents(pieces, part):
        for event in document["events"]:
            found[event.get("seq", 0), event["id"]] = event
    return sorted(found.values(), key=lambda event: (event["at"], event.get("seq", 0)))


def _lines(pieces: Sequence[Piece], case: Case) -> tuple[Line, ...]:
    made = []
    for event in _events(pieces, "chat"):
        spoken = event["type"] == "speech"
        actor = "" if spoken else event["actor"]
        role = ("host" if event.get("speaker") == "host" else "other") if spoken else _role(case, actor)
        made.append(Line(event["at"], role, actor, event["text"], spoken, event["id"], event.get("seq", 0)))
    return tuple(made[-MAX_LINES:])


def _gifts(pieces: Sequence[Piece], case: Case) -> tuple[Present, ...]:
    return tuple(
        Present(
            event["at"],
            _role(case, event["actor"]),
            event["actor"],
            event.get("gift", ""),
            event.get("value", 0.0),
            event.get("currency", ""),
            event.get("text", ""),
            event["id"],
        )
        for event in _events(pieces, "gifts")
    )[-MAX_LINES:]


def _left_out(pieces: Sequence[Piece]) -> str:
    notes = [document["left_out"] for document in _documents(pieces, "chat") if document.get("left_out")]
    return notes[-1] if notes else ""


def _explained(decisions: list[dict[str, Any]]) -> tuple[Why, ...]:
    """Every reason of every decision, each once, in the order of time."""
    found: dict[tuple[str, str], Why] = {}
    for each in sorted(decisions, key=lambda document: document["decision"]["at"]):
        for reason in each["decision"]["reasons"]:
            key = (reason["what"], reason["why"])
            found.setdefault(key, Why(*key, float(reason.get("weight", 0.0))))
    return tuple(found.values())


def _files(pieces: Sequence[Piece], known: tuple[FileFacts, ...]) -> tuple[File, ...]:
    made = []
    for number, piece in enumerate(pieces, 1):
        # S324: MD5 is what the destination answers with; SHA-256 beside it is the one that proves.
        md5 = hashlib.md5(piece.content, usedforsecurity=False).hexdigest()
        file = File(
            address=piece.address,
            part=piece.part,
            name=f"{number:02}-{piece.part}-{piece.address[:12]}.json",
            size=len(piece.content),
            md5=md5,
            sha256=hashlib.sha256(piece.content).hexdigest(),
            viewed=piece.viewed,
            relevance=RELEVANCE[0] if piece.part in _REPORTED else RELEVANCE[1],
            # What was taken from a broadcast while it was live. All else a person says.
            annotations=("liveStreaming",) if piece.part == "frames" else (),
        )
        facts = next((each for each in known if _names(each.item, piece)), None)
        made.append(_with_facts(file, facts) if facts else file)
    for each in known:
        if not any(_names(each.item, piece) for piece in pieces):
            raise ReportError(f"`files` names {each.item!r}, which is not among what is sent. Name a part or address.")
    return tuple(made)


def _names(item: str, piece: Piece) -> bool:
    return item == piece.part or (len(item) >= 8 and piece.address.startswith(item))


def _with_facts(file: File, facts: FileFacts) -> File:
    given: dict[str, Any] = {
        name: getattr(facts, name)
        for name in ("original_name", "location", "uploaded_at", "category", "coded_by", "additional", "ip", "public")
        if getattr(facts, name) not in ("", 0, None)
    }
    if facts.relevance:
        given["relevance"] = facts.relevance
    if facts.annotations:
        given["annotations"] = facts.annotations
    own = {("MD5", file.md5), ("SHA256", file.sha256)}
    given["hashes"] = tuple(each for each in facts.hashes if (each.kind, each.value) not in own)
    return msgspec.structs.replace(file, **given)


def hashes_of(file: File) -> tuple[Hash, ...]:
    """All hashes of a file that are known: its own two first."""
    return (Hash("MD5", file.md5), Hash("SHA256", file.sha256), *file.hashes)
