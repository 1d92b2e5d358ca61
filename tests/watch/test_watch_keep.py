"""What is kept of a stream: nothing without a legal basis; with one the last seconds, sealed with a case, else gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from support import settings_in
from upstander.gateway.hub import Published
from upstander.model.decision import Decision
from upstander.model.vocabulary import AgeBand
from upstander.settings import CaseSettings, Settings, SettingsError, load
from upstander.vault import opening
from upstander.vault.entries import Kind, decode
from upstander.vault.vault import Vault, now_ms
from upstander.watch import attached, keep, start
from upstander.watch.buffer import Buffer
from upstander.watch.messages import Clip
from upstander.watch.settings import KeepSettings, WatchSettings
from upstander.watch.transcripts import HOUR_MS, Line, Transcripts

SOURCES = {"mysite": "rtmp://127.0.0.1/live/{broadcast}"}
BASIS = KeepSettings("mysite", "GB", "Evidence Act 1999, section 7", "A. Officer", 30)


def clip(number: int, seconds: int = 5) -> Clip:
    at = 1_000_000 + number * seconds * 1_000
    return Clip(number * seconds * 1_000, (number + 1) * seconds * 1_000, at, b"the packets of clip %d" % number)


def settings(tmp_path: Path, *keeps: KeepSettings) -> Settings:
    watch = WatchSettings(enabled=True, sources=SOURCES, keep=keeps)
    return settings_in(tmp_path, watch=watch, cases=CaseSettings(enabled=True))


def test_off_by_default() -> None:
    assert WatchSettings().keep == ()
    assert start.order(WatchSettings()).clip_s == 0.0
    assert start.order(WatchSettings(), keep=True).clip_s > 0


def test_the_last_seconds_are_held_and_no_more() -> None:
    buffer = Buffer(30)
    for number in range(20):
        buffer.add(clip(number))
    held = buffer.clips()
    assert [each.from_ms for each in held] == [n * 5_000 for n in range(14, 20)]
    assert held[-1] == clip(19)


def test_what_is_held_is_encrypted() -> None:
    buffer = Buffer(30)
    buffer.add(clip(1))
    assert b"packets" not in b"".join(sealed for _, sealed in buffer._held)
    assert buffer._held[0][0].matroska == b""


def test_the_legal_basis_is_in_the_ledger_before_anything_is_held(tmp_path: Path) -> None:
    made = settings(tmp_path, BASIS)
    vault = opening.create_vault(made, "ann")
    try:
        assert [entry.reference for entry in keep.declare(vault, [BASIS])] == ["media:mysite:GB"]
        assert keep.declare(vault, [BASIS]) == []
        changed = msgspec.structs.replace(BASIS, legal_basis="Another Act 2005, section 2")
        assert "Another Act" in keep.declare(vault, [changed])[0].why
        assert [entry.reference for entry in keep.declare(vault, [])] == ["media:mysite:GB:off"]
        assert keep.declare(vault, []) == []
        entries = [decode(body) for _, body, _, _ in vault.ledger.bodies()]
        assert [entry.by for entry in entries if entry.kind is Kind.MEDIA] == ["A. Officer", "A. Officer", "upstander"]
    finally:
        vault.close()


def decision(level: str) -> Published:
    made = Decision("e1", "b1", "v1", 1, level, (), (), (), 9.0, 9.0, (), {})
    return Published(1, "mysite", made, b"")


async def sealed(made: Settings, vault: Vault, level: str, transcripts: Transcripts) -> list[str]:
    asked: list[tuple[str, str]] = []

    async def clips(platform: str, broadcast: str) -> list[Clip]:
        asked.append((platform, broadcast))
        return [clip(1), clip(2)]

    keeper = keep.Keeper(made, clips, transcripts, lambda *_: AgeBand.FROM_10_TO_12)
    keeper._take(decision(level), vault, lambda *_: "case-1")
    keeper._take(decision(level), vault, lambda *_: "case-1")  # at once again: not asked twice
    await asyncio.gather(*keeper._tasks)
    if not made.watch.keep:
        assert asked == []
    return sorted(row.part for row in vault.of_case("case-1"))


def sealing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, *keeps: KeepSettings) -> list[str]:
    monkeypatch.setattr(keep, "AFTER_S", 0.0)
    made = settings(tmp_path, *keeps)
    vault = opening.create_vault(made, "ann")
    transcripts = Transcripts(tmp_path / "transcripts.sqlite3", 24)
    try:
        transcripts.add("mysite", "b1", Line(now_ms() - 1_000, "unknown", "en", 0.8, "hello"))
        return asyncio.run(sealed(made, vault, level, transcripts))
    finally:
        transcripts.close()
        vault.close()


def test_an_urgent_decision_seals_what_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sealing(tmp_path, monkeypatch, "urgent", BASIS) == ["media", "media", "transcript"]


def test_without_a_legal_basis_transcripts_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sealing(tmp_path, monkeypatch, "emergency") == ["transcript"]


def test_below_urgent_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sealing(tmp_path, monkeypatch, "concern", BASIS) == []


def test_transcripts_are_gone_after_their_time_and_leave_no_trace(tmp_path: Path) -> None:
    file = tmp_path / "data" / "transcripts.sqlite3"
    transcripts = Transcripts(file, 24)
    transcripts.add("mysite", "b1", Line(0, "unknown", "en", 0.8, "a sentence about castles"))
    transcripts.add("mysite", "b1", Line(2 * HOUR_MS, "unknown", "en", 0.8, "one about gardens"))
    assert b"castles" in file.read_bytes()
    assert [line.text for line in transcripts.before("mysite", "b1", 3 * HOUR_MS, 2 * HOUR_MS)] == ["one about gardens"]
    assert transcripts.expire(25 * HOUR_MS) == 1
    assert b"castles" not in file.read_bytes()
    assert transcripts.expire(26 * HOUR_MS) == 1
    transcripts.close()
    assert file.stat().st_mode & 0o777 == 0o600
    none = Transcripts(tmp_path / "none.sqlite3", 0)
    none.add("mysite", "b1", Line(0, "unknown", "en", 0.8, "a sentence"))
    assert none.before("mysite", "b1", 1, 10) == []
    none.close()


def test_settings_are_read_and_slips_of_the_pen_named(tmp_path: Path) -> None:
    file = tmp_path / "upstander.toml"
    head = '[watch]\nenabled = true\nspeech_model = "models/small"\n[watch.sources]\nmysite = "rtmp://127.0.0.1/{broadcast}"\n'
    keeps = '[[watch.keep]]\nplatform = "mysite"\njurisdiction = "GB"\nlegal_basis = "An Act, section 7"\nby = "ann"\n'
    file.write_text(head + keeps)
    read = load(file).watch
    assert read.speech_model == str(tmp_path / "models/small")
    assert read.keep_of("mysite") == KeepSettings("mysite", "GB", "An Act, section 7", "ann", 60)
    file.write_text(head + keeps.replace("jurisdiction", "jurisdicton"))
    with pytest.raises(SettingsError, match="jurisdiction"):
        load(file)
    file.write_text("[watch]\nenabeld = true\n")
    with pytest.raises(SettingsError, match="Did you mean `enabled`"):
        load(file)
    file.write_text(head + keeps.replace('"An Act, section 7"', '""'))
    with pytest.raises(SettingsError, match="legal_basis"):
        load(file)


def test_settings_that_cannot_be_kept_are_refused_at_the_start(tmp_path: Path) -> None:
    made = settings(tmp_path, BASIS)
    with pytest.raises(SettingsError, match="no vault"):
        attached.check(made)
    opening.create_vault(made, "ann").close()
    attached.check(made)
    with pytest.raises(SettingsError, match=r"\[cases\]"):
        attached.check(msgspec.structs.replace(made, cases=CaseSettings()))
    with pytest.raises(SettingsError, match="twice"):
        attached.check(settings(tmp_path, BASIS, BASIS))
    with pytest.raises(SettingsError, match="sources"):
        attached.check(settings_in(tmp_path, watch=WatchSettings(enabled=True)))
    with pytest.raises(SettingsError, match="scheme"):
        attached.check(settings_in(tmp_path, watch=WatchSettings(enabled=True, sources={"a": "ftp://x/{broadcast}"})))
