"""``upstander evaluate suite`` and ``upstander evaluate chat``: outputs, gates, and what is not shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from upstander.cli.evaluate import SUBCOMMANDS
from upstander.cli.evaluate import command as evaluate
from upstander.cli.evaluate_chat import command as chat
from upstander.cli.evaluate_suite import HELD_OUT_NOTE
from upstander.cli.evaluate_suite import command as suite
from upstander.evaluate import suites
from upstander.evaluate.obfuscate import GENERATORS
from upstander.evaluate.split import Part
from upstander.model.vocabulary import Tactic


def run(*arguments: str) -> Result:
    return CliRunner().invoke(suite, list(arguments))


def test_both_are_subcommands_of_evaluate() -> None:
    assert {"suite", "chat"} <= set(SUBCOMMANDS)
    result = CliRunner().invoke(evaluate, ["suite", "--help"])
    assert result.exit_code == 0
    assert "Examples:" in result.output


def test_json_has_every_figure_and_the_exit_status_is_the_gates() -> None:
    result = run("--language", "en", "--tactic", "secrecy", "--json")
    found = json.loads(result.stdout)
    assert (found["part"], found["seed"]) == ("held_out", 0)
    assert set(found["versions"]) >= {"engine", "packs", "policy"}
    tactic = found["languages"]["en"]["tactics"]["secrecy"]
    assert set(tactic["recall"]) == {"hits", "total", "share", "interval"}
    assert set(tactic["by_generator"]) == set(GENERATORS)
    assert {row["expected"] for row in tactic["rows"]} == {"fires", "spares"}
    assert result.exit_code == (0 if all(gate["met"] for gate in found["gates"]) else 1)
    assert "failures" not in found
    assert run("--language", "en", "--tactic", "secrecy", "--no-gates").exit_code == 0


@pytest.fixture(scope="module")
def whole() -> Result:
    """All of a language, with what failed; of German, which has far fewer lines than English."""
    return run("--language", "de", "--no-gates", "--failures")


def held_out(language: str, *tactics: str) -> list[str]:
    chosen = [one for one in suites.load(Part.HELD_OUT, language) if not tactics or one.tactic in tactics]
    assert chosen
    return [text for one in chosen for row in one.rows for text in row.examples]


def test_every_tactic_is_in_the_table(whole: Result) -> None:
    assert whole.exit_code == 0
    for name in (*Tactic, *GENERATORS):
        assert name in whole.output


def test_failures_never_show_a_held_out_text(whole: Result) -> None:
    # Short lines may be words of the output itself; the number of lines that are shown says enough.
    assert sum(text in whole.output for text in held_out("de") if len(text) > 15) == 0
    assert HELD_OUT_NOTE in whole.output


def test_failures_as_json_never_show_a_held_out_text() -> None:
    result = run("--language", "de", "--no-gates", "--failures", "--json", "--tactic", "meet_up")
    assert sum(text in result.output for text in held_out("de", "meet_up") if len(text) > 15) == 0
    failures = json.loads(result.stdout)["failures"]
    assert failures
    assert all(set(row) == {"id", "expected", "wrong", "of"} for rows in failures.values() for row in rows)


def test_failures_of_examples_are_shown() -> None:
    chosen = ("--language", "fr", "--part", "examples", "--tactic", "deception", "--failures")
    shown = run(*chosen, "--json")
    texts = {text for one in suites.load(Part.EXAMPLES, "fr") for row in one.rows for text in row.examples}
    failures = json.loads(shown.stdout)["failures"]
    listed = [text for rows in failures.values() for row in rows for text in row["texts"]]
    assert set(listed) <= texts
    plain = run(*chosen)
    assert HELD_OUT_NOTE not in plain.output
    assert "no gates" in plain.output
    assert all(text in plain.output for text in listed[:20])


def test_the_page_is_written(tmp_path: Path) -> None:
    page = tmp_path / "suite.html"
    assert run("--language", "en", "--tactic", "dare", "--no-gates", "--html", str(page)).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")
    nowhere = run("--language", "en", "--tactic", "dare", "--no-gates", "--html", str(tmp_path / "no" / "x.html"))
    assert nowhere.exit_code == 2
    assert "x.html" in nowhere.output


def test_an_unknown_language_is_a_clear_mistake() -> None:
    result = run("--language", "xx")
    assert result.exit_code == 2
    assert "no held_out lines in `xx`" in result.output


def test_chat_counts_for_both_hosts_and_keeps_its_gates(tmp_path: Path) -> None:
    quiet, loud = tmp_path / "quiet.jsonl", tmp_path / "loud.jsonl"
    quiet.write_text('{"author": "a", "text": "nice game"}\n' * 50)
    loud.write_text(quiet.read_text() + '{"author": "b", "text": "are your parents home"}\n' * 3)
    calm = CliRunner().invoke(chat, [str(quiet), "--json"])
    found = json.loads(calm.stdout)
    assert calm.exit_code == 0
    assert found["hosts"]["unknown"]["messages"] == found["hosts"]["10_12"]["messages"] == 50
    assert found["hosts"]["10_12"]["per_10000_interval"][0] == 0
    assert "list" not in found["hosts"]["unknown"]

    alarmed = CliRunner().invoke(chat, [str(quiet), str(loud), "--json", "--show"])
    found = json.loads(alarmed.stdout)
    assert alarmed.exit_code == 1
    assert False in found["gates"].values()
    assert found["hosts"]["10_12"]["list"][0]["text"] == "are your parents home"
    shown = CliRunner().invoke(chat, [str(loud), "--show", "--no-gates"])
    assert shown.exit_code == 0
    assert "loud.jsonl:51" in shown.output
    assert "not met" in shown.output


def test_chat_names_what_it_cannot_read(tmp_path: Path) -> None:
    bad, empty = tmp_path / "bad.jsonl", tmp_path / "empty.jsonl"
    bad.write_text('{"author": "a"}\n')
    empty.write_text("\n")
    result = CliRunner().invoke(chat, [str(bad)])
    assert result.exit_code == 2
    assert "bad.jsonl:1" in result.output
    result = CliRunner().invoke(chat, [str(empty)])
    assert result.exit_code == 2
    assert "hold no message" in result.output
