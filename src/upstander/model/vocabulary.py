"""The one vocabulary of the project: levels, tactics, exposures, age bands, interventions.

Every other part (code, wire, console, lessons, studies) uses these words and no others.

Sources of the labels: O'Connell (2003); Lorenzo-Dus et al. (2016); Ringenberg et al. (review of 93 papers);
Cook et al. (arXiv 2209.12320); IWF (May 2018); CEOP (2018). Research finds no fixed order of stages, so
Upstander scores which tactics occur together, not a sequence.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Level(IntEnum):
    """How worried Upstander is: ``clear < notice < concern < urgent < emergency``."""

    CLEAR = 0
    NOTICE = 1
    CONCERN = 2
    URGENT = 3
    EMERGENCY = 4

    @property
    def word(self) -> str:
        """The word used on the wire, in lower case."""
        return self.name.lower()


class Tactic(StrEnum):
    """What someone does to a host."""

    PRAISE_HOOK = "praise_hook"
    AUDIENCE_PRESSURE = "audience_pressure"
    DARE = "dare"
    GIFT_LURE = "gift_lure"
    THREAT = "threat"
    SECRECY = "secrecy"
    SUPERVISION_PROBE = "supervision_probe"
    AGE_PROBE = "age_probe"
    PERSONAL_PROBE = "personal_probe"
    OFF_PLATFORM = "off_platform"
    SEXUALISED_REQUEST = "sexualised_request"
    MEET_UP = "meet_up"
    DECEPTION = "deception"
    TRUST_BUILDING = "trust_building"


#: Tactics of which one alone may reach ``urgent``.
SEVERE_TACTICS: frozenset[Tactic] = frozenset({Tactic.SEXUALISED_REQUEST, Tactic.THREAT, Tactic.MEET_UP})


class Exposure(StrEnum):
    """What makes this host easier to harm. Exposures multiply a belief; they never raise one alone."""

    YOUNG_HOST = "young_host"
    ALONE = "alone"
    HOME_SETTING = "home_setting"
    DISCLOSED_NAME = "disclosed_name"
    DISCLOSED_PLACE = "disclosed_place"
    DISCLOSED_SCHOOL = "disclosed_school"
    DISCLOSED_CONTACT = "disclosed_contact"
    STATED_AGE = "stated_age"
    LIKE_BARGAIN = "like_bargain"
    DISTRESS = "distress"
    STRANGER_AUDIENCE = "stranger_audience"
    AUDIENCE_SURGE = "audience_surge"
    GIFT_BURST = "gift_burst"


class Capture(StrEnum):
    """What was recognised: a recording of a broadcast that is known already. Found outside the engine, by fingerprints;
    one frame is only a hint, a rebroadcast is several that agree."""

    KNOWN_CAPTURE = "known_capture"
    REBROADCAST = "rebroadcast"


class AgeBand(StrEnum):
    """A host's age band. Bands, never a number."""

    UNDER_10 = "under_10"
    FROM_10_TO_12 = "10_12"
    FROM_13_TO_15 = "13_15"
    FROM_16_TO_17 = "16_17"
    ADULT = "adult"
    UNKNOWN = "unknown"


#: Which bands are treated as stricter, strictest first. ``unknown`` is treated as "may be a child".
STRICTNESS: tuple[AgeBand, ...] = (
    AgeBand.UNDER_10,
    AgeBand.FROM_10_TO_12,
    AgeBand.FROM_13_TO_15,
    AgeBand.FROM_16_TO_17,
    AgeBand.UNKNOWN,
    AgeBand.ADULT,
)
_RANK = {band: rank for rank, band in enumerate(STRICTNESS)}


def stricter(a: AgeBand, b: AgeBand) -> AgeBand:
    """The band of the two that asks for more protection. An estimate may only ever make protection stricter."""
    return a if _RANK[a] <= _RANK[b] else b


def band_of_age(years: int) -> AgeBand:
    """The band that an age in whole years falls in."""
    for limit, band in (
        (10, AgeBand.UNDER_10),
        (13, AgeBand.FROM_10_TO_12),
        (16, AgeBand.FROM_13_TO_15),
        (18, AgeBand.FROM_16_TO_17),
    ):
        if years < limit:
            return band
    return AgeBand.ADULT


class AgeSource(StrEnum):
    """Where a host's age band comes from."""

    VERIFIED = "verified"
    DECLARED = "declared"
    ESTIMATED = "estimated"
    NONE = "none"


class Device(StrEnum):
    """What the host streams with."""

    WEBCAM = "webcam"
    MOBILE = "mobile"
    CONSOLE = "console"
    UNKNOWN = "unknown"


