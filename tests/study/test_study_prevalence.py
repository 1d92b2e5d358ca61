"""Sealed samples, Horvitz-Thompson estimates, and what detectors miss."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from upstander.cli import group
from upstander.study import prevalence
from upstander.study.errors import StudyError

CLOSE = 1e-9


def frame(sizes: dict[str, int]) -> pl.DataFrame:
    rows = [(f"{name}-{at}", name) for name, size in sizes.items() for at in range(size)]
    return pl.DataFrame(rows, schema=["broadcast", "stratum"], orient="row")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["study", "prevalence", *map(str, arguments)])


def test_a_sample_can_be_drawn_again_by_anyone_with_the_seed_and_in_any_order() -> None:
    sealed = prevalence.Sealed.of("a seed")
    every = frame({"day": 300, "night": 80})
    first = prevalence.draw(every, {"day": 30, "night": 20}, sealed)
    again = prevalence.draw(every.sample(fraction=1.0, shuffle=True, seed=3), {"night": 20, "day": 30}, sealed)
    assert sorted(first["broadcast"]) == sorted(again["broadcast"])
    other = prevalence.draw(every, {"day": 30, "night": 20}, prevalence.Sealed.of("another"))
    assert sorted(first["broadcast"]) != sorted(other["broadcast"])
    assert dict(first.group_by("stratum").agg(pl.col("weight").sum()).iter_rows()) == pytest.approx(
        {"day": 300, "night": 80}
    )


def test_every_broadcast_is_as_likely_as_any_other_of_its_stratum() -> None:
    every = frame({"day": 20, "night": 10})
    drawn = np.zeros(20)
    for seed in range(2000):
        sample = prevalence.draw(every, {"day": 5, "night": 2}, prevalence.Sealed.of(str(seed)))
        for name in sample.filter(pl.col("stratum") == "day")["broadcast"]:
            drawn[int(name.split("-")[1])] += 1
    assert stats.chisquare(drawn).pvalue > 1e-4


def test_a_seed_that_was_not_the_sealed_one_is_refused() -> None:
    sealed = prevalence.Sealed.of("a seed")
    prevalence.opened(sealed.commitment, "a seed")
    with pytest.raises(StudyError, match="its SHA-256 is not"):
        prevalence.opened(sealed.commitment, "a better seed")


@pytest.mark.parametrize("sizes", [{"day": 5}, {"day": 1, "night": 2}, {"day": 5, "night": 11}, {"day": 5, "dusk": 2}])
def test_a_stratum_that_is_not_sampled_or_not_enough_is_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(StudyError, match="sizes"):
        prevalence.draw(frame({"day": 20, "night": 10}), sizes, prevalence.Sealed.of("x"))


def reviewed(strata: dict[str, tuple[int, int, int]]) -> pl.DataFrame:
    """By stratum: population, reviewed, positive."""
    rows = [(name, size, int(at < hits)) for name, (size, n, hits) in strata.items() for at in range(n)]
    return pl.DataFrame(rows, schema=["stratum", "population", "positive"], orient="row")


STRATA = st.tuples(st.integers(40, 5000), st.integers(3, 40), st.integers(0, 40)).map(
    lambda one: (one[0], one[1], min(one[1], one[2]))
)


@settings(max_examples=40, deadline=None)
@given(st.lists(STRATA, min_size=1, max_size=4))
def test_horvitz_thompson_agrees_with_cochrans_formulas(strata: list[tuple[int, int, int]]) -> None:
    """Cochran (1977), 5.1 and 5.3: stratified total, and its variance with the finite population correction."""
    total, share = prevalence.estimate(reviewed({str(at): one for at, one in enumerate(strata)}))
    value = sum(size * hits / n for size, n, hits in strata)
    variance = sum(size**2 * (1 - n / size) * (hits / n) * (1 - hits / n) * n / (n - 1) / n for size, n, hits in strata)
    population = sum(size for size, _, _ in strata)
    assert total.value == pytest.approx(value, rel=CLOSE, abs=CLOSE)
    assert total.error**2 == pytest.approx(variance, rel=CLOSE, abs=CLOSE)
    assert share.value == pytest.approx(value / population, abs=CLOSE)
    assert share.error**2 == pytest.approx(variance / population**2, rel=CLOSE, abs=CLOSE)
    assert 0 <= share.low <= share.value <= share.high <= 1
    assert total.low == pytest.approx(share.low * population, rel=CLOSE, abs=CLOSE)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    populations = {"day": rng.random(900) < 0.05, "night": rng.random(300) < 0.3}
    truth = sum(int(one.sum()) for one in populations.values())
    covered = 0
    for _ in range(300):
        rows = [
            (name, len(one), int(value))
            for name, one in populations.items()
            for value in rng.choice(one, 120, replace=False)
        ]
        total, _ = prevalence.estimate(pl.DataFrame(rows, schema=["stratum", "population", "positive"], orient="row"))
        covered += total.low <= truth <= total.high
    assert 0.91 <= covered / 300 <= 0.99


def test_none_found_is_not_none_there() -> None:
    _, share = prevalence.estimate(reviewed({"day": (1000, 50, 0), "night": (500, 30, 0)}))
    assert (share.value, share.low) == (0.0, 0.0)
    assert share.high == pytest.approx(1 - 0.025 ** (1 / 30), abs=CLOSE)


def test_a_stratum_with_one_review_is_refused() -> None:
    with pytest.raises(StudyError, match="one reviewed broadcast"):
        prevalence.estimate(reviewed({"day": (100, 10, 2), "night": (50, 1, 0)}))


def test_chapmans_estimate_agrees_with_a_textbook_example() -> None:
    """Seber (1982) as used in many courses: 200 marked, 250 caught, 50 of them marked: N = 988.2 (Chapman)."""
    found = prevalence.missed_by_two(200, 250, 50)
    assert found.total == pytest.approx(201 * 251 / 51 - 1, abs=CLOSE)
    assert found.found == 400
    variance = 201 * 251 * 150 * 200 / (51**2 * 52)
    unseen = found.total - 400
    factor = math.exp(stats.norm.ppf(0.975) * math.sqrt(math.log(1 + variance / unseen**2)))
    assert (found.low, found.high) == pytest.approx((400 + unseen / factor, 400 + unseen * factor), abs=CLOSE)


def test_detectors_that_agree_on_everything_missed_nothing_that_can_be_seen() -> None:
    found = prevalence.missed_by_two(80, 80, 80)
    assert (found.found, found.missed, found.low) == (80, 0.0, 80.0)
    with pytest.raises(StudyError):
        prevalence.missed_by_two(10, 20, 15)


def test_three_independent_detectors_give_the_number_that_was_there() -> None:
    there, chances = 10_000, (0.6, 0.5, 0.3)
    histories = {}
    for bits in ("001", "010", "011", "100", "101", "110", "111"):
        chance = math.prod(p if bit == "1" else 1 - p for bit, p in zip(bits, chances, strict=True))
        histories[bits] = round(there * chance)
    found = prevalence.missed_by_many(histories)
    assert found.total == pytest.approx(there, rel=0.001)
    assert found.low < there < found.high


def test_a_pair_of_detectors_that_find_the_same_cases_is_allowed_for() -> None:
    """The log-linear model with the pair's interaction is exact here: 1,000 there, 300 of them unseen."""
    cells = {"100": 100, "010": 60, "110": 240, "001": 90, "101": 30, "011": 18, "111": 72}
    found = prevalence.missed_by_many(cells)
    assert found.missed == pytest.approx(90 * 100 / 30, rel=1e-6)
    with pytest.raises(StudyError):
        prevalence.missed_by_many({"11": 4})
    with pytest.raises(StudyError):
        prevalence.missed_by_many({"000": 4, "111": 2})


