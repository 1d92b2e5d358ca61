"""``upstander report`` and ``upstander fake-hotline``, as a person uses them, against the fake on a socket."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from reports_support import T0, evidence_of

from support import UPSTANDER, until
from upstander.cases.follow import open_desk
from upstander.cases.model import Found
from upstander.cases.states import Act
from upstander.cli import group
from upstander.model.vocabulary import AgeBand, Level
from upstander.reports.fake.faults import read
from upstander.reports.fake.hotline import Hotline
from upstander.reports.fake.server import FakeServer
from upstander.settings import load
from upstander.vault import opening
from upstander.vault.container import unpack

FACTS = {
    "reported": {"screen_name": "zz_quillcanary", "ips": [{"address": "203.0.113.77", "at": T0, "port": 50123}]},
    "victim": {"age": 11},
}


class Place:
    """A data folder with one case that ann holds, its settings, and the fake service."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hotline = folder, Hotline()
        self.server = FakeServer(self.hotline)
        secret = folder / "password"
        secret.write_text("fake")
        secret.chmod(0o600)
        self.config = folder / "upstander.toml"
        self.config.write_text(
            '[reports.reporter]\ncompany = "Example Streams"\nfirst_name = "Robin"\nlast_name = "Canarybird"\n'
            'email = "safety@example.org"\n'
            f'[reports.ncmec]\nurl = "{self.server.url}"\nusername = "fake"\npassword_file = "password"\n'
        )
        self.settings = load(self.config)
        vault = opening.create_vault(self.settings, "ann")
        desk = open_desk(self.settings)
        found = Found("mysite", "b1", "v1", "c1", 1, T0, Level.URGENT, ("secrecy",), 5.0, "h1", AgeBand.UNKNOWN)
        self.case = desk.decide(found).id
        vault.seal(evidence_of(self.case), self.case, T0, "a test")
        desk.act(self.case, Act.CLAIM, "ann")
        desk.store.close()
        vault.close()

    def run(self, *words: str, input: str | None = None) -> Result:
        verb, *rest = words
        return CliRunner().invoke(group, ["report", verb, "--config", str(self.config), *rest], input=input)

    def json(self, *words: str, **more: Any) -> Any:
        result = self.run(*words, "--json", **more)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def draft(self, to: str = "ncmec", *more: str) -> str:
        given = ("--facts", "-", "--by", "ann", "--why", "asks a child to be alone")
        identifier: str = self.json("draft", self.case, "--to", to, *given, *more, input=json.dumps(FACTS))["id"]
        return identifier


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.server.close()


def test_draft_show_approve_file_status(place: Place) -> None:
    report = place.draft()
    shown = place.run("show", report, "--by", "dana", "--why", "before I approve it").stdout
    assert "203.0.113.77" in shown and "are your parents home" in shown and "v1" in shown
    missing = shown[shown.index("Missing:") :]
    assert "How legal process is served" in missing and "It saves the days" in missing
    refused = place.run("approve", report, "--by", "ann", "--why", "fine")
    assert refused.exit_code == 2 and "a second person" in refused.output
    assert place.json("approve", report, "--by", "dana", "--why", "agreed")["state"] == "approved"
    filed = place.json("file", report, "--by", "dana")
    assert filed["state"] == "filed" and filed["reference"] == place.hotline.finished[0].id
    steps = [step["act"] for step in place.json("status", report)["history"]]
    assert steps[:5] == ["draft", "view", "approve", "file", "begin"] and steps[-1] == "finished"
    listed = place.run("list").stdout
    assert "filed" in listed and "canary" not in listed
    assert place.json("outcome", report, "acknowledged", "--why", "a letter")["outcome"] == "acknowledged"
    [numbers] = place.json("numbers")
    assert (numbers["filed"], numbers["outcomes"]) == (1, {"other": 1})
    assert place.json("check", "--fetch") == {"history": [], "cybertipline": "0 success: Remote User : fake",
                                              "live_schema": True}  # fmt: skip


def test_what_the_destination_refuses_is_said_in_its_words(place: Place) -> None:
    place.hotline.faults = [read("submit:code=4100 the incident type is missing")]
    report = place.draft()
    place.run("approve", report, "--by", "dana", "--why", "agreed")
    said = place.run("file", report, "--by", "dana").stdout
    assert "refused" in said and "the incident type is missing" in said


def test_a_service_that_is_down_keeps_the_report_waiting_and_send_goes_on(place: Place) -> None:
    report = place.draft()
    place.run("approve", report, "--by", "dana", "--why", "agreed")
    place.hotline.faults = [read("status:http=503")]
    assert place.json("file", report, "--by", "dana")["state"] == "submitting"
    assert place.run("send").stdout == "done\n"


def test_export_for_the_uk_and_for_the_police(place: Place) -> None:
    report = place.draft("nca")
    path = place.folder / "nca.zip"
    refused = place.run("export", report, "--to", str(path), "--why", "the portal")
    assert refused.exit_code == 2 and "not handed over" in refused.output
    place.run("approve", report, "--by", "dana", "--why", "agreed")
    assert place.run("export", report, "--to", str(path), "--why", "the portal").exit_code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["evidence.zip", "form.html", "report.json"]
        fields = json.loads(archive.read("report.json"))["fields"]
        assert fields["user.username"] == "zz_quillcanary" and fields["user.ip_addresses"][0]["port"] == 50123
        form = archive.read("form.html").decode()
        assert "203.0.113.77" in form and "<script" not in form
        proof, _ = unpack(archive.read("evidence.zip"))
    assert any(name.startswith("items/chat-") for name in proof) and not any("report" in name for name in proof)
    assert place.json("file", report, "--reference", "NCA-1", "--why", "entered")["state"] == "filed"


def test_mistakes_are_one_line_with_status_2(place: Place) -> None:
    for words, said in (
        (("draft", "ffff", "--to", "ncmec", "--why", "x"), "no case has the id"),
        (("status", "r-none"), "no report has the id"),
        (("draft", place.case, "--to", "ncmec", "--facts", "none.json", "--why", "x"), "cannot be read"),
    ):
        result = place.run(*words)
        assert result.exit_code == 2 and said in result.output and "Traceback" not in result.output


def test_the_fake_as_a_command(tmp_path: Path) -> None:
    command = [str(UPSTANDER), "fake-hotline", "--port", "0", "--fault", "status:http=503"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().split()[5].rstrip(".")
            statuses = [httpx.get(f"{url}/status", auth=("fake", "fake")).status_code for _ in range(2)]
            assert statuses == [503, 200]
            assert httpx.get(f"{url}/status", auth=("fake", "wrong")).status_code == 401
            root = url.removesuffix("/ispws")
            assert httpx.get(f"{root}/_fake/reports").json() == {"reports": [], "expired": 0}
            assert httpx.post(f"{root}/_fake/faults", content="what").status_code == 422
            assert until(lambda: httpx.get(f"{url}/xsd", auth=("fake", "fake")).text.startswith("<?xml"))
        finally:
            process.terminate()
    wrong = subprocess.run(
        [*command[:3], "0", "--fault", "upload:nothing"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2 and "Kinds:" in wrong.stderr