class Intervention(StrEnum):
    """What policy may ask for. Each is reversible but ``end``, which only a person may order."""

    HOLD_COMMENT = "hold_comment"
    RELEASE_COMMENT = "release_comment"
    DELETE_COMMENT = "delete_comment"
    NUDGE_HOST = "nudge_host"
    WARN_VIEWER = "warn_viewer"
    MUTE_VIEWER = "mute_viewer"
    UNMUTE_VIEWER = "unmute_viewer"
    REMOVE_VIEWER = "remove_viewer"
    READMIT_VIEWER = "readmit_viewer"
    SLOW_MODE = "slow_mode"
    SLOW_MODE_OFF = "slow_mode_off"
    DISABLE_GIFTS = "disable_gifts"
    ENABLE_GIFTS = "enable_gifts"
    DISABLE_COMMENTS = "disable_comments"
    ENABLE_COMMENTS = "enable_comments"
    DISABLE_INVITES = "disable_invites"
    ENABLE_INVITES = "enable_invites"
    HIDE_COUNTS = "hide_counts"
    SHOW_COUNTS = "show_counts"
    CALL_MODERATOR = "call_moderator"
    PAGE_OPERATOR = "page_operator"
    PAUSE = "pause"
    RESUME = "resume"
    END = "end"


#: What undoes each intervention; ``None`` where nothing can or nothing needs to.
REVERSE: dict[Intervention, Intervention | None] = {
    Intervention.HOLD_COMMENT: Intervention.RELEASE_COMMENT,
    Intervention.RELEASE_COMMENT: Intervention.HOLD_COMMENT,
    Intervention.DELETE_COMMENT: Intervention.RELEASE_COMMENT,
    Intervention.NUDGE_HOST: None,
    Intervention.WARN_VIEWER: None,
    Intervention.MUTE_VIEWER: Intervention.UNMUTE_VIEWER,
    Intervention.UNMUTE_VIEWER: Intervention.MUTE_VIEWER,
    Intervention.REMOVE_VIEWER: Intervention.READMIT_VIEWER,
    Intervention.READMIT_VIEWER: Intervention.REMOVE_VIEWER,
    Intervention.SLOW_MODE: Intervention.SLOW_MODE_OFF,
    Intervention.SLOW_MODE_OFF: Intervention.SLOW_MODE,
    Intervention.DISABLE_GIFTS: Intervention.ENABLE_GIFTS,
    Intervention.ENABLE_GIFTS: Intervention.DISABLE_GIFTS,
    Intervention.DISABLE_COMMENTS: Intervention.ENABLE_COMMENTS,
    Intervention.ENABLE_COMMENTS: Intervention.DISABLE_COMMENTS,
    Intervention.DISABLE_INVITES: Intervention.ENABLE_INVITES,
    Intervention.ENABLE_INVITES: Intervention.DISABLE_INVITES,
    Intervention.HIDE_COUNTS: Intervention.SHOW_COUNTS,
    Intervention.SHOW_COUNTS: Intervention.HIDE_COUNTS,
    Intervention.CALL_MODERATOR: None,
    Intervention.PAGE_OPERATOR: None,
    Intervention.PAUSE: Intervention.RESUME,
    Intervention.RESUME: Intervention.PAUSE,
    Intervention.END: None,
}

#: Interventions that only a person may order: they cannot be taken back.
HUMAN_ONLY: frozenset[Intervention] = frozenset({Intervention.END})

#: One line a person can read for each tactic and exposure; the console, the demo and the docs share it.
MEANING: dict[Tactic | Exposure, str] = {
    Tactic.PRAISE_HOOK: "praises the host's looks to keep them performing",
    Tactic.AUDIENCE_PRESSURE: "presses the host in the name of the audience, or as one of many",
    Tactic.DARE: "dares or challenges the host to do something",
    Tactic.GIFT_LURE: "offers gifts, money or followers in exchange for something",
    Tactic.THREAT: "threatens the host",
    Tactic.SECRECY: "asks the host to keep a secret",
    Tactic.SUPERVISION_PROBE: "asks whether a grown-up is near",
    Tactic.AGE_PROBE: "asks the host's age",
    Tactic.PERSONAL_PROBE: "asks for personal details",
    Tactic.OFF_PLATFORM: "asks the host to move to another app or a private channel",
    Tactic.SEXUALISED_REQUEST: "makes a sexualised request (flag only)",
    Tactic.MEET_UP: "tries to meet the host in person",
    Tactic.DECEPTION: "claims to be someone who opens doors (a scout, staff, a child)",
    Tactic.TRUST_BUILDING: "sets up a special, exclusive bond",
    Exposure.YOUNG_HOST: "the host is, or may be, a child",
    Exposure.ALONE: "the host seems to be alone",
    Exposure.HOME_SETTING: "the host is at home, in a private room",
    Exposure.DISCLOSED_NAME: "the host gave a name",
    Exposure.DISCLOSED_PLACE: "the host said where they live or are",
    Exposure.DISCLOSED_SCHOOL: "the host named a school",
    Exposure.DISCLOSED_CONTACT: "the host gave a phone number or a handle on another app",
    Exposure.STATED_AGE: "the host said their age, and it is a child's",
    Exposure.LIKE_BARGAIN: "the host offers to do things for likes, gifts or followers",
    Exposure.DISTRESS: "the host sounds distressed",
    Exposure.STRANGER_AUDIENCE: "most of the audience are strangers to the host",
    Exposure.AUDIENCE_SURGE: "the audience grew suddenly",
    Exposure.GIFT_BURST: "gifts came in a burst",
}
