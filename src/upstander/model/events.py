"""The wire: what happens in a broadcast, as types. How it is read (and refused) is in ``wire``."""

from __future__ import annotations

from typing import Annotated

import msgspec

from upstander.model.vocabulary import AgeBand, AgeSource, Capture, Device, Tactic

MAX_ID = 256
MAX_TEXT = 4_000
MAX_TITLE = 1_000
MAX_SPEECH = 20_000
MAX_FACES = 100

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]
Word = Annotated[str, msgspec.Meta(max_length=MAX_ID)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Event(msgspec.Struct, kw_only=True, tag_field="type", gc=False):
    """What every event has.

    ``id`` is unique within its broadcast and is the idempotency key: sending an event twice counts once.
    ``at`` is RFC 3339 text or epoch milliseconds on the wire, and always epoch milliseconds (int) once decoded.
    ``broadcast`` names the live stream.
    """

    id: Id
    at: int | str
    broadcast: Id

    @property
    def at_ms(self) -> int:
        """When it happened, epoch milliseconds."""
        assert isinstance(self.at, int)
        return self.at


class Acted(Event, kw_only=True, gc=False):
    """An event in which a person acted: ``actor`` is that person's account on the platform."""

    actor: Id


class BroadcastStarted(Event, kw_only=True, tag="broadcast_started", gc=False):
    """A host went live. An age band may be missing: an unknown host is treated as one who may be a child.

    ``on_deadline`` and ``deadline_ms`` set, for this broadcast, what becomes of a held comment whose decision
    is late (``allow``, ``hold`` or ``block``) and how long it waits.
    """

    host: Id
    host_age_band: AgeBand = AgeBand.UNKNOWN
    age_source: AgeSource = AgeSource.NONE
    title: Annotated[str, msgspec.Meta(max_length=MAX_TITLE)] = ""
    device: Device = Device.UNKNOWN
    visibility: Word = ""
    language: Word = ""
    on_deadline: Annotated[str, msgspec.Meta(pattern="^(allow|hold|block)$")] | None = None
    deadline_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None


class BroadcastEnded(Event, kw_only=True, tag="broadcast_ended", gc=False):
    """The broadcast ended. Late events are still counted for a minute; then its state is released."""

    reason: Text = ""


class Joined(Acted, kw_only=True, tag="joined", gc=False):
    """A viewer came in."""

    account_age_days: Count | None = None
    follows_host: bool | None = None


class Left(Acted, kw_only=True, tag="left", gc=False):
    """A viewer went."""

    account_age_days: Count | None = None
    follows_host: bool | None = None


class Comment(Acted, kw_only=True, tag="comment", gc=False):
    """Someone wrote in the chat; ``reply_to`` is the id of the comment it answers. The host's own comments
    come the same way, with the host as ``actor``."""

    text: Text
    reply_to: Id | None = None


class Reaction(Acted, kw_only=True, tag="reaction", gc=False):
    """Likes, hearts and the like; ``count`` when a platform sends them in bundles."""

    kind: Word = "like"
    count: Count = 1


class Gift(Acted, kw_only=True, tag="gift", gc=False):
    """A gift with a money value in ``currency`` (ISO 4217 or the platform's own unit), perhaps with words."""

    gift: Word = ""
    value: Annotated[float, msgspec.Meta(ge=0, le=1e9)] = 0.0
    currency: Word = ""
    text: Text = ""


class Followed(Acted, kw_only=True, tag="followed", gc=False):
    """A viewer followed the host."""


class Invite(Acted, kw_only=True, tag="invite", gc=False):
    """A viewer invited the host to another channel: ``direct_message``, ``call`` or ``guest``."""

    channel: Annotated[str, msgspec.Meta(pattern="^(direct_message|call|guest)$")]


class UserReport(Acted, kw_only=True, tag="user_report", gc=False):
    """Someone used the platform's report button about ``subject``."""

    subject: Id
    reason: Text = ""


class Speech(Event, kw_only=True, tag="speech", gc=False):
    """Words heard in the stream; ``confidence`` is the recogniser's, 0 to 1."""

    text: Annotated[str, msgspec.Meta(max_length=MAX_SPEECH)]
    speaker: Annotated[str, msgspec.Meta(pattern="^(host|other|unknown)$")] = "unknown"
    confidence: Share = 1.0


class Frame(Event, kw_only=True, tag="frame", gc=False):
    """Facts of one sampled video frame: no picture. ``pdq`` is 64 hexadecimal digits, ``quality`` 0 to 100."""

    offset_ms: Count = 0
    pdq: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")] | None = None
    quality: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    faces: Annotated[int, msgspec.Meta(ge=0, le=10_000)] | None = None
    age_bands: Annotated[list[AgeBand], msgspec.Meta(max_length=MAX_FACES)] = []
    scene: Word = ""


class CaptureSeen(Event, kw_only=True, tag="capture", gc=False):
    """A known capture was recognised in this broadcast, by whoever matches fingerprints: this service itself, or the
    platform. ``what``: one frame that looks like it (``known_capture``), or ``frames`` that agree on it over
    ``seconds`` (``rebroadcast``). ``bank`` and ``entry`` name what it is like, and hold no fingerprint;
    ``capture_offset_ms`` is where in the capture, ``offset_ms`` where in the broadcast."""

    what: Capture
    bank: Word = ""
    entry: Word = ""
    offset_ms: Count = 0
    capture_offset_ms: Count = 0
    frames: Count = 1
    seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0


class Verdict(Acted, kw_only=True, tag="verdict", gc=False):
    """A moderator's decision on a case, kept in the ledger: ``actor`` is the moderator, ``subject`` the viewer
    it is about, ``decision`` the id of the event whose decision was judged, ``tactics`` what the moderator saw in it
    (empty: what the decision named)."""

    outcome: Annotated[str, msgspec.Meta(pattern="^(harmful|benign|unsure)$")]
    subject: Id | None = None
    case: Word = ""
    decision: Word = ""
    tactics: tuple[Tactic, ...] = ()
    reason: Text = ""


AnyEvent = (
    BroadcastStarted
    | BroadcastEnded
    | Joined
    | Left
    | Comment
    | Reaction
    | Gift
    | Followed
    | Invite
    | UserReport
    | Speech
    | Frame
    | CaptureSeen
    | Verdict
)

EVENT_TYPES: tuple[type[Event], ...] = (
    BroadcastStarted,
    BroadcastEnded,
    Joined,
    Left,
    Comment,
    Reaction,
    Gift,
    Followed,
    Invite,
    UserReport,
    Speech,
    Frame,
    CaptureSeen,
    Verdict,
)
