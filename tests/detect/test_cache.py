"""What is kept in a folder: whole or not at all, and never without limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from upstander.detect import cache
from upstander.detect.cache import keep, kept


def test_what_was_kept_comes_back_and_what_was_damaged_does_not(tmp_path: Path) -> None:
    path = tmp_path / "made" / "a"
    assert kept(path) is None
    keep(path, b"body")
    assert kept(path) == b"body"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert kept(path) is None


def test_what_was_used_longest_ago_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 3_500)
    for age, name in ((30, "old"), (20, "middle"), (10, "young")):
        keep(tmp_path / name, bytes(1_000))
        os.utime(tmp_path / name, (1_700_000_000 - age,) * 2)
    assert kept(tmp_path / "old") is not None, "it is used once more"
    keep(tmp_path / "new", bytes(1_000))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old", "young"]
    keep(tmp_path / "huge", bytes(9_000))
    assert [path.name for path in tmp_path.iterdir()] == ["huge"], "what was just made stays"