def test_from_the_seal_to_the_estimate(tmp_path: Path) -> None:
    seed, broadcasts, sample = tmp_path / "seed", tmp_path / "all.csv", tmp_path / "sample.csv"
    frame({"day": 200, "night": 60}).write_csv(broadcasts)
    commitment = run("seal", "--out", seed).output.strip()
    assert run("seal", "--out", seed).exit_code == 2  # never overwritten
    sizes = ("--size", "day=40", "--size", "night=20")
    drawn = run("draw", broadcasts, "--seed-file", seed, "--commitment", commitment, *sizes, "--out", sample)
    assert drawn.exit_code == 0, drawn.output
    wrong = run("draw", broadcasts, "--seed-file", seed, "--commitment", "0" * 64, *sizes, "--out", sample)
    assert (wrong.exit_code, "SHA-256" in wrong.output) == (2, True)
    filled = pl.read_csv(sample, infer_schema=False).with_row_index("n")
    positive = pl.when(pl.col("n") > 1).then((pl.col("n") % 5 == 0).cast(pl.Int64))
    filled.with_columns(positive.alias("positive")).drop("n").write_csv(sample)
    result = json.loads(run("estimate", sample, "--json").output)
    assert result["not_reviewed"] == 2
    assert result["share"]["n"] == 58
    assert result["total"]["population"] == 260
    assert "interval" in run("estimate", sample).output


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("stratum,positive\nday,1\n", encoding="utf-8")
    assert "has no column `population`" in run("estimate", path).output
    assert "--history" in run("missed", "--first", 3).output
    assert "is not 101=N" in run("missed", "--history", "101").output
    assert "988.2" in run("missed", "--first", 200, "--second", 250, "--both", 50).output
