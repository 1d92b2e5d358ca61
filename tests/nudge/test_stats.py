"""What came of nudges: counted from the journal, small counts withheld, and said with its limits."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from support import UPSTANDER, Recorder, asynchronous, comment, gateway, now_ms, started
from upstander.journal import store
from upstander.nudge import book, stats
from upstander.nudge.stats import COLUMNS, SMALLEST, WINDOW_MS, withhold

rows = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.fixed_dictionaries({name: st.integers(0, 30) for name in COLUMNS})
)


@given(rows)
def test_no_small_count_is_shown_nor_can_be_worked_out(counts: dict[str, dict[str, int]]) -> None:
    lines = withhold(counts)
    assert [line.topic for line in lines] == [*counts, "all"]
    for name in COLUMNS:
        shown = {line.topic: line.counts[name] for line in lines}
        total = shown.pop("all")
        assert all(value is None or value >= SMALLEST for value in (*shown.values(), total))
        assert total is None or total == sum(row[name] for row in counts.values())
        withheld = [counts[topic][name] for topic, value in shown.items() if value is None]
        if withheld and total is not None:
            assert sum(withheld) >= SMALLEST
            assert len(withheld) >= 2 or len(counts) == 1


def test_an_example() -> None:
    counts = {topic: dict.fromkeys(COLUMNS, count) for topic, count in (("dare", 9), ("threat", 2), ("secrecy", 40))}
    shown = {line.topic: line.counts["shown"] for line in withhold(counts)}
    assert shown == {"dare": None, "threat": None, "secrecy": 40, "all": 51}


async def a_run(folder: Path, broadcasts: int, minutes_after: int) -> Path:
    """Broadcasts in which one viewer presses, the nudge is shown, and the viewer writes once more after it."""
    begin = now_ms() - 3_600_000
    pressed = ("do a spin and ill send a gift", "dont tell your mom", "are your parents home")
    async with gateway(folder, [Recorder()]) as g:
        for n in range(broadcasts):
            b = f"b{n}"
            events = [started(f"s{n}", b) | {"at": begin}]
            events += [comment(f"c{k}", text, b) | {"at": begin + k * 10_000} for k, text in enumerate(pressed)]
            results = (await g.post(events)).json()["results"]
            decided = [result["decision"] for result in results if result.get("decision")]
            nudged = next(d for d in decided if any(a["do"] == "nudge_host" for a in d["interventions"]))
            where = f"/v1/nudges/{book.nudge_id('mysite', b, nudged['event'])}"
            await g.http.post(where, json={"event": "shown"})
            await g.http.post(where, json={"event": "action", "do": "block_viewer"})
            later = [comment("later", "where do you live", b) | {"at": nudged["at"] + 60_000}]
            later += [comment("other", "nice game", b, actor="v2") | {"at": nudged["at"] + minutes_after * 60_000}]
            await g.post(later)
        return g.service.settings.journal_path


def lines_of(journal: Path, platform: str | None = None) -> dict[str, dict[str, int | None]]:
    connection = store.connect(journal, readonly=True)
    try:
        return {line.topic: line.counts for line in stats.tally(connection, platform)}
    finally:
        connection.close()


@asynchronous
async def test_the_tally_of_a_run(tmp_path: Path) -> None:
    journal = await a_run(tmp_path, 6, minutes_after=6)
    total = lines_of(journal)["all"]
    assert total["shown"] == total["acted"] == total["watched"] == 6
    assert total["dismissed"] is None
    assert total["chosen"] is not None and total["chosen"] >= 6
    assert total["before"] is not None and total["before"] >= 6
    assert total["after"] is not None and total["after"] >= 6
    assert lines_of(journal, "mysite")["all"] == total
    assert set(lines_of(journal, "other")["all"].values()) == {None}
    done = subprocess.run(
        [UPSTANDER, "nudge", "stats", "--data", str(journal.parent)], capture_output=True, text=True, check=True
    )
    assert "withheld" in done.stdout
    assert "no comparison group" in done.stdout
    assert "v1" not in done.stdout, "nobody is named"


@asynchronous
async def test_what_was_cut_short_is_not_compared(tmp_path: Path) -> None:
    journal = await a_run(tmp_path, 5, minutes_after=2)
    total = lines_of(journal)["all"]
    assert total["shown"] == 5
    assert total["watched"] is None and total["before"] is None and total["after"] is None
    assert WINDOW_MS == 300_000
    data = str(journal.parent)
    done = subprocess.run(
        [UPSTANDER, "nudge", "stats", "--data", data, "--json"], capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    assert answer["lines"][-1]["counts"]["shown"] == 5
    assert "Counts below 5 are withheld" in answer["limits"]


def test_without_a_journal_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [UPSTANDER, "nudge", "stats", "--data", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no journal" in done.stderr
