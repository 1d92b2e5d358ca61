"""Presets: rules by jurisdiction as data, one YAML file a jurisdiction in ``presets/``, read into typed rows.

What several presets ask for together is in ``effective``; what a running configuration meets of it in ``coverage``.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from importlib.resources import files

import msgspec
import yaml

from upstander.model.vocabulary import AgeBand, AgeSource, Intervention
from upstander.policy.document import Document, Problem, did_you_mean

#: In place of a preset's id: no preset at all.
NONE = "none"

Nodes = dict[str, tuple[yaml.Node, yaml.Node]]


class Feature(StrEnum):
    """A feature of a live-streaming service that a rule is about."""

    CHAT = "chat"
    REACTIONS = "reactions"
    GIFTS = "gifts"
    SCREEN_CAPTURE = "screen_capture"
    COUNTS = "counts"
    INVITES = "invites"
    LIVE_VIDEO = "live_video"
    RECORDING = "recording"


class Status(StrEnum):
    """How far a rule has come."""

    PROPOSED = "proposed"
    LAID = "laid"
    IN_FORCE = "in_force"


class Kind(StrEnum):
    """What a requirement is about: the first word of an entry under ``requires``."""

    INTERVENTION = "intervention"
    CAPABILITY = "capability"
    PLATFORM_OFF = "platform_off"
    MINIMUM_HOST_AGE = "minimum_host_age"
    AGE_SOURCES = "age_sources"
    PRESERVATION_DAYS = "preservation_days"
    REPORT_ROUTE = "report_route"
    MODERATOR_AVAILABLE = "moderator_available"


#: The feature that each of these interventions switches off.
SWITCHES: dict[str, Feature] = {
    "disable_comments": Feature.CHAT,
    "disable_gifts": Feature.GIFTS,
    "hide_counts": Feature.COUNTS,
    "disable_invites": Feature.INVITES,
}
#: The interventions that a rule may name. Some may be newer than this release: coverage then says so.
INTERVENTIONS = (*(str(name) for name in Intervention), *(name for name in SWITCHES if name not in set(Intervention)))
#: The capabilities of adapters that a rule may name.
CAPABILITIES = ("pre_hold", "post_delete", "platform_hold", "nudge_host", "warn_viewer", "mute_viewer", "slow_mode",
                "call_moderator", "pause", "end")  # fmt: skip
#: Features that no intervention switches off: the platform itself has to.
PLATFORM_ONLY = tuple(feature for feature in Feature if feature not in SWITCHES.values())

_FILE = ("jurisdiction", "presets")
_PRESET = ("id", "version", "title", "example", "rows")
_ROW_NEEDED = ("id", "measure", "status", "effective_from", "source", "verified_on", "verification", "applies_to",
               "requires")  # fmt: skip
_ROW = (*_ROW_NEEDED, "code", "code_verified", "effective_note", "human_only")
_SOURCE = ("title", "publisher", "date", "url", "seen_in")


class PresetError(ValueError):
    """Presets that cannot be used: the message names the file, the line, the reason and the fix; ``problems`` all."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class Source(msgspec.Struct, frozen=True):
    """Where a rule is written. ``url`` may be empty when it is not known; then ``seen_in`` says where it is quoted."""

    title: str
    publisher: str
    date: datetime.date
    url: str
    seen_in: tuple[str, ...] = ()


