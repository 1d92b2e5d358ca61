"""Verdicts become labelled lines, unalerted broadcasts are sampled, and the whole way to a model in force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from strategies import START, event
from upstander import runtime
from upstander.cli import group
from upstander.detect import examples
from upstander.gateway.configuration import configuration_of
from upstander.journal import store
from upstander.journal.entries import Entry, Kind, reference
from upstander.learn import sample, verdicts
from upstander.learn.registry import Registry
from upstander.model.decision import encode_decision
from upstander.settings import PresetSettings, Settings

LINES = {
    "e1": ("v", "are your parents home"),
    "e2": ("w", "dont tell your mom about me"),
    "e3": ("x", "nice drawing"),
    "e4": ("y", "could the grown ups hear us from there"),
}


def journal(folder: Path, judged: list[dict[str, object]]) -> Path:
    """A journal of one child's broadcast with the lines above, a quiet one, and verdicts."""
    watcher = runtime.Runtime(runtime.current())
    path = folder / "journal.sqlite"
    connection = store.open_store(path)
    entries: list[Entry] = []
    events: list[dict[str, object]] = [
        {"type": "broadcast_started", "id": "s", "host": "h", "host_age_band": "10_12", "broadcast": "b"},
        {"type": "broadcast_started", "id": "q", "host": "h2", "host_age_band": "10_12", "broadcast": "quiet"},
    ]
    events += [
        {"type": "comment", "id": name, "actor": who, "text": text, "broadcast": "b"}
        for name, (who, text) in LINES.items()
    ]
    events += [{"type": "verdict", "broadcast": "b"} | verdict for verdict in judged]
    for number, fields in enumerate(events):
        made = fields | {"at": START + number * 1000}
        body = json.dumps(made).encode()
        key = reference("p", str(made["broadcast"]), str(made["id"]))
        entries.append(Entry(Kind.EVENT, body, START, "p", str(made["broadcast"]), key))
        kind = str(made.pop("type"))
        decision = watcher.observe("p", event(kind, number, START + number * 1000, str(made["broadcast"]), **{
            name: value for name, value in made.items() if name not in ("at", "broadcast")
        }))  # fmt: skip
        if decision is not None:
            entries.append(Entry(Kind.DECISION, encode_decision(decision), START, "p", str(made["broadcast"]), key))
    store.write(connection, store.head(connection), entries, [])
    connection.close()
    return path


def verdict(number: int, about: str, outcome: str, who: str = "mod", **fields: object) -> dict[str, object]:
    return {"id": f"j{number}", "actor": who, "decision": about, "outcome": outcome} | fields


def test_verdicts_become_labelled_lines(tmp_path: Path) -> None:
    path = journal(
        tmp_path,
        [
            verdict(1, "e1", "harmful"),
            verdict(2, "e2", "benign", "other"),
            verdict(3, "e4", "harmful", tactics=["supervision_probe"]),
            verdict(4, "e3", "unsure"),
            verdict(5, "s", "benign"),
        ],
    )
    found = verdicts.read(store.connect(path, readonly=True))
    assert {line.text: set(line.tactics) for line in found.judged} == {
        LINES["e1"][1]: {"supervision_probe"},
        LINES["e2"][1]: set(),
        LINES["e4"][1]: {"supervision_probe"},
    }
    assert found.moderators == 2
    assert found.skipped == {"unsure": 1, "the event has no words": 1}
    learned = verdicts.examples_of(found.judged)
    assert ("secrecy", False) in {(e.tactic, e.shows) for e in learned if e.text == LINES["e2"][1]}


def test_the_last_verdict_counts_and_a_tie_teaches_nothing(tmp_path: Path) -> None:
    path = journal(tmp_path, [verdict(1, "e1", "harmful"), verdict(2, "e1", "benign")])
    found = verdicts.read(store.connect(path, readonly=True))
    assert [set(line.tactics) for line in found.judged] == [set()]
    one = found.judged[0]
    other = verdicts.Judged(one.text, frozenset({"secrecy"}), frozenset(), "m2", "", "e9")
    assert verdicts.examples_of((one, other)) == []


def test_only_broadcasts_that_raised_nothing_are_sampled(tmp_path: Path) -> None:
    connection = store.connect(journal(tmp_path, []), readonly=True)
    drawn = sample.draw(connection, 5, 0, "seed")
    assert drawn.drawn == (("p", "quiet"),)
    assert (drawn.unalerted, drawn.alerted) == (1, 1)
    assert sample.draw(connection, 5, 0, "seed") == drawn
    assert sample.draw(connection, 5, START + 10**9, "seed").drawn == ()


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(group, list(arguments))
    return result.exit_code, result.output


def test_a_model_on_too_few_verdicts_fails_its_gates_and_cannot_be_promoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A tenth of the examples is enough to see the way it goes, and takes seconds.
    small = [example for number, example in enumerate(examples.bundled()) if number % 10 == 0]
    monkeypatch.setattr(examples, "bundled", lambda: small)
    journal(tmp_path, [verdict(1, "e1", "harmful"), verdict(2, "e2", "harmful")])
    status, output = run("learn", "train", "--data", str(tmp_path), "--json")
    assert status == 1
    found = json.loads(output.splitlines()[-1])
    assert {gate["name"] for gate in found["comparison"]["gates"] if not gate["met"]} >= {"verdicts"}
    status, output = run("learn", "promote", found["model"][:8], "--by", "Ada", "--data", str(tmp_path))
    assert status != 0
    assert "fails its gates" in output
    assert run("learn", "status", "--data", str(tmp_path))[0] == 0
    # Put it in force past the gates, by hand: the service then decides with it, and the journal says so in full.
    registry = Registry(tmp_path)
    name = registry.add(registry.read(found["model"]), "by hand", ())
    registry.propose(name, "Ada")
    registry.approve(name, "Grace")
    configuration = configuration_of(Settings(data=str(tmp_path)))
    assert configuration.paraphrase == name
    assert configuration.model
    assert configuration.runs_here
    assert runtime.Runtime(configuration).detector.paraphrase is not None
    assert run("learn", "rollback", "--by", "Ada", "--reason", "test", "--data", str(tmp_path))[0] == 0
    assert configuration_of(Settings(data=str(tmp_path), presets=PresetSettings(("none",)))) == runtime.current()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("learn", "train"), "there is no journal"),
        (("learn", "sample"), "there is no journal"),
        (("learn", "approve", "abcd", "--by", "Ada"), "no single model"),
        (("learn", "rollback", "--by", "Ada", "--reason", "x"), "nothing to roll back"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    status, output = run(*arguments, "--data", str(tmp_path))
    assert status == 2
    assert said in output
