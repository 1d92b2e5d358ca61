"""Settings of watching: what is watched, by which rules, what is kept. Reading the file is elsewhere."""

from __future__ import annotations

from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]


class KeepSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Media of a ``platform`` may be kept: a legal act. The last ``seconds`` of a stream are held encrypted in memory,
    and sealed into the vault with a case when a decision reaches ``urgent``; else they are gone. ``jurisdiction``,
    ``legal_basis`` (the law, by name and section) and ``by`` (who answers for it) are written into the vault's ledger
    before the first byte is held."""

    platform: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,64}$")]
    jurisdiction: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
    legal_basis: Annotated[str, msgspec.Meta(min_length=8, max_length=500)]
    by: Annotated[str, msgspec.Meta(min_length=2, max_length=200)]
    seconds: Annotated[int, msgspec.Meta(ge=10, le=600)] = 60


class WatchSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Watching broadcasts. ``enabled``: the service starts a watcher for every live broadcast of the platforms in
    ``[watch.sources]`` (platform = address, in which ``{broadcast}`` stands for its id). ``hosts``: further hosts
    that may be reached (``.example.org`` means all below it), ``private_hosts``: hosts among all of these that may
    lie in a private network; the hosts of the sources need not be listed. ``interval_s``: a sample of the video this
    often; ``faces``, ``speech``: count faces, recognise speech; ``language``: that of speech (empty: told from each
    utterance); ``speech_model``: a folder with another Whisper for CTranslate2; ``age_command``: the program that
    estimates ages (empty: nobody does); ``transcript_hours``: how long unflagged transcripts are kept;
    ``fingerprint_days``: how long audio fingerprints are (0: none are taken). ``max_streams`` watched at once; each
    decoder may take ``memory_mb``, and is ended when it is silent for ``deadline_s``. ``[[watch.keep]]``: where media
    may be kept; nowhere when there is none."""

    enabled: bool = False
    sources: dict[str, str] = {}
    hosts: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()
    interval_s: Annotated[float, msgspec.Meta(ge=0.25, le=60)] = 1.0
    faces: bool = True
    speech: bool = True
    language: Annotated[str, msgspec.Meta(pattern="^([a-z]{2})?$")] = ""
    speech_model: str = ""
    age_command: tuple[str, ...] = ()
    transcript_hours: Annotated[int, msgspec.Meta(ge=0, le=24 * 30)] = 24
    fingerprint_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 0
    max_streams: Positive = 100
    memory_mb: Annotated[int, msgspec.Meta(ge=64, le=4096)] = 512
    deadline_s: Annotated[float, msgspec.Meta(ge=2, le=600)] = 20.0
    keep: tuple[KeepSettings, ...] = ()

    def keep_of(self, platform: str) -> KeepSettings | None:
        """What may be kept of a platform's media."""
        return next((each for each in self.keep if each.platform == platform), None)