class Requirement(msgspec.Struct, frozen=True):
    """One thing that a configuration must do, so that a machine can check it.

    ``name`` is an intervention, a capability or a feature; ``default_on`` whether the intervention must be asked for
    when a broadcast begins; ``number`` years of age or days; ``sources`` the sources of age that suffice.
    """

    kind: Kind
    name: str = ""
    default_on: bool = False
    number: int = 0
    sources: tuple[AgeSource, ...] = ()

    @property
    def feature(self) -> Feature | None:
        """The feature that is off by default where this is met."""
        if self.kind is Kind.PLATFORM_OFF:
            return Feature(self.name)
        return SWITCHES.get(self.name) if self.kind is Kind.INTERVENTION and self.default_on else None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. ``code`` is what its author numbers it as, ``code_verified`` whether that was read; ``verified_on`` the
    day on which the source itself was read, ``verification`` what was read of it; ``human_only`` what people must do
    besides; ``line`` its place in the file."""

    id: str
    measure: str
    code: str
    code_verified: bool
    jurisdiction: str
    status: Status
    effective_from: datetime.date | None
    effective_note: str
    source: Source
    verified_on: datetime.date | None
    verification: str
    age_bands: tuple[AgeBand, ...]
    features: tuple[Feature, ...]
    requires: tuple[Requirement, ...]
    human_only: tuple[str, ...]
    line: int


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of one origin that come into force together. ``version`` rises whenever its rows change; ``example``: house
    rules of one platform, which bind nobody else."""

    id: str
    version: int
    title: str
    jurisdiction: str
    example: bool
    rows: tuple[Row, ...]


