"""Exchanges against stateful fakes: whatever fails, and wherever a run is killed, the bank ends the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from captures_support import banks_in, random_words
from exchange_fakes import Fake, FakeList, FakeNcmec, FakeShield, FakeStopNcii, FakeTat

from upstander.captures.banks import ACTIVE, WITHDRAWN, Banks
from upstander.captures.bits import hex_of
from upstander.captures.errors import CaptureError
from upstander.captures.exchanges import base
from upstander.captures.exchanges.fetch import fetch, send_votes
from upstander.captures.exchanges.opening import open_exchange, open_shield
from upstander.settings import ExchangeSettings

PDQ = [hex_of(one) for one in random_words(40, 6)]
MD5 = [f"{n:032x}" for n in range(1, 30)]
THEN = int(time.time()) - 7 * 86_400


def settings_of(kind: str, fake: Fake, folder: Path) -> ExchangeSettings:
    secret = {"stopncii": "subs\nfunc\n", "list": "Token abc"}.get(kind, "secret")
    path = folder / f"{kind}.secret"
    path.touch(mode=0o600)
    path.write_text(secret)
    url = f"{fake.url}/list.csv" if kind == "list" else fake.url
    columns = {"MD5": "md5", "PDQ": "pdq"} if kind == "list" else {}
    return ExchangeSettings("x", kind, "known", url, "me", str(path), columns)


def run(banks: Banks, one: ExchangeSettings, waits: list[float] | None = None) -> Any:
    exchange, http = open_exchange(one, (waits if waits is not None else []).append, timeout_s=0.3)
    try:
        return fetch(banks, "x", "known", exchange, "ann")
    finally:
        http.close()


# -- what each fake holds: at first, and after some time; and what a bank must hold then ----------------------------


def ncmec_first(fake: FakeNcmec) -> None:
    for n in range(10):
        fake.put(f"e{n}", {"md5": MD5[n], "pdq": PDQ[n], "videntifier": "zz"}, THEN + n)


def ncmec_later(fake: FakeNcmec) -> None:
    now = time.time() - 1
    fake.put("e0", None, now)
    fake.put("e1", {"md5": MD5[1], "pdq": PDQ[20]}, now)  # its PDQ was replaced
    fake.put("e10", {"pdq": PDQ[10]}, now)
    fake.put("e2", None, now)
    fake.put("e0", {"pdq": PDQ[2]}, now, member="8")  # another member's e0, which has what e2 had


def stop_first(fake: FakeStopNcii) -> None:
    for n in range(10):
        fake.put(PDQ[n], THEN + n)


def stop_later(fake: FakeStopNcii) -> None:
    fake.put(PDQ[0], THEN + 100, "Withdrawn")
    fake.put(PDQ[1], THEN + 101, "Deleted")
    fake.put(PDQ[10], THEN + 102)
    fake.put(MD5[3], THEN + 103, kind="VideoMD5")
    fake.put("x", THEN + 104, kind="Text")


def tat_first(fake: FakeTat) -> None:
    for n in range(10):
        fake.put(n, PDQ[n] if n % 2 else MD5[n], THEN + n, "PDQ" if n % 2 else "MD5")


def tat_later(fake: FakeTat) -> None:
    fake.put(1, PDQ[1], THEN + 50, deleted=True)
    fake.put(3, PDQ[30], THEN + 51)
    fake.put(10, PDQ[10], THEN + 51)


def list_first(fake: FakeList) -> None:
    fake.text = "ID,MD5,PDQ\n" + "".join(f"{n},{MD5[n]},{PDQ[n]}\n" for n in range(10))


def list_later(fake: FakeList) -> None:
    fake.text = "ID,MD5,PDQ\n" + "".join(f"{n},{MD5[n]},{PDQ[n] if n % 2 else ''}\n" for n in range(2, 12))


KINDS: dict[str, tuple[Callable[[], Any], Callable[[Any], None], Callable[[Any], None], set[str]]] = {
    "ncmec": (FakeNcmec, ncmec_first, ncmec_later,
              {*MD5[1:2], *MD5[3:10], PDQ[2], *PDQ[3:10], PDQ[20], PDQ[10]}),
    "stopncii": (FakeStopNcii, stop_first, stop_later, {*PDQ[2:10], PDQ[10], MD5[3]}),
    "tat": (FakeTat, tat_first, tat_later,
            {PDQ[5], PDQ[7], PDQ[9], PDQ[30], PDQ[10], MD5[0], MD5[2], MD5[4], MD5[6], MD5[8]}),
    "list": (FakeList, list_first, list_later, {*MD5[2:12], *(PDQ[n] for n in range(3, 12, 2))}),
}  # fmt: skip


def holds(banks: Banks) -> tuple[dict[str, tuple[str, ...]], list[tuple[Any, ...]]]:
    """What a bank holds, and what it says of sources: without ids and times, which chance and the clock give."""
    live = {f"{entry.kind} {entry.value}": entry.sources for entry in banks.opened("known")}
    key = banks._cipher("known")[1]
    sql = "SELECT source, reference, tag, withdrawn > 0 FROM origins ORDER BY 1, 2, 3"
    from upstander.captures.banks import _tag
    from upstander.captures.values import Kind

    names = {_tag(key, kind, value): value for kind in Kind for value in (*PDQ, *MD5)}
    origins = [
        (source, names[tag] if reference == tag.hex() else reference, names[tag], gone)
        for source, reference, tag, gone in banks.connection.execute(sql)
    ]
    states = banks.connection.execute("SELECT state, count(*) FROM entries GROUP BY 1 ORDER BY 1").fetchall()
    return live, [*sorted(origins), *states]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fake(kind: str) -> Iterator[Fake]:
    with KINDS[kind][0]() as running:
        yield running


def new_banks(folder: Path) -> Banks:
    banks = banks_in(folder)
    banks.make("known", "ann")
    return banks


def test_what_is_there_then_what_changed(kind: str, fake: Fake, tmp_path: Path) -> None:
    _, first, later, expected = KINDS[kind]
    banks, one = new_banks(tmp_path), settings_of(kind, fake, tmp_path)
    first(fake)
    done = run(banks, one)
    assert done.new == len(list(banks.opened("known"))) >= 10
    again = run(banks, one)
    assert (again.new, again.withdrawn) == (0, 0)
    later(fake)
    run(banks, one)
    assert {entry.value for entry in banks.opened("known")} == expected
    assert (
        banks.connection.execute("SELECT count(*) FROM entries WHERE state = 'withdrawn' AND body").fetchone()[0] == 0
    )


@pytest.mark.parametrize("fault", ["timeout", "429", "500", "half", "bad"])
def test_a_fault_is_waited_out(kind: str, fake: Fake, tmp_path: Path, fault: str) -> None:
    _, first, later, expected = KINDS[kind]
    banks, one = new_banks(tmp_path), settings_of(kind, fake, tmp_path)
    first(fake)
    waits: list[float] = []
    fake.faults = [fault, "", fault, fault]
    run(banks, one, waits)
    assert len(waits) >= 1 and all(0 < wait <= 30 for wait in waits)
    later(fake)
    fake.faults = ["", fault]
    run(banks, one, waits)
    assert {entry.value for entry in banks.opened("known")} == expected


class Killed(BaseException):
    """The process is gone: nothing catches this."""


def test_killed_at_any_step_and_run_again_it_ends_the_same(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after each question to the server and each change of the bank is a place to be killed at: the first
    ones, then every eleventh."""
    make, first, later, expected = KINDS[kind]

    def undisturbed() -> Any:
        with make() as fake:
            banks, one = new_banks(tmp_path / "whole"), settings_of(kind, fake, tmp_path)
            first(fake)
            run(banks, one)
            later(fake)
            run(banks, one)
            return holds(banks)

    whole = undisturbed()
    assert {name.partition(" ")[2] for name in whole[0]} == expected
    left = [0]

    def step() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    ask, take, give, stand = base.Http.ask, Banks.take_in, Banks.give_up, Banks.stand

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            step()
            result = real(*arguments, **named)
            step()
            return result

        return call

    for owner, name, real in (
        (base.Http, "ask", ask), (Banks, "take_in", take), (Banks, "give_up", give), (Banks, "stand", stand),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, watched(real))
    killed, at = 0, 1
    while True:
        with make() as fake:
            folder = tmp_path / f"at{at}"
            one = settings_of(kind, fake, tmp_path)
            new_banks(folder).close()
            left[0], hit = at, False
            for fill in (first, later):
                fill(fake)
                while True:
                    banks = banks_in(folder)
                    try:
                        run(banks, one)
                        banks.close()
                        break
                    except Killed:
                        hit = True
                        banks.connection.close()  # what was not committed is gone
            assert holds(banks_in(folder)) == whole, at
        if not hit:
            break
        killed, at = killed + 1, at + (1 if at < 5 else 11)
    assert killed >= 5


