"""``upstander policy coverage`` on real settings."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from support import UPSTANDER
from upstander.adapters.base import Capability
from upstander.gateway.coverage import capabilities_of
from upstander.policy import presets
from upstander.settings import AdapterSettings

SHIPPED = presets.load(presets.bundled())
SETTINGS = """
[presets]
use = ["us-report-act", "gb-ofcom-proposed"]
[presets.platform]
off_for_children = ["screen_capture", "recording"]
[[adapters]]
name = "hook"
platform = "site"
kind = "webhook"
url = "https://example.test/hook"
secret_file = "no-secret-is-read"
capabilities = ["call_moderator", "disable_gifts"]
"""


def run(*arguments: str, cwd: Path, columns: int = 120) -> subprocess.CompletedProcess[str]:
    command = [UPSTANDER, "policy", "coverage", *arguments]
    environment = os.environ | {"COLUMNS": str(columns)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=environment)


def test_every_row_of_every_preset_is_printed(tmp_path: Path) -> None:
    result = run(cwd=tmp_path, columns=80)
    assert result.returncode == 0, result.stderr
    printed = "".join(result.stdout.split())
    for preset in SHIPPED:
        assert preset.id in printed
        for row in preset.rows:
            assert row.id in printed
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "no legal advice" in result.stdout


def test_as_json_with_the_settings_presets(tmp_path: Path) -> None:
    (tmp_path / "upstander.toml").write_text(SETTINGS)
    result = run("--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert [preset["id"] for preset in report["presets"]] == ["gb-ofcom-proposed", "us-report-act"]
    rows = {row["row"]: row for row in report["rows"]}
    assert set(rows) == {row.id for p in SHIPPED for row in p.rows if p.id in ("gb-ofcom-proposed", "us-report-act")}
    assert rows["gb-ofcom-screen-capture"]["result"] == "met"
    assert rows["gb-ofcom-screen-capture"]["declared"]
    assert "`disable_gifts` can be carried out on site" in rows["gb-ofcom-gifts"]["why"]
    assert sum(report["summary"].values()) == len(rows)
    assert len(report["hash"]) == 64


def test_strict_fails_only_for_what_is_in_force(tmp_path: Path) -> None:
    result = run("--preset", "au-minimum-age", "--preset", "gb-ofcom-proposed", "--strict", "--json", cwd=tmp_path)
    assert (result.returncode, json.loads(result.stdout)["failing"]) == (1, ["au-under-16"])
    result = run("--preset", "us-report-act", "--preset", "gb-ofcom-proposed", "--strict", cwd=tmp_path)
    assert (result.returncode, "Not asked for: " in result.stdout) == (0, True)


def test_only_rules_that_have_come_so_far(tmp_path: Path) -> None:
    shown = json.loads(run("--status", "in_force", "--json", cwd=tmp_path).stdout)["rows"]
    assert {row["row"] for row in shown} == {r.id for p in SHIPPED for r in p.rows if r.status == "in_force"}


def test_a_preset_that_does_not_exist_is_answered_with_the_nearest(tmp_path: Path) -> None:
    result = run("--preset", "au-minimum-ages", cwd=tmp_path)
    assert result.returncode == 2
    assert "Did you mean `au-minimum-age`?" in result.stderr
    (tmp_path / "upstander.toml").write_text('[presets]\nuse = ["nowhere"]\n')
    result = run(cwd=tmp_path)
    assert (result.returncode, "there is no preset `nowhere`" in result.stderr) == (2, True)
    (tmp_path / "upstander.toml").write_text("[presets.platform]\nreport_rout = true\n")
    assert "Did you mean `report_route`?" in run(cwd=tmp_path).stderr


def test_what_adapters_can_do_is_known_without_their_secret() -> None:
    def able(**changes: object) -> frozenset[Capability]:
        values = {"name": "a", "platform": "p", "secret_file": "none"} | changes
        return capabilities_of(AdapterSettings(**values))  # type: ignore[arg-type]

    assert able(kind="nginx_rtmp") == {Capability.PAUSE, Capability.END}
    assert able(kind="webhook", capabilities=(Capability.PAUSE,)) == {Capability.PAUSE}
    assert Capability.CALL_MODERATOR not in able(kind="matrix")
    assert Capability.CALL_MODERATOR in able(kind="matrix", moderators_room="!room:example.test")
    assert Capability.CALL_MODERATOR in able(kind="xmpp", moderators_jid="mods@example.test")
    assert able(kind="matrix", capabilities=(Capability.MUTE_VIEWER,)) == {Capability.MUTE_VIEWER}
