"""The split of the functional suite: it depends on the line alone, and no held-out line is known to the detectors.

What is held out is never printed, not even by a failing test: places and counts only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from upstander.detect import packs
from upstander.evaluate import suites
from upstander.evaluate.split import NEAR, Part, folded, identities, near_pairs, part_of, runs
from upstander.evaluate.suites import Suite, SuiteError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def deal() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("deal_examples", ROOT / "scripts" / "deal_examples.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def every(part: Part) -> list[tuple[Suite, str, str]]:
    """Each line of a part with its suite and its row's id."""
    return [
        (suite, row.id, text)
        for language in suites.languages(part)
        for suite in suites.load(part, language)
        for row in suite.rows
        for text in row.examples
    ]


# -- what is committed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", Part)
def test_every_line_lies_in_the_part_it_hashes_to(part: Part) -> None:
    lines = every(part)
    assert lines
    wrong = [f"{s.language}/{s.tactic}.{row}" for s, row, text in lines if part_of(s.language, s.tactic, text) != part]
    assert wrong == []


def test_no_held_out_line_is_known_to_the_packs() -> None:
    known = {identity for _, _, text in every(Part.EXAMPLES) for identity in identities(text)}
    for pattern in packs.load(packs.bundled()).patterns:
        known.update(identity for text in (*pattern.fires, *pattern.spares) for identity in identities(text))
    held_out = every(Part.HELD_OUT)
    # Only where, never what: deal again (scripts/deal_examples.py) to drop it from the held-out lines.
    assert [f"{s.language}/{s.tactic}.{row}" for s, row, text in held_out if identities(text) & known] == []


def test_no_held_out_line_is_an_example_written_twice() -> None:
    for language in suites.languages(Part.HELD_OUT):
        held_out = [(s, row, text) for s, row, text in every(Part.HELD_OUT) if s.language == language]
        examples = [text for s, _, text in every(Part.EXAMPLES) if s.language == language]
        pairs = near_pairs([text for _, _, text in held_out], examples)
        assert sorted({f"{held_out[i][0].tactic}.{held_out[i][1]}" for i, _ in pairs}) == []


def test_examples_are_not_read_as_packs(tmp_path: Path) -> None:
    assert not [name for name, _ in packs.bundled() if "examples" in name]
    (tmp_path / "en" / "examples").mkdir(parents=True)
    (tmp_path / "en" / "dare.yaml").write_text("label: dare")
    (tmp_path / "en" / "examples" / "dare.yaml").write_text("tactic: dare")
    assert [name for name, _ in packs.from_folder(tmp_path)] == ["en/dare.yaml"]


# -- the functions -----------------------------------------------------------------------------------------------


def test_the_part_depends_on_language_tactic_and_line_alone() -> None:
    # Fixed for ever: a change here deals the suite anew.
    dealt = [part_of("en", "dare", f"line {number}") for number in range(12)]
    assert [number for number, part in enumerate(dealt) if part is Part.HELD_OUT] == [1, 3, 9]
    assert part_of("en", "dare", "  LINE 3 ") is dealt[3]
    many = [f"a line with the number {number}" for number in range(3000)]
    share = sum(part_of("en", "dare", text) is Part.HELD_OUT for text in many) / len(many)
    assert 0.30 < share < 0.37
    assert any(part_of("en", "dare", text) != part_of("es", "dare", text) for text in many)
    assert any(part_of("en", "dare", text) != part_of("en", "threat", text) for text in many)


def test_a_line_is_known_by_what_the_detectors_make_of_it() -> None:
    assert folded("  Nice\tGAME ") == "nice game"
    assert identities("n1ce   GAME") & identities("nice game")
    assert not identities("nice game") & identities("nice gate")


def jaccard(a: str, b: str) -> float:
    return len(runs(a) & runs(b)) / len(runs(a) | runs(b))


def test_near_pairs_are_all_pairs_above_the_limit() -> None:
    these = ["would you turn the music up please", "hi", "n1ce game", "completely different words"]
    those = [
        "would u turn the music up please",
        "hi!",
        "nice game",
        "turn it down",
        "would you turn the music up pleas",
    ]
    found = near_pairs(these, those)
    expected = {(i, j) for i, a in enumerate(these) for j, b in enumerate(those) if jaccard(a, b) >= NEAR}
    assert expected | {(2, 2)} == set(found)
    assert (0, 4) in found
    assert near_pairs([], those) == near_pairs(these, []) == []


