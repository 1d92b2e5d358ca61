"""The pack linter: everything that is wrong, at once, each with its place; hostile patterns refused in bounded time."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from upstander.detect import backtracking, expressions, lint, packs, probe
from upstander.detect.cache import cache_folder
from upstander.detect.packs import PackError

SNAPSHOTS = Path(__file__).parent / "snapshots"
HEAD = """\
label: secrecy
language: en
who: viewer
source: "a test"
patterns:
"""


def entry(
    identifier: str = "quiet",
    pattern: str = r"\bkeep it quiet\b",
    fires: tuple[str, ...] = ("keep it quiet", "pls keep it quiet", "keep it quiet ok"),
    spares: tuple[str, ...] = ("a quiet room", "be quick"),
    more: str = "",
) -> str:
    lists = "".join(
        f"    {key}:\n" + "".join(f"      - '{text}'\n" for text in texts)
        for key, texts in (("fires", fires), ("spares", spares))
        if texts
    )
    return f"  - id: {identifier}\n    pattern: '{pattern}'\n    strength: 2\n{more}{lists}"


def rendered(report: lint.Report) -> str:
    counts = "".join(f"{c.language} {c.label} {c.patterns} {c.fires}/{c.spares}\n" for c in report.counts)
    # What a process measured differs from run to run.
    text = re.sub(r"\d+\.\d+ s\b", "N s", "\n\n".join(f.render() for f in report.findings))
    return f"{text}\n\n{report.of('error')} errors, {report.of('warning')} warnings\n{counts}"


def compare(name: str, text: str) -> None:
    """Against a file under ``snapshots``; UPSTANDER_SNAPSHOTS=write writes it anew."""
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPSTANDER_SNAPSHOTS") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


CASES = {
    "keys_labels_languages": [
        ("en/a.yaml", "label: secrcy\nlanguage: english\nwho: viewr\nsorce: 'a test'\npatterns:\n" + entry()),
        ("en/b.yaml", HEAD + entry(more="    strenght: 3\n    strength: 4\n") + entry("Loud!")),
        ("en/c.yaml", "language: xx\n" + HEAD.replace("language: en\n", "").replace("'a test'", "") + entry()),
        ("en/d.yaml", "just a text\n"),
        ("en/e.yaml", HEAD + "  - id: [\n"),
        ("en/f.yaml", HEAD + "  - quiet\n" + entry("when", more="    note: 2024-99-99\n")),
        ("en/g.yaml", HEAD.replace("patterns:\n", "patterns: []\n")),
        ("en/h.yaml", HEAD + "  - id: lists\n    pattern: 'some words'\n    strength: 1\n    fires: [1, 'x']\n"),
    ],
    "expressions": [
        (
            "en/a.yaml",
            HEAD
            + entry("capitals", r"\bkeep It quiet\b")
            + entry("unbounded", "keep .* quiet")
            + entry("quoted", "don''t tell .+")
            + entry("back", r"(quiet|hush) and \1")
            + entry("around", "(?<!not )quiet")
            + entry("bracket", "keep (it quiet")
            + entry("nothing", "(?:keep it quiet)?")
            + entry("hostile", r"\bkeep (?:a|a){0,30}b")
            + entry("nested", r"(?:\w{1,12} ?){0,20}x")
            + entry("vast", r"(?:keep.{0,200}quiet){1,30}")
            + entry("long", "keep it quiet" * 90)
            + entry("unless", more="    unless:\n      - 'fine'\n      - '(?:x|x){0,40}y'\n"),
        )
    ],
    "examples": [
        (
            "en/a.yaml",
            HEAD
            + entry("silent", fires=("keep it quiet", "keep this quiet", "k e e p it quiet"))
            + entry(
                "called_off",
                r"\bour little secret\b",
                fires=("our little secret", "our little secret recipe", "its our little secret"),
                more="    unless:\n      - '\\brecipe\\b'\n",
            )
            + entry("fires_on_twin", r"\bhush\b", fires=("hush", "hush now", "so hush"), spares=("hush puppy", "no"))
            + entry("few", r"\btell nobody\b", fires=("tell nobody",), spares=()),
        )
    ],
    "repeats_and_shadows": [
        (
            "en/a.yaml",
            HEAD
            + entry("one", fires=("keep it quiet", "keep it quiet ok", "Keep it quiet"))
            + entry("same", r"\bkeep (?:it) quiet\b", fires=("so keep it quiet", "keep it quiet x", "keep it quiet u"))
            + entry("shadowed", r"\bkeep it quiet pls\b", fires=tuple(f"{x} keep it quiet pls" for x in "abc"))
            + entry("contrary", r"\bhush\b", ("hush", "hush now", "so hush"), ("pls hush", "keep it quiet"))
            + entry("letters", r"\bcaf[eé] a?ñ{1,2}o\b", fires=("cafe ano", "cafe ano x", "cafe ano y")),
        ),
        ("en/b.yaml", HEAD + entry("one", r"\bother words\b")),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_everything_is_found_at_once(name: str) -> None:
    compare(name, rendered(lint.check(CASES[name])))


def test_a_good_pack_has_no_problem() -> None:
    report = lint.check([("en/a.yaml", HEAD + entry())])
    assert report.findings == ()
    assert report.counts == (lint.Count("en", "secrecy", 1, 3, 2),)


def test_load_raises_the_first_of_what_check_finds() -> None:
    for sources in CASES.values():
        errors = [f.problem for f in lint.check(sources).findings if f.problem.severity == "error"]
        try:
            packs.load(sources)
        except PackError as error:
            assert (error.file, error.line, error.reason) in [(e.file, e.line, e.reason) for e in errors]


def test_the_packs_that_ship_have_no_error() -> None:
    report = lint.check(packs.bundled(), cache=cache_folder())
    assert [f.render() for f in report.findings if f.problem.severity == "error"] == []


HOSTILE = (
    "(?:a|a){0,30}b",
    r"(?:\w{1,12} ?){0,20}x",
    r"\bdo (?:(?:it|i) ?t?){0,25}now",
    "(?:a?a?){1,20}b",
    "(?:a{0,3}){0,12}b",
    r"(?:.{0,100}x){0,30}y",
    r"(?:(?:foo|fo)o?){0,20}b",
    ".{0,40}.{0,40}.{0,40}x",
    r"(?:[a-z]{1,8}[\w ]{0,8}){1,8}!",
    "(?:x{0,500}y){1,20}",
)


@pytest.mark.parametrize("expression", HOSTILE)
def test_a_hostile_pattern_is_refused_by_the_loader_at_once(expression: str) -> None:
    expressions.fault.cache_clear()
    began = time.process_time()
    with pytest.raises(PackError, match=r"a\.yaml:7: the pattern of `quiet`"):
        packs.load([("a.yaml", HEAD + entry(pattern=expression))])
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "expression",
    [
        r"\b(?:you |your |u r ){0,20}pretty\b",
        r"\b(?:\w{1,12} ){0,6}quiet\b",
        ".{0,40}keep.{0,40}quiet.{0,40}",
        r"\b(?:tell|telling|told) (?:no ?one|nobody|any ?(?:one|body))\b",
        r"\b(?:so |very |really |such a ){0,3}(?:pretty|cute|nice)\b",
    ],
)
def test_an_ordinary_pattern_is_not_taken_for_a_hostile_one(expression: str) -> None:
    assert expressions.fault(expression) is None
    assert probe.try_one(probe.Question(expression, True)).search_s < probe.SEARCH_LIMIT_S


@pytest.mark.parametrize("expression", ["(?:a|a){0,11}b", r"(?:\w{1,3} ?){0,4}x", "a{0,9}b?a{0,9}c", "(?:ab?){0,9}c"])
def test_the_bound_is_never_below_what_is_found(expression: str) -> None:
    tree = backtracking.parse(expression)
    assert backtracking.bound(tree).steps >= backtracking.worst(tree, 10**7).steps > 1


def test_steps_are_the_ways_there_are() -> None:
    """Every round of two ways doubles them."""
    for count in (8, 16):
        tree = backtracking.parse(f"(?:a|a){{0,{count}}}b")
        assert backtracking.worst(tree, 10**9).steps == 2 ** (count + 1)


def test_a_pattern_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the count does not see, the clock does: the process is ended and the next pattern is tried."""
    monkeypatch.setattr(probe, "PATIENCE_S", 1.0)
    questions = [probe.Question("(?:a|a){0,40}b", False), probe.Question("keep it quiet", True)]
    began = time.monotonic()
    answers = probe.measure(questions, workers=1)
    assert "no answer" in answers[0].failed
    assert answers[1].failed == ""
    assert answers[1].database > 0
    assert time.monotonic() - began < 30


def test_what_takes_too_long_by_the_clock_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "MAX_STEPS", 10**9)
    expressions.fault.cache_clear()
    try:
        report = lint.check([("en/a.yaml", HEAD + entry(pattern=".{0,40}.{0,40}.{0,40}quiet"))])
    finally:
        expressions.fault.cache_clear()
    (finding,) = report.findings
    assert finding.problem.severity == "error"
    assert "on a long text such as" in finding.problem.reason
