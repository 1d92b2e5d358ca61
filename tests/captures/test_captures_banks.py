"""Banks: sealed at rest, audited, withdrawn for good; what matches, what never does, and how often one may ask."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from captures_support import NOW, banks_in, noisy, random_words, settings_in

from upstander.captures.banks import OWN, QUARANTINED, Banks, Value
from upstander.captures.bits import hex_of
from upstander.captures.errors import CaptureError
from upstander.captures.matching import Limiter, Matcher, asked_by_hash
from upstander.captures.opening import open_banks
from upstander.captures.values import Kind, checked
from upstander.people.audit import Audit
from upstander.vault.errors import VaultError

WORDS = random_words(20, 3)
PDQ = [hex_of(one) for one in WORDS]
MD5 = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def banks(tmp_path: Path) -> Banks:
    made = banks_in(tmp_path)
    made.make("known", "ann")
    return made


def live(banks: Banks, bank: str = "known") -> set[str]:
    return {entry.value for entry in banks.opened(bank)}


def test_values_are_not_in_the_files(banks: Banks, tmp_path: Path) -> None:
    banks.take_in("known", [Value(Kind.PDQ, PDQ[0]), Value(Kind.MD5, MD5)], OWN)
    assert live(banks) == {PDQ[0], MD5}
    banks.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            assert all(
                secret not in raw for value in (PDQ[0], MD5) for secret in (value.encode(), bytes.fromhex(value))
            )
            assert path.stat().st_mode & 0o077 == 0 or path.suffix not in (".sqlite3", ".key")


def test_another_key_opens_nothing(banks: Banks, tmp_path: Path) -> None:
    banks.take_in("known", [Value(Kind.PDQ, PDQ[0])], OWN)
    banks.close()
    (tmp_path / "vault.key").write_bytes(b"A" * 43 + b"=\n")
    with pytest.raises(VaultError, match="does not open with the key"):
        live(open_banks(settings_in(tmp_path)))


def test_an_entry_put_in_anothers_place_is_noticed(banks: Banks) -> None:
    banks.take_in("known", [Value(Kind.PDQ, PDQ[0]), Value(Kind.PDQ, PDQ[1])], OWN)
    banks.connection.execute("UPDATE entries SET body = (SELECT body FROM entries ORDER BY id DESC LIMIT 1)")
    with pytest.raises(CaptureError, match="was changed, or put in another's place"):
        live(banks)


def test_reading_is_in_the_ledger_before_anything_is_shown(banks: Banks, tmp_path: Path) -> None:
    banks.take_in("known", [Value(Kind.MD5, MD5)], OWN)
    with pytest.raises(CaptureError, match="needs a reason"):
        banks.read("known", "ann", " ")
    assert [entry.value for entry in banks.read("known", "ann", "court order 7")] == [MD5]
    told = [(entry.what, entry.subject, entry.detail) for entry in Audit(tmp_path / "audit.sqlite3").search()]
    assert ("bank read", "bank known", "court order 7") in told


def test_what_nobody_stands_by_is_purged_and_what_one_still_stands_by_stays(banks: Banks) -> None:
    banks.take_in("known", [Value(Kind.PDQ, PDQ[0], "x1"), Value(Kind.MD5, MD5, "x1")], "ncmec")
    banks.take_in("known", [Value(Kind.PDQ, PDQ[0], "y1")], "partner")
    assert banks.give_up("known", "ncmec", "x1") == 1
    assert live(banks) == {PDQ[0]}
    assert banks.give_up("known", "ncmec", "x1") == 0
    assert banks.bank("known").withdrawn == 1
    assert banks.connection.execute("SELECT count(*) FROM entries WHERE body IS NULL").fetchone() == (1,)
    assert banks.take_in("known", [Value(Kind.MD5, MD5, "x9")], "ncmec") == 1  # its source stands by it again


def test_what_we_withdrew_does_not_come_back_through_others(banks: Banks) -> None:
    banks.take_in("known", [Value(Kind.PDQ, PDQ[0], "x1")], "ncmec")
    (entry,) = banks.opened("known")
    banks.withdraw(entry.id, "ann", "a logo")
    assert banks.take_in("known", [Value(Kind.PDQ, PDQ[0], "x1")], "ncmec") == 0
    assert live(banks) == set()
    assert banks.take_in("known", [Value(Kind.PDQ, PDQ[0])], OWN) == 1  # a person may


def test_what_matches_and_how(banks: Banks) -> None:
    banks.make("narrow", "ann", distance=10)
    banks.take_in("known", [Value(Kind.PDQ, PDQ[0]), Value(Kind.MD5, MD5)], OWN)
    banks.take_in("narrow", [Value(Kind.PDQ, PDQ[1])], OWN)
    matcher = Matcher(banks)
    queries = noisy(WORDS[[0, 1, 2]], 20)
    assert [[match.bank for match in one] for one in matcher.frames(queries)] == [["known"], [], []]
    assert [match.how for match in matcher.digests([MD5])] == ["exact"]
    assert not any("distance" in field for field in matcher.digests([MD5])[0].__struct_fields__)
    banks.make("never", "ann", negative=True)
    banks.take_in("never", [Value(Kind.PDQ, PDQ[0]), Value(Kind.MD5, MD5)], OWN)
    matcher.refresh()
    assert matcher.frames(queries)[0] == []
    assert matcher.digests([MD5]) == []


def test_what_matches_everything_is_quarantined_until_a_person_releases_it(banks: Banks) -> None:
    banks.take_in("known", [Value(Kind.PDQ, PDQ[0])], OWN)
    matcher = Matcher(banks, quarantine=3)
    stopped = []
    for number in range(5):
        matches = matcher.frames(WORDS[:1])[0]
        stopped += matcher.seen([match.entry for match in matches], f"b{number % 4}", NOW)
    assert len(stopped) == 1
    assert matcher.frames(WORDS[:1]) == [[]]
    assert banks.bank("known").quarantined == 1
    banks.set_state(stopped[0], "active", "ann", "it is right")
    matcher.refresh()
    assert len(matcher.frames(WORDS[:1])[0]) == 1
    banks.set_state(stopped[0], QUARANTINED, "ann", "no")


def test_questions_are_limited_and_answered_without_distances(banks: Banks) -> None:
    banks.take_in("known", [Value(Kind.PDQ, PDQ[0])], OWN)
    matcher, limiter = Matcher(banks), Limiter(banks, 5)
    for _ in range(5):
        limiter.ask("eve", now_s=60)
    with pytest.raises(CaptureError, match="more than 5 times in this minute"):
        limiter.ask("eve", now_s=119)
    limiter.ask("ann", now_s=119)
    limiter.ask("eve", now_s=121)
    assert [match.bank for match in asked_by_hash(matcher, Limiter(banks, 5), "bob", Kind.PDQ, PDQ[0])] == ["known"]


def test_a_bank_that_is_deleted_leaves_nothing(banks: Banks) -> None:
    banks.take_in("known", [Value(Kind.PDQ, PDQ[0])], OWN)
    (entry,) = banks.opened("known")
    banks.vote(entry.id, "ann", "sure", confirm=True)
    banks.remove("known", "ann", "agreement ended")
    for table in ("banks", "entries", "origins", "votes"):
        assert banks.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    with pytest.raises(CaptureError, match="there is no bank known"):
        banks.bank("known")


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Kind.PDQ, "f" * 63), (Kind.MD5, "g" * 32), (Kind.SHA1, "a" * 41), (Kind.VPDQ, "[]"), (Kind.VPDQ, '["x"]'),
     (Kind.PHOTODNA, "1,2,3"), (Kind.PHOTODNA, "AAAA")],
)  # fmt: skip
def test_what_is_no_value_is_refused(kind: Kind, value: str) -> None:
    with pytest.raises(CaptureError):
        checked(kind, value)


def test_values_have_one_way_of_being_written() -> None:
    assert checked(Kind.SHA256, " " + "AB" * 32) == "ab" * 32
    assert checked(Kind.PHOTODNA, ",".join(["7"] * 144)).count(",") == 143
    assert checked(Kind.VPDQ, f'["{PDQ[0].upper()},80,1.5"]') == f'["{PDQ[0]},80,1.500"]'


def test_another_release_is_refused(tmp_path: Path) -> None:
    banks_in(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "captures" / "banks.sqlite3")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(CaptureError, match="has schema 9"):
        banks_in(tmp_path)
