"""What an evaluation comes to, as types: the JSON of ``upstander evaluate corpus --json``, and the reports' source.

Counts are of pairs (a viewer and a host) unless a name says otherwise; ``None`` stands where nothing can be computed.
"""

from __future__ import annotations

import msgspec

from upstander.evaluate.calibration import Bin
from upstander.evaluate.metrics import Interval, Predictive, Spread


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What was evaluated, and under what.

    ``synthetic_hours`` and ``minute_hours`` are those of the benign hours whose times the reader made up, or that
    are known to the minute only. ``left_out`` counts lines or chats that could not be read, ``failures`` events on
    which the engine failed.
    """

    files: list[str]
    formats: list[str]
    host_age_band: str
    versions: dict[str, str]
    broadcasts: int
    harmful: int
    benign: int
    unlabelled: int
    messages: int
    harmful_pairs: int
    benign_pairs: int
    hours: float
    benign_hours: float
    synthetic_hours: float
    minute_hours: float
    smallest_rate: float | None
    dialogues: int
    left_out: int
    failures: int


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """How the detector does at one operating point: a level as decided, a threshold, or that of a budget.

    ``kind`` is ``level``, ``budget`` or ``threshold`` (in nats). ``unavailable`` says why a budget has no numbers.
    ``alarms`` are benign pairs that alarmed. Delays count the viewer's own messages, and seconds, from the first
    harmful one to the alert; they are of the pairs that were found. ``reached`` is ``[messages, share of all harmful
    pairs found by then]``. ``speed``, ``f_latency`` (by messages to half speed) and ``erde`` (by deadline) count the
    messages of both parties.
    """

    name: str
    kind: str
    threshold: float | None = None
    unavailable: str = ""
    found: int = 0
    harmful: int = 0
    recall: Interval
    alarms: int = 0
    benign: int = 0
    alarms_per_hour: Interval
    precision: float | None = None
    f1: float | None = None
    delay_messages: Spread
    delay_seconds: Spread
    reached: list[tuple[int, float]] = []
    speed: dict[str, float | None] = {}
    f_latency: dict[str, float | None] = {}
    erde: dict[str, float | None] = {}
    predictive: list[Predictive] = []


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The same at one operating point for part of the data: a ``language``, or a ``tag``."""

    by: str
    name: str
    point: str
    found: int
    harmful: int
    recall: Interval
    alarms: int
    benign: int
    hours: float
    alarms_per_hour: Interval


class Load(msgspec.Struct, frozen=True):
    """Alerts of at least a level, each pair's first, over all broadcasts: an hour of one, and a shift of 8 hours."""

    level: str
    alerts: int
    per_hour: Interval
    per_shift: float | None


class Calibration(msgspec.Struct, frozen=True):
    """Last beliefs as probabilities of ``n`` pairs, under the ``prior`` of this data; ``ece`` with these bins."""

    n: int
    prior: float | None
    ece: float | None
    bins: list[Bin]


class TacticRow(msgspec.Struct, frozen=True):
    """One tactic over labelled events: of those labelled with it, the share seen; of those seen, the share labelled."""

    tactic: str
    labelled: int
    seen: int
    recall: Interval
    precision: Interval


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an evaluation comes to, and its ``limits`` in words."""

    data: Data
    points: list[Point]
    load: list[Load]
    calibration: Calibration
    slices: list[Slice]
    tactics: list[TacticRow]
    limits: list[str]
