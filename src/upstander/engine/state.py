"""What the engine holds: plain data that can be written down and read back exactly."""

from __future__ import annotations

import msgspec

from upstander.detect.audience import Audience
from upstander.detect.exchange import Exchange
from upstander.detect.fragments import Fragment
from upstander.engine.assessment import Mark
from upstander.engine.breakers import Window
from upstander.model.vocabulary import AgeBand


class Pair(msgspec.Struct, gc=False):
    """What is believed about one viewer towards this broadcast's host.

    ``evidence`` is nats a tactic (only tactics that were seen), all as of ``at`` (epoch milliseconds); ``events``
    the last ids that moved it, ``shown`` how many did; ``firm`` whether a clear pattern did, ``guess`` the tactic that
    a model's guess stands for while none did; ``level`` the highest reached; ``muted`` the event since which the
    viewer is muted.
    """

    at: int
    evidence: dict[str, float] = {}
    shown: int = 0
    firm: bool = False
    guess: str = ""
    events: list[str] = []
    reporters: list[str] = []
    level: int = 0
    muted: str = ""


class ActiveExposure(msgspec.Struct, gc=False):
    """An exposure of a broadcast: how strong (0 to 1) as of ``at``, whether it lasts, and why."""

    strength: float
    at: int
    lasting: bool
    why: str


class Broadcast(msgspec.Struct, gc=False):
    """Everything about one broadcast. Its own clock, ``now``, moves only with its events."""

    id: str
    host: str = ""
    #: the band that protection goes by: the stricter of what was declared and what was learned since
    band: AgeBand = AgeBand.UNKNOWN
    declared: AgeBand = AgeBand.UNKNOWN
    learned: AgeBand = AgeBand.ADULT
    verified: bool = False
    language: str = ""
    on_deadline: str = ""
    deadline_ms: int = 0
    now: int = 0
    #: consecutive events far ahead of, or far behind, ``now``
    ahead: int = 0
    behind: int = 0
    ended: int = 0
    events: int = 0
    comments: int = 0
    last_event: str = ""
    #: the engine minute of the last event, for releasing idle broadcasts
    minute: int = 0
    pairs: dict[str, Pair] = {}
    exposures: dict[str, ActiveExposure] = {}
    audience: Audience = msgspec.field(default_factory=Audience)
    exchange: Exchange = msgspec.field(default_factory=Exchange)
    #: the last short comments, of which phrases may be made
    recent: list[Fragment] = []
    #: belief over the whole audience, in nats as of ``belief_at``
    belief: float = 0.0
    belief_at: int = 0
    level: int = 0
    #: when an intervention was last asked for, by "name" or "name:target"
    issued: dict[str, int] = {}
    #: the last things that rules count
    marks: list[Mark] = []


class ViewerRecord(msgspec.Struct, gc=False):
    """A viewer across broadcasts: nats shown in each of the last few, as of ``at``.

    ``children`` are the last broadcasts of children that the viewer came to, with when (epoch milliseconds).
    """

    at: int
    shown: dict[str, float] = {}
    children: dict[str, int] = {}


class EngineState(msgspec.Struct, gc=False):
    """The whole state of one engine. ``clock`` follows the events' times at a bounded pace."""

    clock: int = 0
    behind: int = 0
    broadcasts: dict[str, Broadcast] = {}
    viewers: dict[str, ViewerRecord] = {}
    #: broadcasts last active in each engine minute; a broadcast may stand in several, the latest counts
    minutes: dict[int, list[str]] = {}
    #: ended and released broadcasts, oldest first, with the time they ended
    ended: dict[str, int] = {}
    observed: int = 0
    #: what was asked for lately, by intervention or "rule:id"
    budgets: dict[str, Window] = {}


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(EngineState)


def encode_state(state: EngineState) -> bytes:
    """The state as bytes: equal states with equal histories give equal bytes."""
    return _ENCODER.encode(state)


def decode_state(data: bytes) -> EngineState:
    """The state that ``encode_state`` wrote."""
    return _DECODER.decode(data)
