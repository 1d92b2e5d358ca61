"""What rule expressions can speak of: the variables, their types and their meanings."""

from __future__ import annotations

import msgspec

from upstander.engine.assessment import CAPTURES, HOST_REPORT
from upstander.model.vocabulary import AgeBand, Exposure, Level, Tactic

KINDS = ("comment", "gift", "invite", "user_report", "speech", "act", HOST_REPORT, *CAPTURES)
PROTECTIONS = ("child", "teen", "unknown", "adult")


class Kind(msgspec.Struct, frozen=True):
    """A type: ``name`` is bool, int, double, text, list or map; ``values`` the texts (or keys) that exist."""

    name: str
    values: tuple[str, ...] = ()
    #: what a list holds or a map gives
    of: str = ""


BOOL, INT, DOUBLE, TEXT = Kind("bool"), Kind("int"), Kind("double"), Kind("text")
_TACTICS = tuple(str(tactic) for tactic in Tactic)
_EXPOSURES = tuple(str(exposure) for exposure in Exposure)

#: The variables of a rule, besides ``counter`` and ``sequence``, which each policy declares itself.
VARIABLES: dict[str, Kind] = {
    "kind": Kind("text", KINDS),
    "protection": Kind("text", PROTECTIONS),
    "band": Kind("text", tuple(str(band) for band in AgeBand)),
    "level": INT,
    "crowd_level": INT,
    "belief": DOUBLE,
    "crowd_belief": DOUBLE,
    "pressing": INT,
    "events": INT,
    "muted": BOOL,
    "tactics": Kind("list", _TACTICS, "text"),
    "seen": Kind("list", _TACTICS, "text"),
    "evidence": Kind("map", _TACTICS, "double"),
    "exposures": Kind("list", _EXPOSURES, "text"),
} | {level.name: INT for level in Level}

MEANINGS: dict[str, str] = {
    "kind": "the type of the event; `act`: without words (a gift without a text), so that there is nothing to hold; "
    "`host_report`: a report of the broadcast itself; `rebroadcast`: a known capture is broadcast again; "
    "`known_capture`: one frame looks like a known capture",
    "protection": "how the host is protected",
    "band": "the host's age band",
    "level": "the level of the pair (viewer to host), to compare with NOTICE, CONCERN, URGENT, EMERGENCY",
    "crowd_level": "the level of the whole audience",
    "belief": "the pair's belief in nats, exposures included",
    "crowd_belief": "the whole audience's belief in nats",
    "pressing": "how many viewers pressed within the last minute",
    "events": "how many of this viewer's events showed something",
    "muted": "whether the viewer is muted here",
    "tactics": "the tactics that this event shows",
    "seen": "the tactics of which this viewer has shown enough to count",
    "evidence": "this viewer's evidence for each tactic, in nats",
    "exposures": "the exposures in force",
    "counter": "how often something happened within a window: declared under `counters`",
    "sequence": "whether things happened in an order within a window: declared under `sequences`",
}