def bundled() -> list[tuple[str, str]]:
    """The presets that ship: ``(file, YAML text)`` sorted by file, such as ``("au.yaml", …)``."""
    folder = files("upstander.policy") / "presets"
    return sorted(
        (entry.name, entry.read_text(encoding="utf-8")) for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


@functools.lru_cache(maxsize=1)
def shipped() -> tuple[Preset, ...]:
    """The presets that ship, read."""
    return load(bundled())


def load(sources: Iterable[tuple[str, str]]) -> tuple[Preset, ...]:
    """Read presets from ``(file, YAML text)``; raises ``PresetError`` with everything that is wrong."""
    taken: dict[str, str] = {}
    readers = [_Reader(file, text, taken) for file, text in sources]
    problems = [problem for reader in readers for problem in reader.document.problems]
    if problems:
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        raise PresetError(f"{problems[0]}{more}", problems)
    return tuple(preset for reader in readers for preset in reader.presets)


def chosen(presets: Sequence[Preset], names: Sequence[str]) -> tuple[Preset, ...]:
    """The presets of these names in their own order; ``none`` alone means none.

    No name means all of them, the strictest there is, but for examples: one platform's house rules bind nobody else.
    """
    known = [preset.id for preset in presets]
    if list(names) == [NONE]:
        return ()
    for name in names:
        if name == NONE:
            raise PresetError(f"`{NONE}` does not go with other presets. Leave it out, or the others.")
        if name not in known:
            raise PresetError(f"there is no preset `{name}`. {did_you_mean(name, [*known, NONE])}")
    return tuple(preset for preset in presets if (preset.id in names if names else not preset.example))


class _Reader:
    """One file, with all that is wrong with it. ``taken``: the ids there are so far and the file of each."""

    def __init__(self, file: str, text: str, taken: dict[str, str]) -> None:
        self.document = Document(file, text)
        self.presets: list[Preset] = []
        self._taken = taken
        if self.document.root is None:
            if not self.document.problems:
                self.document.say(None, "the file is empty", f"Start it with {', '.join(_FILE)}.")
            return
        found = self._entries(self.document.root, "the file", _FILE, _FILE)
        jurisdiction = self._text(found, "jurisdiction")
        for node in self.document.items(self._at(found, "presets"), "`presets`"):
            self._preset(node, jurisdiction)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _preset(self, node: yaml.Node, jurisdiction: str) -> None:
        found = self._entries(node, "a preset", _PRESET, ("id", "version", "title", "rows"))
        name = self._id(found)
        rows = [self._row(row, jurisdiction) for row in self.document.items(self._at(found, "rows"), "`rows`")]
        if "rows" in found and not rows:
            self.document.say(found["rows"][1], f"`{name}` has no rows", "List at least one rule.")
        self.presets.append(
            Preset(
                id=name,
                version=self._whole(found, "version", 1, 10_000),
                title=self._text(found, "title"),
                jurisdiction=jurisdiction,
                example="example" in found and self._yes(found, "example"),
                rows=tuple(rows),
            )
        )

    def _row(self, node: yaml.Node, jurisdiction: str) -> Row:
        found = self._entries(node, "a row", _ROW, _ROW_NEEDED)
        applies = self._entries(
            self._at(found, "applies_to"), "`applies_to`", ("age_bands", "features"), ("age_bands", "features")
        )
        effective, verified = self._date(found, "effective_from"), self._date(found, "verified_on")
        note = self._text(found, "effective_note") if "effective_note" in found else ""
        since = self._at(found, "effective_from")
        if since is not None and _is_null(since) and not note:
            fix = "Add `effective_note:` and say what is known."
            self.document.say(since, "`effective_from` is null without a note", fix)
        requires = self.document.items(self._at(found, "requires"), "`requires`")
        people = self.document.items(self._at(found, "human_only"), "`human_only`")
        row = Row(
            id=self._id(found),
            measure=self._text(found, "measure"),
            code=self._text(found, "code") if "code" in found else "",
            code_verified="code_verified" in found and self._yes(found, "code_verified"),
            jurisdiction=jurisdiction,
            status=Status(self._word(found, "status", Status) or Status.PROPOSED),
            effective_from=effective,
            effective_note=note,
            source=self._source(found),
            verified_on=verified,
            verification=self._text(found, "verification"),
            age_bands=tuple(AgeBand(word) for word in self._words(applies, "age_bands", AgeBand)),
            features=tuple(Feature(word) for word in self._words(applies, "features", Feature)),
            requires=tuple(need for entry in requires if (need := self._requirement(entry)) is not None),
            human_only=tuple(self.document.text(item, "a note of `human_only`") for item in people),
            line=node.start_mark.line + 1,
        )
        needs = self._at(found, "requires")
        if isinstance(needs, yaml.SequenceNode) and not needs.value and not row.human_only:
            fix = "Add a requirement, or `human_only:` and say what people must do."
            self.document.say(needs, f"`{row.id}` requires nothing", fix)
        return row

    def _source(self, row: Nodes) -> Source:
        what = "`source`"
        found = self._entries(self._at(row, "source"), what, _SOURCE, ("title", "publisher", "date", "url"))
        date, url = self._date(found, "date"), self._at(found, "url")
        day = self._at(found, "date")
        if day is not None and _is_null(day):
            self.document.say(day, "`date` of the source is null", "Give the day as 2025-06-30.")
        seen = tuple(self._address(item) for item in self.document.items(self._at(found, "seen_in"), "`seen_in`"))
        address = "" if url is None or _is_null(url) else self._address(url)
        if url is not None and _is_null(url) and not seen:
            self.document.say(
                url, "`url` of the source is null", "Give it, or list under `seen_in` where it is quoted."
            )
        unknown = datetime.date(1, 1, 1)  # stands beside a problem only: such rows are never handed out
        return Source(self._text(found, "title"), self._text(found, "publisher"), date or unknown, address, seen)

    def _requirement(self, node: yaml.Node) -> Requirement | None:
        found = self._entries(node, "a requirement", (*Kind, "default_on"), ())
        kinds = [Kind(name) for name in found if name in set(Kind)]
        if len(kinds) != 1:
            if isinstance(node, yaml.MappingNode) and (kinds or not node.value):
                self.document.say(node, "a requirement names one thing", f"Use one of {', '.join(Kind)}.")
            return None
        kind = kinds[0]
        if "default_on" in found and kind is not Kind.INTERVENTION:
            self.document.say(found["default_on"][0], f"`default_on` does not go with `{kind}`", "Leave it away.")
        on = "default_on" in found and self._yes(found, "default_on")
        match kind:
            case Kind.INTERVENTION:
                return Requirement(kind, name=self._word(found, kind, INTERVENTIONS), default_on=on)
            case Kind.CAPABILITY:
                return Requirement(kind, name=self._word(found, kind, CAPABILITIES))
            case Kind.PLATFORM_OFF:
                return self._platform_off(found[kind][1])
            case Kind.MINIMUM_HOST_AGE:
                return Requirement(kind, number=self._whole(found, kind, 1, 18))
            case Kind.PRESERVATION_DAYS:
                return Requirement(kind, number=self._whole(found, kind, 1, 3_660))
            case Kind.AGE_SOURCES:
                words = self._words(found, kind, AgeSource)
                return Requirement(kind, sources=tuple(AgeSource(word) for word in words))
        if not self._yes(found, kind):
            self.document.say(found[kind][1], f"`{kind}` asks for nothing", "Write true, or leave it away.")
        return Requirement(kind)

    def _platform_off(self, node: yaml.Node) -> Requirement | None:
        name = self.document.word(node, "`platform_off`", tuple(Feature))
        switch = next((switch for switch, feature in SWITCHES.items() if feature == name), None)
        if switch is not None:
            fix = f"Write {{intervention: {switch}, default_on: true}}."
            self.document.say(node, f"an intervention switches `{name}` off", fix)
        return Requirement(Kind.PLATFORM_OFF, name=name) if name and switch is None else None

    # -- values: ``found`` may lack the key, which has been said already -----------------------------------------------

    def _entries(self, node: yaml.Node | None, what: str, keys: Sequence[str], needed: Sequence[str]) -> Nodes:
        if node is None:
            return {}
        before = len(self.document.problems)
        found = self.document.mapping(node, what, keys)
        if len(self.document.problems) == before:  # a key that is missing is most often the one that is misspelt
            self.document.require(node, found, what, needed)
        return found

    def _at(self, found: Nodes, key: str) -> yaml.Node | None:
        return found[key][1] if key in found else None

    def _text(self, found: Nodes, key: str) -> str:
        if key not in found:
            return ""
        text = self.document.text(found[key][1], f"`{key}`").strip()
        if not text and isinstance(found[key][1], yaml.ScalarNode) and not _is_null(found[key][1]):
            self.document.say(found[key][1], f"`{key}` is empty", "Write it out.")
        return " ".join(text.split())

    def _id(self, found: Nodes) -> str:
        name = self._text(found, "id")
        if not name:
            return ""
        node = found["id"][1]
        if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name):
            self.document.say(node, f"the id `{name}` is odd", "Use lower case, digits and hyphens.")
        elif name in self._taken:
            self.document.say(node, f"the id `{name}` is taken in {self._taken[name]}", "Rename one.")
        self._taken.setdefault(name, self.document.file)
        return name

    def _word(self, found: Nodes, key: str, known: Iterable[str]) -> str:
        return self.document.word(found[key][1], f"`{key}`", tuple(known)) if key in found else ""

    def _words(self, found: Nodes, key: str, known: Iterable[str]) -> tuple[str, ...]:
        if key not in found:
            return ()
        before = len(self.document.problems)
        words = self.document.words(found[key][1], f"`{key}`", tuple(known))
        if not words and len(self.document.problems) == before:
            self.document.say(found[key][1], f"`{key}` is empty", f"List some of {', '.join(known)}.")
        return words

    def _whole(self, found: Nodes, key: str, low: int, high: int) -> int:
        return self.document.whole(found[key][1], f"`{key}`", low, high) if key in found else low

    def _yes(self, found: Nodes, key: str) -> bool:
        node = found[key][1]
        value = node.value if isinstance(node, yaml.ScalarNode) else ""
        if value not in ("true", "false"):
            self.document.say(node, f"`{key}` is neither true nor false", "Write true or false.")
        return bool(value == "true")

    def _date(self, found: Nodes, key: str) -> datetime.date | None:
        node = self._at(found, key)
        if node is None or _is_null(node):
            return None
        value = node.value if isinstance(node, yaml.ScalarNode) else ""
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            self.document.say(node, f"`{key}` is no date", "Write it as 2025-06-30, or null when it is not known.")
            return None

    def _address(self, node: yaml.Node) -> str:
        text = self.document.text(node, "an address")
        if text and not text.startswith("https://"):
            self.document.say(node, f"`{text}` is no https address", "Start it with https://.")
        return text


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")
