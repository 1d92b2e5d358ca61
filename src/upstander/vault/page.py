"""What the page in a package shows of each item and entry. Its form is in ``evidence.html.j2``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from upstander.vault.entries import Entry, Kind
from upstander.vault.manifest import Listed

TITLES = {
    "decision": "The decision and its explanation",
    "chat": "The chat around it",
    "gifts": "Gifts",
    "frames": "Frames (hashes and facts, no picture)",
    "media": "Some seconds of the stream itself (a Matroska file)",
    "transcript": "What was heard before",
}
_SAID = {
    Kind.CREATED: "The vault was made",
    Kind.SEALED: "Sealed",
    Kind.VIEWED: "Viewed",
    Kind.LISTED: "Listed, without its content",
    Kind.HELD: "Put under a legal hold",
    Kind.RELEASED: "A legal hold ended",
    Kind.KEPT: "To be kept longer",
    Kind.DELETED: "Deleted",
    Kind.EXPORTED: "Exported",
    Kind.MEDIA: "The legal basis for keeping media",
}


def moment(at: int) -> str:
    """A time (epoch milliseconds) as a reader in any country understands it."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def told(entry: Entry) -> dict[str, Any]:
    """An entry as a line of the chain of custody."""
    items = [entry.sealed.address] if entry.sealed else list(entry.items)
    reference = entry.reference if entry.kind in (Kind.HELD, Kind.RELEASED) else ""
    return {
        "seq": entry.seq,
        "at": entry.at,
        "what": _SAID.get(entry.kind, str(entry.kind)),
        "by": entry.by,
        "why": entry.why + (f" ({reference})" if reference else ""),
        "items": [address[:16] for address in items],
    }


def shown(item: Listed, content: bytes) -> dict[str, Any]:
    """An item as sections of the page: facts, a table, or plain text when this release does not know its form."""
    made: dict[str, Any] = {
        "title": TITLES.get(item.part, item.part),
        "address": item.address,
        "file": item.file,
        "facts": [],
        "columns": [],
        "rows": [],
        "text": "",
    }
    if item.part == "media":
        made["facts"] = [
            ("Size", f"{len(content):,} bytes"),
            ("Shown here", "no: open the file where the law allows it"),
        ]
        return made
    try:
        value = msgspec.json.decode(content)
        if item.part == "decision":
            _decision(made, value)
        elif item.part in ("chat", "gifts", "frames"):
            _events(made, value)
        else:
            made["text"] = json.dumps(value, indent=2, ensure_ascii=False)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
        made |= {"facts": [], "columns": [], "rows": [], "text": content.decode("utf-8", "replace")}
    return made


def _decision(made: dict[str, Any], value: dict[str, Any]) -> None:
    decision = value["decision"]
    made["facts"] = [
        ("Level", decision["level"]),
        ("Time of the event", moment(decision["at"])),
        ("Platform", value["platform"]),
        ("Broadcast", decision["broadcast"]),
        ("Viewer", decision["actor"] or "-"),
        ("Event", decision["event"]),
        ("Tactics", ", ".join(decision["tactics"]) or "-"),
        ("Exposures", ", ".join(decision["exposures"]) or "-"),
        ("Belief (nats)", decision["belief"]),
        ("Done", ", ".join(asked["do"] for asked in decision["interventions"]) or "nothing"),
        ("Decided by", "  ".join(f"{name} {version}" for name, version in decision["versions"].items())),
        ("Journal entry", f"{value['journal']['seq']}, hash {value['journal']['hash']}"),
    ]
    made["columns"] = ["What", "Why", "Weight", "Rests on"]
    made["rows"] = [
        [r["what"], r["why"], r.get("weight", 0), r.get("source", "") or ", ".join(r.get("events", []))]
        for r in decision["reasons"]
    ]


def _events(made: dict[str, Any], value: dict[str, Any]) -> None:
    events = value["events"]
    first = f"journal entries {value['first']:,} to {value['last']:,}"
    made["facts"] = [("Broadcast", value["broadcast"]), ("Taken from", first)]
    made["facts"] += [("Left out", value["left_out"])] if value.get("left_out") else []
    made["facts"] += [(f"Total from {total['viewer']}", total["sum"]) for total in value.get("totals", [])]
    known = ("actor", "type", "text", "gift", "value", "currency", "pdq", "quality", "faces", "scene")
    columns = [name for name in known if any(event.get(name) not in (None, "") for event in events)]
    made["columns"] = ["at", *columns, "id"]
    made["rows"] = [[moment(event["at"]), *(event.get(name, "") for name in columns), event["id"]] for event in events]