def test_a_server_that_stays_away_leaves_what_came_before(tmp_path: Path) -> None:
    with FakeNcmec() as fake:
        ncmec_first(fake)
        banks, one = new_banks(tmp_path), settings_of("ncmec", fake, tmp_path)
        fake.faults = ["", "", *["503"] * 5]
        with pytest.raises(CaptureError, match=r"answered 503, 5 times. What came before is kept"):
            run(banks, one)
        assert 0 < len(list(banks.opened("known"))) < 20
        run(banks, one)
        assert len(list(banks.opened("known"))) == 20


@pytest.mark.parametrize("skew_s", [-7200, 7200])
def test_a_clock_that_is_wrong_loses_nothing(tmp_path: Path, skew_s: float) -> None:
    """The server's clock differs from ours; entries are stamped by the server's."""
    with FakeNcmec() as fake:
        fake.skew_s = skew_s
        banks, one = new_banks(tmp_path), settings_of("ncmec", fake, tmp_path)
        for n in range(4):
            fake.put(f"e{n}", {"pdq": PDQ[n]}, time.time() + skew_s - 1)
            run(banks, one)
        assert {entry.value for entry in banks.opened("known")} == set(PDQ[:4])


def test_votes_go_back_once(tmp_path: Path) -> None:
    with FakeNcmec() as fake:
        fake.put("e1", {"pdq": PDQ[0]}, THEN)
        banks, one = new_banks(tmp_path), settings_of("ncmec", fake, tmp_path)
        run(banks, one)
        (entry,) = banks.opened("known")
        banks.vote(entry.id, "ann", "seen", confirm=True)
        exchange, http = open_exchange(one)
        assert send_votes(banks, "x", "known", exchange) == 1
        assert send_votes(banks, "x", "known", exchange) == 0
        banks.vote(entry.id, "ann", "a logo", confirm=False)
        assert send_votes(banks, "x", "known", exchange) == 1
        assert list(fake.feedback) == ["/v2/entries/7/e1/PDQ/feedback"]
        assert "<guid>11-22</guid>" in fake.feedback["/v2/entries/7/e1/PDQ/feedback"]
        fake.reasons["33"] = "another"
        banks.vote(entry.id, "ann", "a logo", confirm=False)
        with pytest.raises(CaptureError, match="a dispute needs a reason"):
            send_votes(banks, "x", "known", exchange)
        assert exchange.status() == "Me"  # type: ignore[attr-defined]
        assert exchange.members() == [("7", "Seven"), ("9", "Me")]  # type: ignore[attr-defined]
        http.close()
    with FakeStopNcii() as stop:
        stop.put(PDQ[1], THEN)
        banks, one = new_banks(tmp_path / "s"), settings_of("stopncii", stop, tmp_path)
        run(banks, one)
        (entry,) = banks.opened("known")
        banks.vote(entry.id, "ann", "seen", confirm=True)
        assert send_votes(banks, "x", "known", open_exchange(one)[0]) == 1
        assert [(one["hashValue"], one["feedbackValue"]) for one in stop.feedback] == [(PDQ[1], "Blocked")]


