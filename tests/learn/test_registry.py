"""Who may put a model in force, what stands in the ledger, and that it cannot be rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from upstander.learn.registry import APPROVED, Gate, Registry, RegistryError

MET = (Gate("verdicts", "60", "at least 50", True),)
FAILED = (Gate("verdicts", "3", "at least 50", False),)


def test_two_people_put_a_model_in_force_and_one_takes_it_back(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    assert registry.current() == ""
    first, second = registry.add(b"one", "", MET), registry.add(b"two", "", MET)
    for name in (first, second):
        registry.propose(name, "Ada")
        assert registry.current() != name
        registry.approve(name, "Grace")
        assert registry.current() == name
    assert registry.current_bytes() == b"two"
    registry.roll_back("Ada", "too many alerts")
    assert registry.current_bytes() == b"one"
    registry.roll_back("Ada", "still too many")
    assert registry.current() == ""
    with pytest.raises(RegistryError, match="nothing to roll back"):
        registry.roll_back("Ada", "again")


def test_the_same_person_cannot_approve(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    name = registry.add(b"one", "", MET)
    registry.propose(name, "Ada")
    with pytest.raises(RegistryError, match="someone else"):
        registry.approve(name, " ada ")
    assert registry.current() == ""


def test_a_model_that_fails_a_gate_is_not_even_proposed(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    name = registry.add(b"one", "", FAILED)
    with pytest.raises(RegistryError, match="fails its gates: verdicts"):
        registry.propose(name, "Ada")


def test_nothing_is_approved_that_was_not_proposed_or_was_rolled_back_since(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    name = registry.add(b"one", "", MET)
    with pytest.raises(RegistryError, match="not proposed"):
        registry.approve(name, "Grace")
    registry.propose(name, "Ada")
    registry.approve(name, "Grace")
    registry.roll_back("Ada", "no")
    with pytest.raises(RegistryError, match="not proposed"):
        registry.approve(name, "Grace")


def test_a_changed_model_is_refused(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    name = registry.add(b"one", "", MET)
    registry.propose(name, "Ada")
    registry.approve(name, "Grace")
    (tmp_path / "models" / f"{name}.safetensors").write_bytes(b"other")
    with pytest.raises(RegistryError, match="was changed after training"):
        registry.current_bytes()


def test_a_changed_ledger_is_found(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    name = registry.add(b"one", "", FAILED)
    registry.add(b"two", "", MET)
    text = registry.ledger.read_text()
    registry.ledger.write_text(text.replace('"met":false', '"met":true'))
    with pytest.raises(RegistryError, match="the ledger was changed"):
        registry.propose(name, "Ada")
    registry.ledger.write_text(text.splitlines()[1] + "\n")
    with pytest.raises(RegistryError, match="does not follow"):
        registry.current()


@pytest.mark.parametrize("start", ["", "ab", "ffffffff"])
def test_a_name_must_be_clear(tmp_path: Path, start: str) -> None:
    registry = Registry(tmp_path)
    registry.add(b"one", "", MET)
    with pytest.raises(RegistryError, match="no single model"):
        registry.resolve(start)


def test_people_are_named(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    name = registry.add(b"one", "", MET)
    with pytest.raises(RegistryError, match="--by"):
        registry.propose(name, " ")
    registry.propose(name, "Ada")
    line = registry.approve(name, "Grace")
    assert (line.what, line.by) == (APPROVED, "Grace")
    assert line.account.startswith("uid ")