# -- the script --------------------------------------------------------------------------------------------------


def stage(folder: Path, rows: list[dict[str, object]], tactic: str = "dare", language: str = "en") -> Path:
    path = folder / language / f"{tactic}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"tactic": tactic, "language": language, "rows": rows}))
    return folder


def row(identifier: str, examples: list[str], expected: str = "fires") -> dict[str, object]:
    return {"id": identifier, "what": "made up", "expected": expected, "examples": examples}


def of_part(part: Part, word: str, count: int) -> list[str]:
    """Invented lines that fall into a part; no two of them are alike."""
    made = (f"{word} {hashlib.sha256(f'{word}{number}'.encode()).hexdigest()[:20]}" for number in range(10_000))
    found = (text for text in made if part_of("en", "dare", text) is part)
    return [next(found) for _ in range(count)]


def test_dealing_keeps_rows_and_drops_what_leaks(deal: ModuleType, tmp_path: Path) -> None:
    held = of_part(Part.HELD_OUT, "jumps", 3)
    kept = of_part(Part.EXAMPLES, "sang", 4)
    only = of_part(Part.HELD_OUT, "stays", 1)
    twin = held[0] + "!"
    while part_of("en", "dare", twin) is Part.HELD_OUT:
        twin += "!"
    stage(tmp_path, [row("mixed", [*held, *kept, kept[0].upper(), twin]), row("gone", only, "spares")])
    suites_read = deal.read(tmp_path / "en")
    dealt = deal.deal(suites_read, [only[0].upper()])
    assert dealt.repeated == 1
    assert dealt.dropped == 2, "the twin's, and the one that the packs know"
    assert dealt.near >= 2
    assert [(r.id, set(r.examples)) for r in dealt.held_out[0].rows] == [("mixed", set(held[1:]))]
    assert [(r.id, set(r.examples)) for r in dealt.examples[0].rows] == [("mixed", {*kept, twin})]


def test_the_script_writes_both_parts_and_prints_no_line(
    deal: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = of_part(Part.HELD_OUT, "walrus", 5) + of_part(Part.EXAMPLES, "pelican", 5)
    stage(tmp_path / "stage", [row("animals", texts), row("again", [texts[0]], "spares")])
    package = tmp_path / "package"
    run = running(deal, monkeypatch, tmp_path / "stage", package)
    assert run("--check") == 0
    assert not package.exists()
    assert run() == 0
    held_out = suites.parse("h", (package / "evaluate/suites/en/dare.yaml").read_text())
    examples = suites.parse("e", (package / "packs/en/examples/dare.yaml").read_text())
    assert {text for r in (*held_out.rows, *examples.rows) for text in r.examples} == set(texts)
    first = (package / "evaluate/suites/en/dare.yaml").read_bytes()
    assert run("--language", "en") == 0
    assert (package / "evaluate/suites/en/dare.yaml").read_bytes() == first
    printed = "".join(capsys.readouterr())
    assert "walrus" not in printed
    assert "dare.again and dare.animals" in printed


def running(deal: ModuleType, monkeypatch: pytest.MonkeyPatch, stage: Path, package: Path) -> Callable[..., int]:
    def run(*more: str) -> int:
        monkeypatch.setattr(sys, "argv", ["deal_examples.py", str(stage), "--package", str(package), *more])
        result: int = deal.main()
        return result

    return run


def test_a_broken_file_stops_the_deal_with_its_place(
    deal: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage(tmp_path, [row("a", ["x"], "fire")])
    assert running(deal, monkeypatch, tmp_path, tmp_path / "package")() == 1
    assert "en/dare.yaml: row `a`.expected" in capsys.readouterr().err
    stage(tmp_path, [row("a", ["x"])])
    (tmp_path / "en/dare.yaml").rename(tmp_path / "en/dares.yaml")
    with pytest.raises(SuiteError, match="Rename the file"):
        deal.read(tmp_path / "en")
