"""Sightings: addresses hashed, trees without loops, small counts withheld, rows that a study takes in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from captures_support import run

from upstander.captures import spread
from upstander.captures.errors import CaptureError
from upstander.captures.sightings import SITE_TYPES, Entered, Sightings, canonical, moment, study_rows

DAY = 86_400_000


def entered(number: int, capture: str = "c-1", **fields: Any) -> Entered:
    seen = f"2026-03-{number + 1:02d}T10:00:00Z"
    return Entered(capture=capture, url=f"https://host{number}.example/x", **({"seen_at": seen} | fields))


@pytest.fixture
def kept(tmp_path: Path) -> Sightings:
    return Sightings(tmp_path / "sightings.sqlite3")


def test_addresses_are_not_in_the_file(kept: Sightings, tmp_path: Path) -> None:
    first, new = kept.add(entered(1), "ann")
    assert new and first.url == ""
    again, new = kept.add(Entered(capture="c-1", url="http://HOST1.example:80/x", removed_at="2026-04-01"), "bob")
    assert (again.id, new) == (first.id, False)  # the same place, written otherwise; now it is gone
    assert again.removed_at == moment("2026-04-01") and again.seen_at == first.seen_at
    open_one, _ = kept.add(entered(2), "ann", keep_url=True)
    assert open_one.url == "https://host2.example/x"
    kept.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"host1.example" not in raw and b"host2.example" in raw


def test_trees_follow_parents_and_cannot_loop(kept: Sightings) -> None:
    first, _ = kept.add(entered(1, site_type="image_host"), "ann")
    second, _ = kept.add(entered(2, site_type="forum", parent=first.id), "ann")
    third, _ = kept.add(entered(3, parent="https://host2.example/x"), "ann")
    kept.add(entered(4), "ann")
    assert [(node.id, node.depth) for node in spread.tree(kept.all())][:3] == [
        (first.id, 0),
        (second.id, 1),
        (third.id, 2),
    ]
    with pytest.raises(CaptureError, match="cannot come from itself"):
        kept.add(entered(1, parent=third.id), "ann")
    with pytest.raises(CaptureError, match="no sighting of it is known as"):
        kept.add(entered(5, capture="c-2", parent=first.id), "ann")
    drawn = spread.dot(kept.all())
    assert f'"{first.id}" -> "{second.id}"' in drawn and "host" not in drawn.replace("image_host", "")


def test_counts_and_figures_withhold_what_is_small(kept: Sightings) -> None:
    for number in range(12):
        site = "forum" if number < 8 else "social"
        gone = f"2026-03-{number + 5:02d}T10:00:00Z" if number < 6 else ""
        kept.add(entered(number, site_type=site, country="NL", advert="yes", removed_at=gone), "ann")
    counted = spread.counted(kept.all())
    assert counted.by_site == {"forum": 8, "social": None}
    assert (counted.median_lag_days, counted.median_removal_days, counted.still_up) == (6.0, 4.0, 6)
    drawn = spread.figures(kept.all())
    assert set(drawn) == {"spread", "lag", "sites"} and all(svg.count("<svg") == 1 for svg in drawn.values())
    assert "social" not in drawn["sites"]
    few = kept.all()[:3]
    assert spread.figures(few) == {}
    assert spread.counted(few).median_lag_days is None


def test_rows_go_in_all_or_none(kept: Sightings) -> None:
    with pytest.raises(CaptureError, match=r"row 2: .*no type of site.*Nothing was taken in"):
        kept.add_all([entered(1), entered(2, site_type="moon")], "ann")
    assert kept.all() == []
    with pytest.raises(CaptureError, match="removed before it was seen"):
        kept.add(entered(9, removed_at="2026-03-01"), "ann")


@pytest.mark.parametrize(
    "url", ["", "no address", "https://", "https://nothing", "https://a b.example/", "https://x:port/"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(CaptureError, match="Give it whole"):
        canonical(url)


def test_addresses_have_one_way_of_being_written() -> None:
    assert canonical("HTTP://www.Example.org") == ("https://www.example.org/", "example.org")
    assert canonical("example.org:8443/a?b#c") == ("https://example.org:8443/a?b", "example.org")


def test_every_site_type_is_one_of_the_study() -> None:
    from upstander.study import codebook

    (field,) = [one for one in codebook.shipped().fields if one.name == "site_type"]
    assert set(SITE_TYPES.values()) <= set(field.values)


def test_the_commands_up_to_a_study(tmp_path: Path) -> None:
    assert run(tmp_path, "sightings", "add", "c-1", "https://a.example/1", "--site-type", "image_host").returncode == 0
    (tmp_path / "more.csv").write_text(
        "capture,url,site_type,country,parent\nc-1,https://b.example/2,forum,NL,https://a.example/1\n"
        "c-2,https://c.example/3,cyberlocker,US,\n"
    )
    assert "2 new of 2" in run(tmp_path, "sightings", "import", "more.csv").stdout
    listed = json.loads(run(tmp_path, "sightings", "list", "--json").stdout)
    assert [one["capture"] for one in listed] == ["c-1", "c-1", "c-2"] and listed[1]["parent"] == listed[0]["id"]
    told = json.loads(run(tmp_path, "sightings", "graph", "--json", "--dot", "g.dot", "--figures", "f").stdout)
    assert told["counted"]["deepest"] == 1 and (tmp_path / "g.dot").exists()
    assert run(tmp_path, "sightings", "export", "items.csv").returncode == 0
    assert run(tmp_path, "study", "new", "spring", "--title", "Spring").returncode == 0
    taken = run(tmp_path, "study", "import", "spring", "items.csv")
    assert "3 new items" in taken.stdout, taken.stdout
    bad = run(tmp_path, "sightings", "add", "c 1", "https://a.example/1")
    assert bad.returncode == 2 and "capture" in bad.stderr


def test_rows_of_a_study_name_the_first_as_the_item(kept: Sightings) -> None:
    kept.add_all([entered(1), entered(2), entered(3, capture="c-2")], "ann")
    rows = study_rows(kept.all())
    assert [row["duplicate_of"] for row in rows] == ["", rows[0]["item_id"], ""]
