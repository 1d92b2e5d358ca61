"""Looking after moderators: budgets and breaks, a second person beyond them, preferences, blind second reviews."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from console_support import JSON, PRESSING, Room, do, plain, room
from hypothesis import given
from hypothesis import strategies as st

from support import asynchronous
from upstander.care import reviews
from upstander.care.budget import MINUTE_MS, standing
from upstander.care.store import Care, CareError, Preferences
from upstander.cases.states import State
from upstander.settings import CareSettings

LIMITS = CareSettings(budget=6, break_after=3, break_minutes=10, shift_hours=8)
PAUSE = 10 * MINUTE_MS


@given(st.lists(st.integers(0, 20 * MINUTE_MS), max_size=60))
def test_nobody_unveils_more_than_the_rules_allow(waits: list[int]) -> None:
    """Whoever follows ``standing`` never has a longer run without a pause, nor more in a shift."""
    now, times = 10**12, list[int]()
    for wait in waits:
        now += wait
        stands = standing(times, now, LIMITS)
        if not stands.break_until and stands.left:
            times.append(now)
    for n in range(len(times)):
        run = times[n : n + LIMITS.break_after + 1]
        if len(run) > LIMITS.break_after:
            assert any(b - a >= PAUSE for a, b in pairwise(run))
        in_shift = [t for t in times if times[n] <= t < times[n] + LIMITS.shift_hours * 3_600_000]
        assert len(in_shift) <= LIMITS.budget


@given(st.lists(st.integers(0, 30 * MINUTE_MS), min_size=1, max_size=30))
def test_a_break_ends(waits: list[int]) -> None:
    times = [10**12 + sum(waits[: n + 1]) for n in range(len(waits))]
    stands = standing(times, times[-1] + PAUSE, LIMITS)
    assert stands.break_until == 0 and stands.run == 0


def test_a_break_of_ones_own_counts_as_one() -> None:
    times = [1_000_000_000, 1_000_060_000]
    taken = times[-1] + 60_000
    within = standing(times, taken + 1, LIMITS, taken + PAUSE)
    assert within.break_until == taken + PAUSE and within.run == 0
    assert standing([*times, taken + PAUSE], taken + PAUSE + 1, LIMITS, taken + PAUSE).run == 1


@asynchronous
async def test_a_break_is_enforced_and_everything_else_goes_on(tmp_path: Path) -> None:
    async with room(tmp_path, CareSettings(budget=60, break_after=2, break_minutes=10)) as made:
        cases = [await made.press(f"b{n}", f"v{n}") for n in range(3)]
        mo = made.signed_in("mo")
        for case in cases[:2]:
            assert "parents home" in plain(await do(mo, case, "unveil"))
        again = await do(mo, cases[0], "unveil")
        assert again.status_code == 200, "what is open already does not count twice"
        refused = await do(mo, cases[2], "unveil")
        assert refused.status_code == 409 and "This is a break" in plain(refused)
        assert "disabled" in refused.text
        assert (await do(mo, cases[2], "claim")).status_code == 200
        assert ("unveiling refused", f"case {cases[2]}") in made.acts("mo")
        assert (await do(made.signed_in("max"), cases[2], "unveil")).status_code == 200, "it is one person's break"
        made.clock.forward(minutes=10)
        assert (await do(mo, cases[2], "unveil")).status_code == 200


@asynchronous
async def test_beyond_the_budget_a_second_person_has_to_allow_it(tmp_path: Path) -> None:
    async with room(tmp_path, CareSettings(budget=1)) as made:
        cases = [await made.press(f"b{n}", f"v{n}") for n in range(3)]
        mo, sen = made.signed_in("mo"), made.signed_in("sen")
        await do(mo, cases[0], "unveil")
        assert "budget of a shift" in plain(await do(mo, cases[1], "unveil"))
        await mo.get(f"/care?for=case+{cases[1]}")
        for wrong in ({"what": "everything", "why": "x"}, {"what": f"case {cases[1]}", "why": ""}):
            assert (await mo.post("/care/asks", wrong)).status_code == 422
        assert "Asked" in (await mo.post("/care/asks", {"what": f"case {cases[1]}", "why": "I know the family"})).text
        (ask,) = made.console.care.asks()
        assert (await mo.post(f"/care/asks/{ask.id}/allow")).status_code == 403
        assert "I know the family" in (await sen.get("/care")).text
        assert "Allowed" in (await sen.post(f"/care/asks/{ask.id}/allow")).text
        assert (await sen.post(f"/care/asks/{ask.id}/decline")).status_code == 409, "once is enough"
        assert (await do(mo, cases[1], "unveil")).status_code == 200
        assert (await do(mo, cases[2], "unveil")).status_code == 409, "for that case alone"
        assert ("more unveiling allowed", "mo") in made.acts("sen")


def test_nobody_allows_their_own_asking(tmp_path: Path) -> None:
    care = Care(tmp_path / "care.sqlite3", LIMITS)
    ask = care.ask("sen", "case 1234567890abcdef", "because")
    with pytest.raises(CareError, match="second person"):
        care.decide(ask.id, "sen", allow=True)
    assert care.decide(ask.id, "sue", allow=False).until == 0
    care.close()


@asynchronous
async def test_preferences_change_the_pages(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        mo = made.signed_in("mo")
        page = await do(mo, case, "unveil")
        assert '<ol class="words slow"' in page.text and '<svg class="curve"' in page.text
        await mo.get("/care")
        kept = await mo.post("/care/preferences", {"with": ["text_only"], "theme": "dark"})
        assert 'data-theme="dark"' in kept.text
        assert made.console.care.preferences("mo") == Preferences(text_only=True, slow=False, theme="dark")
        page = await mo.get(f"/cases/{case}")
        assert '<ol class="words"' in page.text and "<svg" not in page.text
        assert (await mo.post("/care/preferences", {"theme": "neon"})).status_code == 422
        assert "data-theme" not in (await made.signed_in("max").get("/care")).text
        assert "break" in plain(await mo.post("/care/break"))
        assert (await mo.http.get("/care", headers=JSON)).json()["standing"]["break_until"] > 0


async def close(made: Room, case: str, outcome: str = "benign", name: str = "mo") -> None:
    browser = made.signed_in(name)
    await do(browser, case, "claim")
    await do(browser, case, "close", outcome=outcome, why="the first verdict's reason")


@asynchronous
async def test_a_second_review_is_blind_and_a_different_verdict_reopens(tmp_path: Path) -> None:
    async with room(tmp_path, CareSettings(second_share=1.0)) as made:
        case = await made.press("a-broadcast-name", "a-viewer-name")
        await close(made, case)
        assert "No case waits" in (await made.signed_in("mo").get("/reviews")).text, "not one's own"
        top = made.signed_in("max")
        page = await top.get("/reviews")
        for told in ("the first verdict&#39;s reason", "benign</", "a-viewer-name", "a-broadcast-name", ">mo<"):
            assert told not in page.text.replace(">benign <kbd>", ""), told
        assert not any(words in page.text for words in PRESSING)
        await top.post(f"/reviews/{case}/unveil")
        page = await top.get("/reviews")
        assert "parents home" in plain(page) and "a-viewer-name" not in page.text
        assert (await top.post(f"/reviews/{case}", {"outcome": "nonsense"})).status_code == 409
        kept = await top.post(f"/reviews/{case}", {"outcome": "harmful"})
        assert "Your verdict is kept" in kept.text and "agree" not in plain(kept)
        found = made.console.desk().store.get(case)
        assert found is not None and found.state is State.OPEN
        assert (await top.post(f"/reviews/{case}", {"outcome": "harmful"})).status_code == 404


@asynchronous
async def test_the_same_verdict_leaves_it_closed_and_who_looked_is_not_asked(tmp_path: Path) -> None:
    async with room(tmp_path, CareSettings(second_share=1.0)) as made:
        case = await made.press()
        await close(made, case)
        sue = made.signed_in("sue")
        await sue.get(f"/cases/{case}")
        assert "No case waits" in (await sue.get("/reviews")).text, "whoever saw the verdict cannot review blindly"
        top = made.signed_in("max")
        await top.get("/reviews")
        await top.post(f"/reviews/{case}", {"outcome": "benign"})
        found = made.console.desk().store.get(case)
        assert found is not None and found.state is State.CLOSED
        assert reviews.agreement(made.console.care) == reviews.Agreement(1, None, None)


def test_agreement_is_cohens_kappa_and_small_numbers_are_not_told(tmp_path: Path) -> None:
    care = Care(tmp_path / "care.sqlite3", LIMITS)
    table = [("harmful", "harmful")] * 20 + [("benign", "benign")] * 15 + [("harmful", "benign")] * 5
    table += [("benign", "harmful")] * 10
    for n, (first, second) in enumerate(table):
        care.connection.execute("INSERT INTO reviews VALUES (?, ?, ?, ?, ?)", (str(n), 0, 0, first, second))
    found = reviews.agreement(care)
    # The textbook example: observed 0.7, by chance 0.5, kappa 0.4.
    assert found.agree == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    care.close()


def test_the_sample_has_its_share(tmp_path: Path) -> None:
    import msgspec

    from upstander.cases.desk import Desk
    from upstander.cases.model import Found
    from upstander.cases.store import Store
    from upstander.model.vocabulary import Level

    desk = Desk(Store(tmp_path / "cases.sqlite3"))
    case = desk.decide(Found("mysite", "b", "v", "e", 1, 1_000, Level.URGENT), now=1_000)
    care = Care(tmp_path / "care.sqlite3", CareSettings(second_share=0.2))
    drawn = sum(reviews.drawn(care, msgspec.structs.replace(case, updated_at=n)) for n in range(2_000))
    assert 320 < drawn < 480
    care.close()
    desk.store.close()