def test_shield_is_sent_hashes_only(tmp_path: Path) -> None:
    with FakeShield() as fake:
        fake.known[PDQ[3]] = "csam"
        shield, http = open_shield(settings_of("arachnid", fake, tmp_path), [].append)
        fake.faults = ["429", "half", ""]
        told = shield.ask([*PDQ, *(f"{n:064x}" for n in range(100))])
        http.close()
        assert [one.pdq for one in told if one.known] == [PDQ[3]]
        assert [len(body["hashes"]) for body in fake.bodies if set(body) == {"hashes"}][-2:] == [100, 40]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "http://example.org"}, "is not https"),
        ({"secret_file": ""}, "`secret_file` of exchange x is missing"),
        ({"user": "other"}, "the name or password is wrong"),
        ({"kind": "list", "columns": {}}, "`columns` under"),
        ({"kind": "arachnid"}, "not fetched but asked"),
    ],
)
def test_what_is_set_wrong_is_said(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    import msgspec

    with FakeNcmec() as fake:
        one = msgspec.structs.replace(settings_of("ncmec", fake, tmp_path), **change)
        with pytest.raises(CaptureError, match=message):
            run(new_banks(tmp_path), one)


def test_an_answer_does_not_lead_elsewhere(tmp_path: Path) -> None:
    http = base.Http("http://127.0.0.1:9", auth=("me", "secret"))
    with pytest.raises(CaptureError, match="points to another server"):
        http.ask("GET", "http://127.0.0.1:9@evil.example/x")
    assert (ACTIVE, WITHDRAWN) == ("active", "withdrawn")
