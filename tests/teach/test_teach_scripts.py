"""The engine sees every annotated tactic in time, and says nothing graver than notice of benign scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from upstander import runtime
from upstander.model.vocabulary import Level
from upstander.teach.classroom import Classroom, Refusal
from upstander.teach.reading import TeachError
from upstander.teach.scripts import KIND, Choice, Script, read_script, shipped
from upstander.teach.watching import LEVELS, Watch, compare

ALL = list(shipped().items())


@pytest.fixture(scope="module")
def engine() -> runtime.Runtime:
    return runtime.Runtime(runtime.current())


def watched(engine: runtime.Runtime, script: Script) -> Watch:
    watch = Watch(engine, script, f"{script.story.language}-{script.name}", "GB")
    watch.up_to(len(script.steps))
    watch.close()
    return watch


@pytest.mark.parametrize(("key", "script"), ALL, ids=["-".join(key) for key, _ in ALL])
def test_every_annotated_tactic_is_seen_at_or_before_its_moment(
    engine: runtime.Runtime, key: tuple[str, str], script: Script
) -> None:
    watch = watched(engine, script)
    seen: set[str] = set()
    missed = []
    for index, step in enumerate(script.steps):
        if index in watch.seen:
            seen |= {*watch.seen[index].tactics, *watch.seen[index].maybe}
        missed += [(index, str(tactic)) for tactic in step.teaching.shows if tactic not in seen]
    assert missed == []
    assert script.story.benign or len({tactic for step in script.steps for tactic in step.teaching.shows}) >= 3


@pytest.mark.parametrize("key", [key for key, script in ALL if script.story.benign], ids="-".join)
def test_a_benign_script_raises_nothing_above_notice(engine: runtime.Runtime, key: tuple[str, str]) -> None:
    levels = {each.level for each in watched(engine, shipped()[key]).seen.values()}
    assert levels <= {Level.CLEAR.word, Level.NOTICE.word}


@pytest.mark.parametrize("key", [key for key, script in ALL if not script.story.benign], ids="-".join)
def test_a_script_with_pressure_becomes_urgent_and_shows_the_host_a_card(
    engine: runtime.Runtime, key: tuple[str, str]
) -> None:
    watch = watched(engine, shipped()[key])
    assert max(LEVELS.index(each.level) for each in watch.seen.values()) >= Level.URGENT
    assert watch.card is not None
    assert watch.card.language == key[0]


def test_watching_in_pieces_is_watching_at_once(engine: runtime.Runtime) -> None:
    script = shipped()["en", "late-music"]
    whole, pieces = watched(engine, script), Watch(engine, script, "pieces")
    for position in (3, 3, 9, 14, len(script.steps)):
        pieces.up_to(position)
    assert pieces.seen == whole.seen


def test_the_comparison_says_who_saw_what(engine: runtime.Runtime) -> None:
    script = shipped()["en", "dragon-drawing"]
    room = Classroom(script)
    tokens = [room.join() for _ in range(6)]
    room.start()
    while room.position < 15:
        room.step()
        if room.point is not None:
            room.go_on()
    for token in tokens:
        room.tag(token, 9, "praise_hook")
        room.tag(token, 11, KIND)
    room.tag(tokens[0], 4, "dare")
    watch = watched(engine, script)
    rows = {row.line.index: row for row in compare(script, watch, room.results(), room.position).rows}
    assert rows[9].agree == "agree_yes"
    assert rows[9].tags == {"praise_hook": 6}
    assert rows[4].agree == "agree_class"
    assert rows[12].agree == "agree_engine"
    assert rows[11].agree == ""
    assert max(rows) < room.position
    without = compare(script, None, room.results(), room.position)
    assert (without.highest, without.card) == ("clear", None)


# -- the class, without a server -----------------------------------------------------------------------------------


def test_a_class_goes_through_its_phases_and_refuses_what_does_not_fit() -> None:
    room = Classroom(shipped()["en", "dance-dares"])
    pupil = room.join()
    for wrong in (room.step, room.go_on, room.pause, room.look_back):
        with pytest.raises(Refusal):
            wrong()
    with pytest.raises(Refusal):
        room.choose(pupil, Choice.TELL)
    room.start()
    while room.point is None:
        room.step()
    assert room.phase == "choosing"
    room.choose(pupil, Choice.IGNORE)
    room.choose(pupil, Choice.TELL)
    room.pause(freeze=True)
    with pytest.raises(Refusal):
        room.tag(pupil, 16, "dare")
    room.start()
    assert room.phase == "choosing", "a freeze does not skip the choice"
    assert room.results().choices == {0: {Choice.TELL: 1}}
    assert room.go_on() == 0
    with pytest.raises(Refusal):
        room.tag(pupil, 1, "dare")
    with pytest.raises(Refusal):
        room.tag(pupil, 999, "dare")
    room.tag(pupil, 16, "dare")
    room.tag(pupil, 16, None)
    assert room.results().tags == {}
    while room.phase != "ended":
        room.step()
        if room.point is not None:
            room.go_on()
    room.look_back()
    room.end()
    assert room.pupils == {}
    with pytest.raises(Refusal):
        room.join()


def test_codes_have_no_letters_that_look_alike() -> None:
    codes = {Classroom(shipped()["en", "pet-show"]).code for _ in range(50)}
    assert len(codes) == 50
    assert not set("".join(codes)) & set("01OIL")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda story: story.replace("after: 14", "after: 400"), "a point comes after event 400"),
        (lambda story: story.replace("tags: [praise_hook,", "tags: [flattery,"), "is no tactic"),
        (lambda story: story.replace("animal: fox", "animal: wolf"), "animal"),
    ],
)
def test_a_script_that_does_not_fit_together_is_refused(tmp_path: Path, change: object, message: str) -> None:
    source = shipped()["en", "dragon-drawing"].path
    (tmp_path / "en").mkdir()
    events = tmp_path / "en" / source.name
    events.write_bytes(source.read_bytes())
    story = source.with_suffix(".yaml").read_text(encoding="utf-8")
    events.with_suffix(".yaml").write_text(change(story), encoding="utf-8")  # type: ignore[operator]
    with pytest.raises(TeachError, match=message):
        read_script(events)


def test_scripts_are_wire_events_that_replay_takes(tmp_path: Path) -> None:
    for (_, _), script in ALL:
        for line in script.path.read_text(encoding="utf-8").splitlines():
            assert {"type", "id", "at", "broadcast"} <= set(json.loads(line))
