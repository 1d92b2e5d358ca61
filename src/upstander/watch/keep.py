"""Sealing what was seen and heard into the vault when a decision reaches ``urgent``: media where the law allows it.

Transcripts that showed nothing are sealed too, when they are still there. The case itself is opened elsewhere
(``cases``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from upstander.gateway.hub import Hub, Overrun, Published
from upstander.model.vocabulary import AgeBand, Level
from upstander.settings import Settings
from upstander.vault import opening
from upstander.vault.entries import Entry, Kind, decode
from upstander.vault.errors import VaultError
from upstander.vault.vault import Part, Vault, now_ms
from upstander.watch.messages import Clip
from upstander.watch.settings import KeepSettings
from upstander.watch.transcripts import Line, Transcripts

log = logging.getLogger(__name__)

LEVEL = Level.URGENT
#: Transcripts of so long before the decision go with the case.
TRANSCRIPT_MS = 10 * 60_000
#: A case of one broadcast is sealed anew no sooner: clips that were sealed are not sealed again anyhow.
AGAIN_MS = 5_000
#: The clip that is being made when the decision comes is worth waiting for.
AFTER_S = 6.0

Ask = Callable[[str, str], Awaitable[list[Clip]]]


def reference(keep: KeepSettings) -> str:
    """How the ledger names a permission: platform and jurisdiction."""
    return f"media:{keep.platform}:{keep.jurisdiction}"


def declare(vault: Vault, keeps: Sequence[KeepSettings]) -> list[Entry]:
    """Write into the ledger on which basis media may be kept, and that it may be no longer. Only what changed."""
    stands: dict[str, Entry] = {}
    for _, body, _, _ in vault.ledger.bodies():
        entry = decode(body)
        if entry.kind is Kind.MEDIA:
            stands[entry.reference.removesuffix(":off")] = entry
    made = []
    for keep in keeps:
        last = stands.pop(reference(keep), None)
        why = f"{keep.legal_basis} (the last {keep.seconds} s)"
        if last is None or last.reference.endswith(":off") or (last.by, last.why) != (keep.by, why):
            made.append(vault.media(keep.by, why, reference(keep)))
    for name, last in stands.items():
        if not last.reference.endswith(":off"):
            made.append(vault.media("upstander", "the settings allow it no longer", f"{name}:off"))
    return made


def parts_of(platform: str, broadcast: str, clips: Sequence[Clip], lines: Sequence[Line]) -> list[Part]:
    """What is sealed; the same clips give the same sources, so that none is sealed twice."""
    made = [
        Part("media", f"watch:{platform}:{broadcast}:{clip.at_ms}:{clip.from_ms}-{clip.to_ms}", clip.matroska)
        for clip in clips
    ]
    if lines:
        first, last = lines[0].at, lines[-1].at
        value = {
            "format": "upstander-transcript-1", "platform": platform, "broadcast": broadcast, "first": first,
            "last": last, "lines": [msgspec.to_builtins(line) for line in lines],
        }  # fmt: skip
        made.append(Part("transcript", f"watch:{platform}:{broadcast}:transcript:{last}", msgspec.json.encode(value)))
    return made


class Keeper:
    """Follows the decisions and seals. Needs the vault; without one it keeps nothing."""

    def __init__(
        self, settings: Settings, ask: Ask, transcripts: Transcripts, band: Callable[[str, str], AgeBand]
    ) -> None:
        self.settings, self._ask, self._transcripts, self._band = settings, ask, transcripts, band
        self._sealed_at: dict[tuple[str, str, str], int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> Vault:
        """The vault, with the legal bases in its ledger. Raises ``VaultError``."""
        vault = opening.open_vault(self.settings)
        try:
            declare(vault, self.settings.watch.keep)
        except BaseException:
            vault.close()
            raise
        return vault

    async def follow(self, hub: Hub, case_id: Callable[[str, str, str], str]) -> None:
        """Seal for every decision that is grave enough, until cancelled."""
        vault = await asyncio.to_thread(self.open)
        try:
            while True:
                with hub.listen("", limit=50_000) as listener:
                    try:
                        while True:
                            self._take(await listener.next(), vault, case_id)
                    except Overrun:
                        log.error("watch: decisions were missed: what they rest on may not have been sealed")
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            vault.close()

    def _take(self, published: Published, vault: Vault, case_id: Callable[[str, str, str], str]) -> None:
        decision = published.decision
        if Level[decision.level.upper()] < LEVEL:
            return
        key = (published.platform, decision.broadcast, decision.actor or "")
        now = now_ms()
        if now - self._sealed_at.get(key, 0) < AGAIN_MS:
            return
        self._sealed_at = {k: at for k, at in self._sealed_at.items() if now - at < AGAIN_MS} | {key: now}
        task = asyncio.create_task(self.seal(vault, published, case_id(*key)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def seal(self, vault: Vault, published: Published, case: str) -> None:
        """Seal what is held of a broadcast: at once, and once more when the clip that is being made is there."""
        try:
            for wait in (0.0, AFTER_S):
                await asyncio.sleep(wait)
                await self._once(vault, published.platform, published.decision.broadcast, case)
        except (VaultError, OSError) as error:
            log.error("watch: evidence of a case could not be sealed: %s", error)

    async def _once(self, vault: Vault, platform: str, broadcast: str, case: str) -> None:
        clips = await self._ask(platform, broadcast) if self.settings.watch.keep_of(platform) is not None else []
        lines = self._transcripts.before(platform, broadcast, now_ms(), TRANSCRIPT_MS)
        parts = parts_of(platform, broadcast, clips, lines)
        if parts:
            until = opening.keep_until(self.settings, self._band(platform, broadcast), now_ms())
            await asyncio.to_thread(vault.seal, parts, case, until, "the stream before an urgent decision")
