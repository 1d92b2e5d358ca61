"""The commands: bank, match, trace with an audience; lists in and out in every form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scenes
from captures_support import NOW, banks_in, random_words, run, settings_in

from upstander.captures import audience, bank_files, bulk, made
from upstander.captures.banks import OWN, Entry, Value
from upstander.captures.bits import hex_of
from upstander.captures.errors import CaptureError
from upstander.captures.live import Rolling
from upstander.captures.matching import Limiter, Matcher
from upstander.captures.pictures import prints
from upstander.captures.recorded import Frame, Recorded
from upstander.captures.values import Kind
from upstander.journal import store as journal
from upstander.journal.entries import Entry as Line
from upstander.journal.entries import Kind as Sort
from upstander.journal.entries import reference
from upstander.people.audit import Audit
from upstander.people.permissions import Role
from upstander.people.store import People

PDQ = [hex_of(one) for one in random_words(5, 2)]
MD5 = "0123456789abcdef0123456789abcdef"
PHOTODNA = ",".join(["9"] * 144)


@pytest.mark.parametrize("form", bank_files.FORMATS)
def test_a_list_written_is_the_list_read(tmp_path: Path, form: str) -> None:
    values = [(Kind.PDQ, PDQ[0]), (Kind.MD5, MD5), (Kind.SHA1, "a" * 40), (Kind.PHOTODNA, PHOTODNA)]
    entries = [
        Entry(f"e{n}", "b", kind, value, ("A1",), "active", (OWN,), NOW) for n, (kind, value) in enumerate(values)
    ]
    path = tmp_path / "list"
    path.write_bytes(bank_files.write(entries, form))
    assert [(one.kind, one.value) for one in bank_files.read(path, form)] == values


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "kind,value\npdq,zz\nmd5,1\n", r"row 2: .*\nrow 3: "),
        ("a.csv", "hash\nx\n", "must name the columns"),
        ("a.json", "{", "not json"),
        ("a.json", '[{"kind": "odd", "value": "1"}]', "no kind of value"),
        ("a.xml", '<!DOCTYPE x [<!ENTITY a "b">]><queryResult>&a;</queryResult>', "no whole XML"),
        ("a.xml", "<other/>", "not a <queryResult>"),
        ("a.csv", "kind,value\n", "holds no value"),
    ],
)
def test_a_faulty_list_is_refused_whole(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CaptureError, match=message):
        bank_files.read(tmp_path / name)


def test_lists_of_threatexchange_and_hma(tmp_path: Path) -> None:
    rows = [{"signal_type": "pdq", "signal_str": PDQ[0], "tags": ["x"]}, {"id": 7, "signals": {"video_md5": MD5}}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    found = bank_files.read(tmp_path / "a.json")
    assert [(one.kind, one.value, one.reference) for one in found] == [("pdq", PDQ[0], ""), ("md5", MD5, "7")]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture, a mirrored copy of it, another video and a picture."""
    folder = tmp_path_factory.mktemp("media")
    video = scenes.Broadcast(41, 60)
    scenes.write(folder / "capture.mp4", video.frames(0, 12, rate=5), rate=5)
    scenes.write(folder / "copy.mp4", scenes.changed(video.frames(2, 6, rate=5), scenes.mirrored), rate=5, quality=34)
    scenes.write(folder / "other.mp4", scenes.Broadcast(42, 60).frames(0, 4, rate=5), rate=5)
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_bank_and_match_from_the_command_line(media: Path, tmp_path: Path) -> None:
    assert run(tmp_path, "bank", "new", "known").returncode == 0
    assert run(tmp_path, "bank", "add", "known", str(media / "capture.mp4")).returncode == 0
    done = run(tmp_path, "match", str(media), "--json", "--jobs", "2", "--notebook", "done.jsonl")
    rows = {Path(row["path"]).name: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert rows["capture.mp4"]["matches"][0]["how"] == "exact"
    assert rows["copy.mp4"]["matches"] and rows["copy.mp4"]["matches"][0]["how"] == "near"
    assert not rows["other.mp4"]["matches"] and not rows["notes.txt"]["matches"]
    assert "distance" not in done.stdout
    again = run(tmp_path, "match", "-", "--json", "--notebook", "done.jsonl", text=f"{media / 'copy.mp4'}\n")
    assert json.loads(again.stdout)["matches"] == rows["copy.mp4"]["matches"]
    assert run(tmp_path, "match", str(media / "other.mp4")).returncode == 0
    assert run(tmp_path, "match", "--value", f"md5:{MD5}").returncode == 0
    assert run(tmp_path, "match", "--value", "photodna:x").returncode == 2
    assert "name files" in run(tmp_path, "match").stderr
    entry = rows["copy.mp4"]["matches"][0]["entry"]
    assert run(tmp_path, "bank", "vote", entry, "--dispute", "--why", "a logo").returncode == 0
    assert run(tmp_path, "bank", "withdraw", entry, "--why", "a logo").returncode == 0
    assert json.loads(run(tmp_path, "bank", "list", "--json").stdout)[0]["withdrawn"] == 1
    shown = run(tmp_path, "bank", "show", "known", "--why", "review")
    assert "sha256" in shown.stdout
    assert run(tmp_path, "bank", "export", "known", "--to", "out.csv", "--why", "handing over").returncode == 0
    assert (tmp_path / "out.csv").stat().st_mode & 0o077 == 0
    assert run(tmp_path, "bank", "new", "second").returncode == 0
    taken = run(tmp_path, "bank", "import", "second", "out.csv", "--source", "partner")
    assert taken.returncode == 0 and "new of" in taken.stdout
    assert run(tmp_path, "bank", "delete", "second", "--yes", "--why", "done").returncode == 0
    told = [one.what for one in Audit(tmp_path / "upstander-data" / "audit.sqlite3").search(limit=50)]
    assert told.count("bank read") >= 2 and "bank changed" in told


def test_a_capture_of_a_file_is_recognised_live_letterboxed_and_cropped(media: Path, tmp_path: Path) -> None:
    banks = banks_in(tmp_path)
    banks.make("known", "ann")
    banks.take_in("known", made.of_file(media / "capture.mp4"), OWN)
    matcher = Matcher(banks)
    for number, change in enumerate((scenes.mirrored, scenes.letterboxed, scenes.cropped(0.05), scenes.smaller)):
        shown = scenes.changed(scenes.Broadcast(41, 60).frames(3, 8, rate=5), change)
        path = scenes.write(tmp_path / "live.mp4", shown, rate=5)
        frames = [
            Frame("p", f"b{number}", one.offset_ms, NOW + one.offset_ms, one.quality, bytes.fromhex(one.pdq))
            for one in prints(path, 1.0)
        ]
        said = [one for frame in frames for one in Rolling(matcher).observe(frames[: frames.index(frame) + 1])]
        assert "rebroadcast" in {one.what for one in said}, number
        assert min(one.offset_ms for one in said if one.what == "rebroadcast") <= 5_000


def test_matching_goes_on_after_it_was_cut_off(media: Path, tmp_path: Path) -> None:
    banks = banks_in(tmp_path)
    banks.make("known", "ann")
    banks.take_in("known", made.of_file(media / "capture.mp4"), OWN)
    matcher, limiter = Matcher(banks), Limiter(banks, 1000)
    files = bulk.files_of([media])
    whole = list(bulk.run(matcher, limiter, files, bulk.Notebook(None), "ann", 1, NOW))
    notes = tmp_path / "notes.jsonl"
    first = bulk.run(matcher, limiter, files, bulk.Notebook(notes), "ann", 1, NOW)
    next(first)
    first.close()
    with notes.open("ab") as file:
        file.write(b'{"path": "half a li')
    hashed: list[Path] = []
    real = bulk.hashed
    bulk.hashed = lambda path: hashed.append(path) or real(path)  # type: ignore[func-returns-value,assignment]
    try:
        assert list(bulk.run(matcher, limiter, files, bulk.Notebook(notes), "ann", 1, NOW)) == whole
    finally:
        bulk.hashed = real
    assert hashed == files[1:]
    assert len(bulk.Notebook(notes).done) == len(files)


@pytest.fixture
def data(media: Path, tmp_path: Path) -> Path:
    """A data folder with one broadcast's fingerprints, and who came and went in it."""
    settings = settings_in(tmp_path / "data")
    kept = Recorded(tmp_path / "data" / "captures")
    with kept.transaction():
        for one in prints(media / "capture.mp4", 1.0):
            at = NOW + one.offset_ms
            kept.add([Frame("p", "b1", one.offset_ms, at, one.quality, bytes.fromhex(one.pdq))])
    kept.close()
    events = [("joined", "v1", -60), ("joined", "v2", -50), ("left", "v2", -5), ("comment", "v3", -20)]
    events.append(("joined", "v4", 99))
    lines = []
    for n, (kind, who, second) in enumerate(events):
        body = {"type": kind, "id": f"e{n}", "at": NOW + second * 1000, "broadcast": "b1", "actor": who}
        body |= {"text": "hello"} if kind == "comment" else {}
        lines.append(Line(Sort.EVENT, json.dumps(body).encode(), NOW, "p", "b1", reference("p", "b1", f"e{n}")))
    connection = journal.open_store(settings.journal_path)
    journal.write(connection, journal.head(connection), lines, [])
    connection.close()
    return tmp_path / "data"


def test_a_trace_names_the_broadcast_and_to_who_may_its_audience(media: Path, data: Path) -> None:
    folder = data.parent
    done = run(folder, "trace", str(media / "copy.mp4"), "--data", "data", "--json")
    (row,) = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0 and row["traces"][0]["broadcast"] == "b1" and "audience" not in row["traces"][0]
    assert run(folder, "trace", str(media / "other.mp4"), "--data", "data").returncode == 1
    asked = ("trace", str(media / "copy.mp4"), "--data", "data", "--audience", "--json")
    refused = run(folder, *asked, "--by", "eve", "--why", "curious")
    assert refused.returncode == 2 and "only an account may see an audience" in refused.stderr
    people = People(settings_in(data).people_path)
    people.add("ada", [Role.ADMINISTRATOR])
    people.add("sen", [Role.SENIOR])
    people.close()
    assert run(folder, *asked, "--by", "ada", "--why", "x").returncode == 2
    assert "needs a reason" in run(folder, *asked, "--by", "sen").stderr
    shown = json.loads(run(folder, *asked, "--by", "sen", "--why", "case 8c43").stdout)
    assert [one["viewer"] for one in shown["traces"][0]["audience"]] == ["v3", "v1"]
    told = [(one.who, one.what, one.broadcast) for one in Audit(data / "audit.sqlite3").search()]
    assert ("sen", "audience viewed", "b1") in told and any(what == "capture traced" for _, what, _ in told)
    with pytest.raises(CaptureError, match="may not see who was in an audience"):
        audience.audience(settings_in(data), "p", "b1", NOW, "nobody", "why")


def test_a_part_of_a_broadcast_becomes_an_entry(data: Path, tmp_path: Path) -> None:
    assert run(tmp_path, "bank", "new", "known", "--data", "data").returncode == 0
    arguments = ("bank", "add", "known", "--data", "data", "--broadcast", "p", "b1", "--from", "2", "--to", "9")
    assert run(tmp_path, *arguments).returncode == 0
    kept = Recorded(data / "captures")
    value = made.of_broadcast(kept, "p", "b1", 2000, 9000)
    assert isinstance(value, Value) and value.kind == "vpdq"
    with pytest.raises(CaptureError, match="no fingerprints of that part"):
        made.of_broadcast(kept, "p", "b9", 0, 10)
    assert np.size(value.value) == 1
