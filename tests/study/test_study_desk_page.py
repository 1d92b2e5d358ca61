"""The coding desk as a page: by keyboard in Chromium, accessible; what a request without the key or a bad one gets."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from starlette.testclient import TestClient

from browsing import launched, needs_chromium, wrong
from support import UPSTANDER
from upstander.study import desk, files
from upstander.study.desk_server import MOST_BYTES, Desk, create_app
from upstander.study.errors import StudyError
from upstander.study.folder import Study, create
from upstander.study.invented import invent

#: As at the terminal: 11-13, girl, C, one child, no adult, home, alone, webcam, not at the original location.
KEYS = "413121112"
VALUES = {
    "age_band": "11-13", "sex": "girl", "category": "C", "n_children": "1", "adult_visible": "no", "setting": "home",
    "alone": "yes", "capture_source": "webcam", "original_location": "no",
}  # fmt: skip


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = create(tmp_path / "s", "A study", date(2026, 3, 1), {"double_share": 1.0})
    for name in ("ada", "cy", "dan"):
        made.add_coder(name, date(2026, 1, 1))
    made.add_coder("eve", None)
    items = files.as_text(invent(4).select([field.name for field in made.codebook.facts]))
    made.take_in(items.with_columns(pl.lit(None, dtype=pl.String).alias("duplicate_of")))
    return made


def client(here: Desk, key: str = "k", **headers: str) -> TestClient:
    return TestClient(create_app(here, "k"), base_url="http://127.0.0.1", headers={"x-key": key} | headers)


def test_items_are_coded_skipped_and_taken_up_again(study: Study) -> None:
    page = client(Desk(study, "ada"))
    first = page.get("/state").json()
    assert (first["left"], first["done"], first["coder"]) == (4, 0, "ada")
    assert [field["name"] for field in first["fields"]] == list(VALUES)
    after = page.post("/code", json={"item_id": first["task"]["item_id"], "values": VALUES}).json()
    assert (after["left"], after["done"]) == (3, 1)
    assert Study(study.folder).codings()["item_id"].to_list() == [first["task"]["item_id"]]
    for _ in range(3):
        after = page.post("/skip", json={"item_id": after["task"]["item_id"]}).json()
    assert (after["left"], after["skipped"], "task" in after) == (0, 3, False)
    assert page.post("/again", json={}).json()["left"] == 3


def test_two_pages_of_one_coder_do_not_write_an_item_twice(study: Study) -> None:
    here = Desk(study, "ada")
    page = client(here)
    item = page.get("/state").json()["task"]["item_id"]
    assert page.post("/code", json={"item_id": item, "values": VALUES}).status_code == 200
    again = page.post("/code", json={"item_id": item, "values": VALUES})
    assert again.status_code == 409
    assert "not waiting" in again.json()["error"]
    assert len(Study(study.folder).codings()) == 1


def test_what_cannot_be_true_together_says_why_and_is_not_written(study: Study) -> None:
    page = client(Desk(study, "ada"))
    item = page.get("/state").json()["task"]["item_id"]
    answer = page.post("/code", json={"item_id": item, "values": VALUES | {"adult_visible": "yes"}})
    assert answer.status_code == 409
    assert "an adult who is seen" in answer.json()["error"]
    assert len(Study(study.folder).codings()) == 0


def test_a_disagreement_is_shown_without_names_and_decided(study: Study) -> None:
    item = desk.queue(study, "ada")[0].item_id
    for coder, category in (("ada", "C"), ("cy", "B")):
        page = client(Desk(study, coder))
        page.post("/code", json={"item_id": item, "values": VALUES | {"category": category}})
    page = client(Desk(study, "dan", settling=True))
    shown = page.get("/state")
    assert shown.json()["task"] == {"item_id": item, "said": ["B", "C"]}
    assert "ada" not in shown.text
    assert page.post("/code", json={"item_id": item, "values": VALUES}).status_code == 404
    done = page.post("/decide", json={"item_id": item, "field": "category", "value": "B"}).json()
    assert (done["left"], done["done"]) == (0, 1)
    assert desk.open_disagreements(Study(study.folder), "dan", False) == []
    assert client(Desk(study, "ada", settling=True)).get("/state").json()["left"] == 0, "ada would judge herself"


def test_without_the_key_nothing_is_told_and_nothing_written(study: Study) -> None:
    page = client(Desk(study, "ada"), key="wrong")
    for path in ("/state", "/code", "/skip", "/again"):
        answer = page.get(path) if path == "/state" else page.post(path, json={})
        assert answer.status_code == 403
        assert "item" not in answer.text


def test_another_sites_name_pointed_here_is_refused(study: Study) -> None:
    page = TestClient(create_app(Desk(study, "ada"), "k"), base_url="http://evil.example", headers={"x-key": "k"})
    assert page.get("/state").status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"item_id": 3}', 400),
        (b'{"item_id": "x", "values": {}, "more": 1}', 400),
        (b"\xff", 400),
        (b'{"item_id": "nothing", "values": {}}', 409),
        (b" " * (MOST_BYTES + 1), 413),
    ],
)
def test_a_bad_request_says_what_is_wrong(study: Study, body: bytes, status: int) -> None:
    answer = client(Desk(study, "ada")).post("/code", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_who_is_no_trained_coder_gets_no_desk(study: Study) -> None:
    for name in ("eve", "nobody"):
        with pytest.raises(StudyError):
            Desk(study, name)


# -- in Chromium, through the command ----------------------------------------------------------------------------------


@pytest.fixture
def link(study: Study) -> Iterator[str]:
    command = [UPSTANDER, "study", "desk", str(study.folder), "--coder", "ada"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://\S+", line)
    assert found is not None, line
    yield found.group()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert "1 coded." in process.stdout.read()


@needs_chromium
def test_an_item_is_coded_by_keyboard_alone_and_axe_finds_nothing(study: Study, link: str) -> None:
    problems: list[str] = []
    asked: list[str] = []
    with launched() as browser:
        tab = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="dark")
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(link)
        tab.wait_for_selector("#item:not([hidden])")
        assert wrong(tab) == []
        for key in "3b?" + KEYS[:3]:
            tab.keyboard.press(key)
        assert tab.locator("fieldset.now legend").inner_text() == "n children"
        assert tab.locator("fieldset.now .rule").is_visible()
        for key in (*"012", "Enter", "b", *"1", *KEYS[4:]):
            tab.keyboard.press(key)
        assert tab.evaluate("document.activeElement.id") == "keep"
        tab.keyboard.press("Enter")
        tab.get_by_text("1 done, 3 left").wait_for()
        narrow = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="light")
        narrow.goto(link)
        narrow.wait_for_selector("#item:not([hidden])")
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 390
        assert wrong(narrow) == []
    coded = Study(study.folder).codings().row(0, named=True)
    assert {name: str(coded[name]) for name in VALUES} == VALUES
    assert problems == []
    assert {url.split("/")[2] for url in asked} == {link.split("/")[2]}
