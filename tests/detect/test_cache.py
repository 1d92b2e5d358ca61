"""What is kept in a folder: whole or not at all, and never without limit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from upstander.detect import cache, packs
from upstander.detect.cache import alone, keep, kept
from upstander.detect.matcher import Matcher
from upstander.detect.normalise import views


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


def test_two_processes_do_not_make_the_same_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from upstander.detect.cache import alone\n"
        "with alone(Path(sys.argv[1])): print('in', flush=True)"
    )
    with alone(tmp_path):
        other = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(1.5)
    assert other.communicate(timeout=60)[0] == "in\n"


def test_a_folder_that_cannot_be_locked_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with alone(tmp_path / "file"):
        pass


def test_a_pack_set_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "label: dare\nlanguage: en\nwho: viewer\nsource: x\n"
    pack_set = packs.load([("en/dare.yaml", head + "patterns: [{id: a, pattern: zzz, strength: 2, fires: [zzz]}]\n")])
    made = []
    compile_ = Matcher._compile
    monkeypatch.setattr(Matcher, "_compile", lambda self, ids: made.append(ids) or compile_(self, ids))
    for _ in range(2):
        matcher = Matcher(pack_set, tmp_path)
        assert matcher.fires_in("zzz")
        assert [hit.pattern.name for hit in matcher.scan("a zzz", views("a zzz"), "viewer")] == ["en.dare.a"]
    assert made == [[0], [0]], "all patterns, and the clear ones"
