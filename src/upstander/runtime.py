"""The engines of all platforms under one configuration: what the service, recovery, ``verify`` and ``replay`` share.

One engine a platform: beliefs about a viewer never cross from one platform to another.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Sequence

import msgspec

from upstander.detect import classifier as sentences
from upstander.detect import embedding, packs
from upstander.detect import paraphrase as tier
from upstander.detect.cache import cache_folder
from upstander.detect.text import TextDetector
from upstander.engine.engine import ENGINE_VERSION, Engine
from upstander.model.decision import Decision
from upstander.model.events import AnyEvent
from upstander.model.order import Order
from upstander.policy import presets as preset_files
from upstander.policy.document import PolicyError
from upstander.policy.effective import strictest
from upstander.policy.judge import RulePolicy
from upstander.policy.judge import bundled_source as bundled_policy
from upstander.policy.presets import PresetError
from upstander.policy.reader import load as read_policy

log = logging.getLogger(__name__)

#: Further failures of the engine are only counted: a flood of them must not become a flood of logs.
FAILURES_LOGGED = 10


class Configuration(msgspec.Struct, frozen=True, gc=False):
    """All that decides what the engine decides: written into the journal, so that any decision can be replayed.

    ``policy`` is the hash of policy and presets, ``policy_source`` the policy's ``(file, YAML)`` when it is not the one
    that ships.
    ``paraphrase`` is the hash of the paraphrase model (empty: patterns alone decide); ``model`` its file's bytes
    when it is not the one that ships. ``presets``: those whose rules hold from a broadcast's start, by id.
    ``classifier``: the hash of the paraphrase model's sentence model and of how it is computed on this machine.
    """

    engine: str
    policy: str
    packs: tuple[tuple[str, str], ...]
    paraphrase: str = ""
    model: bytes = b""
    policy_source: tuple[str, str] = ("", "")
    presets: tuple[str, ...] = ()
    classifier: str = ""

    def encode(self) -> bytes:
        """As canonical JSON."""
        return msgspec.json.encode(self)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.encode()).hexdigest()

    @property
    def runs_here(self) -> bool:
        """Whether this release can decide exactly as the one that wrote the configuration."""
        if self.engine != ENGINE_VERSION or self.policy != self._policy_hash_here():
            return False
        if not self.paraphrase:
            return True
        if tier.why_missing() or self.classifier != sentences.bundled().hash:
            return False
        return bool(self.model or self._is_bundled_model)

    def _policy_hash_here(self) -> str:
        """The hash that this release gives the policy's file (empty: it cannot read it)."""
        try:
            return self.rules().hash
        except (PolicyError, PresetError):
            return ""

    def rules(self) -> RulePolicy:
        """The policy that this configuration names. Raises ``PolicyError`` when its file is broken."""
        return _load_policy(self.policy_source, self.presets)

    def with_policy(self, source: tuple[str, str]) -> Configuration:
        """The same under another policy, given as ``(file, YAML)``. Raises ``PolicyError`` when it is broken."""
        return msgspec.structs.replace(self, policy=_load_policy(source, self.presets).hash, policy_source=source)

    @property
    def _is_bundled_model(self) -> bool:
        return self.paraphrase == tier.bundled_hash()

    def paraphrase_model(self) -> tier.ParaphraseModel | None:
        """The paraphrase model that this configuration names."""
        if not self.paraphrase:
            return None
        return _load_model(self.model) if self.model else tier.bundled()

    def detector(self) -> TextDetector:
        """The detector that this configuration describes, made anew. Raises ``PackError`` when its packs are broken."""
        return TextDetector(_load(self.packs), cache_folder(), self.paraphrase_model())


def current(
    sources: Sequence[tuple[str, str]] | None = None,
    model: bytes = b"",
    policy: tuple[str, str] = ("", ""),
    presets: tuple[str, ...] = (),
) -> Configuration:
    """This release's configuration: with the packs, model and policy that ship, or those given.

    Packs and policy are given as ``(file, YAML)``, presets by id. Raises ``PolicyError`` when the policy is broken,
    ``PresetError`` when there is no such preset.
    """
    chosen = tuple(sources or packs.bundled())
    name = reader = ""
    if not tier.why_missing():
        reader = sentences.bundled().hash
        name = hashlib.sha256(model).hexdigest() if model else tier.bundled_hash()
    rules = _load_policy(policy, presets)
    return Configuration(ENGINE_VERSION, rules.hash, chosen, name, model if name else b"", policy, presets, reader)


def decode_configuration(data: bytes) -> Configuration:
    """The configuration that ``Configuration.encode`` wrote."""
    return msgspec.json.decode(data, type=Configuration)


@functools.lru_cache(maxsize=4)
def _load(sources: tuple[tuple[str, str], ...]) -> packs.PackSet:
    """Packs are read once: recovery and ``verify`` meet the same configuration again and again."""
    return packs.load_kept(sources, cache_folder())


@functools.lru_cache(maxsize=4)
def _load_policy(source: tuple[str, str], presets: tuple[str, ...]) -> RulePolicy:
    # What ships was checked when it was made: a test reads it with every check.
    tables = read_policy(*source) if source[1] else read_policy(*bundled_policy(), known=True)
    return RulePolicy(tables, strictest(preset_files.chosen(preset_files.shipped(), presets)) if presets else None)


@functools.lru_cache(maxsize=2)
def _load_model(data: bytes) -> tier.ParaphraseModel:
    return tier.ParaphraseModel(data, embedding.bundled(), sentences.bundled(), cache_folder())


class Runtime:
    """Engines by platform. Deterministic: the same calls in the same order give the same decisions."""

    def __init__(self, configuration: Configuration) -> None:
        self.engines: dict[str, Engine] = {}
        self.failures = 0
        self.configure(configuration)

    def configure(self, configuration: Configuration, detector: TextDetector | None = None) -> None:
        """Go on under another configuration. Raises ``PackError`` or ``PolicyError``, and then changes nothing.

        ``detector`` is the configuration's when it was made beforehand: the switch itself then takes no time.
        """
        detector, policy = detector or configuration.detector(), configuration.rules()
        self.configuration = configuration
        self._detector, self.policy = detector, policy
        for engine in self.engines.values():
            engine.configure(detector, policy)

    @property
    def detector(self) -> TextDetector:
        """The detector that all engines share."""
        return self._detector

    def engine(self, platform: str) -> Engine:
        """The engine of a platform, made when it is first needed."""
        engine = self.engines.get(platform)
        if engine is None:
            engine = self.engines[platform] = Engine(self._detector, self.policy)
        return engine

    def observe(self, platform: str, event: AnyEvent) -> Decision | None:
        """Let the platform's engine observe an event.

        A fault in a detector must not stop the broadcast: it is logged and counted, and the event stays undecided.
        The fault is as deterministic as the engine, so a replay meets it at the same event.
        """
        try:
            return self.engine(platform).observe(event)
        except Exception:
            self.failures += 1
            if self.failures <= FAILURES_LOGGED:
                log.exception("the engine failed on an event of type %s", type(event).__struct_config__.tag)
            return None

    def order(self, platform: str, order: Order) -> None:
        """Let the platform's engine take note of a person's order."""
        self.engine(platform).order(order)

    def snapshot(self) -> dict[str, bytes]:
        """Every engine's state."""
        return {platform: engine.snapshot() for platform, engine in self.engines.items()}

    def restore(self, states: dict[str, bytes]) -> None:
        """Take up what ``snapshot`` wrote."""
        self.engines.clear()
        for platform, state in states.items():
            self.engine(platform).restore(state)
