"""The functional suite through the engine: what counts as fired, spared and obfuscated, and what the gates say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from upstander import runtime
from upstander.evaluate import functional
from upstander.evaluate.functional import Ear, Gate, Obfuscated, Report, gates, pooled, total
from upstander.evaluate.obfuscate import GENERATORS, Sent
from upstander.evaluate.proportions import Proportion
from upstander.evaluate.recorded import ChatError, Message, play, read
from upstander.evaluate.split import Part
from upstander.evaluate.suite_report import as_html, as_json
from upstander.evaluate.suites import Expected, Row, Suite
from upstander.model.vocabulary import AgeBand, Level, Tactic

PACK = """
label: secrecy
language: en
who: viewer
source: made up
patterns:
  - {id: shed, pattern: 'paint the shed', strength: 2.0}
  - {id: faint, pattern: 'mow the lawn', strength: 0.2}
"""


@pytest.fixture(scope="module")
def own() -> runtime.Runtime:
    """Engines that know two phrases: "paint the shed" (reaches notice) and "mow the lawn" (does not).

    Without a model, which would weigh them by what it learnt of other phrases."""
    configuration = runtime.current([("en/secrecy.yaml", PACK)])
    return runtime.Runtime(msgspec.structs.replace(configuration, paraphrase=""))


def suite(*rows: Row, language: str = "en") -> Suite:
    return Suite(Tactic.SECRECY, language, rows)


SUITE = suite(
    Row("plain", "plain words", Expected.FIRES, ("paint the shed", "please paint the shed now", "sweep the yard")),
    Row("twin", "in a garden", Expected.SPARES, ("paint the shed in here", "mow the lawn", "nice game")),
)


def report(own: runtime.Runtime, part: Part = Part.HELD_OUT, *suites: Suite) -> Report:
    return functional.run(suites or (SUITE,), part, own)


def test_recall_and_benign_firing_are_counted(own: runtime.Runtime) -> None:
    (result,) = report(own).results
    assert result.recall == Proportion(2, 3)
    assert result.missed_unseen == 1
    assert result.benign == Proportion(1, 3), "a tactic below notice is no alarm"
    assert result.own == Proportion(2, 3), "but it is counted as shown"
    assert [(row.id, row.right) for row in result.rows] == [("plain", Proportion(2, 3)), ("twin", Proportion(2, 3))]


def test_a_host_of_10_to_12_hears_each_line_as_the_first(own: runtime.Runtime) -> None:
    ear = Ear(own)
    first = ear.hear((Sent(0, "paint the shed"),), "en")
    assert first.level is Level.NOTICE
    assert first.tactics == {Tactic.SECRECY}
    assert [ear.hear((Sent(0, "paint the shed"),), "en") for _ in range(3)] == [first] * 3
    assert Ear(own, AgeBand.ADULT).hear((Sent(0, "paint the shed"),), "en").level is Level.CLEAR
    both = ear.hear((Sent(0, "nice game"), Sent(1, "paint the shed")), "en")
    assert both.tactics == {Tactic.SECRECY}


def test_a_fault_of_the_engine_is_not_counted_as_silence(own: runtime.Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("upstander.engine.engine.Engine.observe", fail)
    with pytest.raises(RuntimeError):
        report(own)


def test_obfuscated_recall_is_measured_on_the_lines_it_can_change(own: runtime.Runtime) -> None:
    found = report(own)
    (result,) = found.results
    assert set(result.obfuscated) == set(GENERATORS)
    for one in result.obfuscated.values():
        assert one.plain == Proportion(2, 3)
        assert one.changed.total == 3
    by_style = [one for name, one in result.styles.items() if name.startswith("spacing/")]
    assert sum(by_style, Obfuscated()) == result.obfuscated["spacing"]
    assert total(pooled(found.results).values()).plain.total == 3 * len(GENERATORS)
    assert Obfuscated(Proportion(4, 8), Proportion(3, 8)).ratio == 0.75
    assert Obfuscated().ratio == 0.0


def test_the_same_seed_gives_the_same_report(own: runtime.Runtime) -> None:
    assert report(own) == report(own)


def test_gates_are_about_english_held_out_lines(own: runtime.Runtime) -> None:
    found = gates(report(own))
    assert [gate.name for gate in found] == [
        "recall of secrecy", "benign firing beside secrecy", "obfuscated recall over plain",
    ]  # fmt: skip
    assert not found[0].met
    assert found[1] == Gate("benign firing beside secrecy", 1 / 3, functional.MAX_BENIGN, False)
    assert gates(report(own, Part.EXAMPLES)) == []
    assert gates(report(own, Part.HELD_OUT, suite(*SUITE.rows, language="es"))) == []
    good = suite(Row("plain", "plain words", Expected.FIRES, ("paint the shed",)))
    assert gates(report(own, Part.HELD_OUT, good))[0].met


def test_held_out_lines_are_in_no_report(own: runtime.Runtime) -> None:
    held_out, examples = report(own), report(own, Part.EXAMPLES)
    assert [row.failures for row in held_out.results[0].rows] == [(), ()]
    assert [row.failures for row in examples.results[0].rows] == [("sweep the yard",), ("paint the shed in here",)]
    for shown in (as_html(held_out), str(as_json(held_out)), as_html(examples)):
        assert "sweep the yard" not in shown
        assert "shed in here" not in shown


def test_the_page_is_one_file_and_escapes_what_it_shows(own: runtime.Runtime) -> None:
    odd = suite(Row("plain", "<b>&", Expected.FIRES, ("paint the shed",)))
    page = as_html(report(own, Part.HELD_OUT, odd))
    assert "&lt;b&gt;&amp;" in page
    assert "<script" not in page
    assert "http" not in page


def test_proportions_show_their_interval() -> None:
    assert Proportion(9, 10).percent() == "90.0% (60-98)"
    assert Proportion().percent() == "-"
    assert Proportion().interval == (0.0, 1.0)
    assert Proportion(1, 2) + Proportion(2, 3) == Proportion(3, 5)


# -- recorded chat -----------------------------------------------------------------------------------------------


def recording(folder: Path, *lines: str) -> Path:
    path = folder / "chat.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_recorded_chat_is_played_and_alerts_are_explained(own: runtime.Runtime, tmp_path: Path) -> None:
    path = recording(
        tmp_path,
        '{"author": "a", "text": "nice game"}',
        "",
        '{"author": "b", "text": "mow the lawn", "t_ms": 1770000005000}',
        '{"author": "c", "text": "paint the shed", "channel": "kept and ignored"}',
        '{"author": "d", "text": "pa1nt the sh3d"}',
    )
    assert list(read(path))[1] == (3, Message("b", "mow the lawn", 1770000005000))
    played = play([path], own, AgeBand.FROM_10_TO_12)
    assert played.messages == 4
    assert played.at_least(Level.NOTICE) == Proportion(2, 4)
    assert played.levels["clear"] == 1
    assert [(alert.line, alert.text, alert.views, alert.folded_only) for alert in played.alerts] == [
        (4, "paint the shed", ("raw",), False),
        (5, "pa1nt the sh3d", ("folded",), True),
    ]
    assert all(alert.reasons for alert in played.alerts)
    assert play([path], own, AgeBand.UNKNOWN).at_least(Level.NOTICE).hits == 0


@pytest.mark.parametrize(
    "line", ['{"author": "a"}', "no json", '{"author": "a", "text": 1}', '{"author":"","text":""}']
)
def test_a_bad_line_of_a_recording_is_named(own: runtime.Runtime, tmp_path: Path, line: str) -> None:
    path = recording(tmp_path, '{"author": "a", "text": "x"}', line)
    with pytest.raises(ChatError, match=r"chat\.jsonl:2: .*A line is"):
        play([path], own, AgeBand.UNKNOWN)
