"""The other commands: help, keys, verify, outbox, doctor, serve's errors."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from support import UPSTANDER, bearer, comment, lines, make_key, serve, started
from upstander.cli import _COMMANDS
from upstander.gateway.keys import Scope


def run(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    command = [UPSTANDER, *arguments]
    environment = os.environ | env
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd, env=environment)


@pytest.mark.parametrize("command", [(), *[(name,) for name in _COMMANDS]])
def test_every_command_has_help_with_examples(command: tuple[str, ...]) -> None:
    result = run(*command, "--help")
    assert result.returncode == 0
    if command:
        assert "Examples:" in result.stdout
        assert f"upstander {command[0]}" in result.stdout


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    made = run("keys", "create", "--data", data, "--platform", "site", "--scope", "events:write", "--json")
    key = json.loads(made.stdout)
    assert key["key"].startswith(f"ups_{key['id']}_")
    listed = run("keys", "list", "--data", data)
    assert key["id"] in listed.stdout
    assert key["key"] not in listed.stdout
    assert run("keys", "revoke", "--data", data, key["id"]).returncode == 0
    again = run("keys", "revoke", "--data", data, key["id"])
    assert again.returncode == 2
    assert "keys list" in again.stderr
    assert json.loads(run("keys", "list", "--data", data, "--json").stdout)[0]["revoked_at"] > 0
    assert run("keys", "create", "--data", data, "--platform", "Big Site", "--scope", "events:write").returncode == 2
    assert run("keys", "create", "--data", data, "--platform", "site", "--scope", "all").returncode == 2


def test_verify_outbox_and_order_on_a_real_run(tmp_path: Path) -> None:
    key = make_key(tmp_path / "data", *Scope)
    with serve(tmp_path) as served:
        import httpx

        pressed = ("do a spin and ill send a gift", "dont tell your mom", "are your parents home")
        events = [started(), *(comment(f"c{n}", text, actor="v") for n, text in enumerate(pressed))]
        answer = httpx.post(f"{served.url}/v1/events", content=lines(*events), headers=bearer(key))
        assert answer.json()["accepted"] == 4
        arguments = ("--by", "a person", "--reason", "a test", "--url", served.url)
        done = run("order", "unmute_viewer", "b1", "--target", "v", *arguments, UPSTANDER_KEY=key)
        assert done.returncode == 0, done.stderr
        assert "recorded" in done.stdout
        refused = run("order", "unmute_viewer", "b1", *arguments, UPSTANDER_KEY=key)
        assert refused.returncode == 2
        assert "target" in refused.stderr
        while_running = run("verify", "--data", str(served.data), "--json")
        assert json.loads(while_running.stdout)["ok"]
    result = run("verify", "--data", str(served.data), "--json")
    verdict = json.loads(result.stdout)
    assert (result.returncode, verdict["ok"], verdict["events"]) == (0, True, 4)
    assert run("verify", "--data", str(served.data), "--expect-head", verdict["head"]).returncode == 0
    assert run("verify", "--data", str(served.data), "--expect-head", "00" * 32).returncode == 1
    told = run("outbox", "--data", str(served.data))
    assert told.returncode == 0
    assert "pending 0" in told.stdout


def test_verify_says_where_a_journal_was_changed(tmp_path: Path) -> None:
    import sqlite3

    key = make_key(tmp_path / "data", *Scope)
    with serve(tmp_path) as served:
        import httpx

        httpx.post(f"{served.url}/v1/events", content=lines(started(), comment("c", "hi")), headers=bearer(key))
    connection = sqlite3.connect(served.journal)
    connection.executescript("DROP TRIGGER entries_keep_update; UPDATE entries SET at = at + 1 WHERE seq = 2;")
    connection.close()
    result = run("verify", "--data", str(served.data))
    assert result.returncode == 1
    assert "entry 2 does not fit" in result.stdout


@pytest.mark.parametrize("command", ["verify", "outbox"])
def test_a_missing_journal_is_one_clear_line(tmp_path: Path, command: str) -> None:
    result = run(command, "--data", str(tmp_path / "nowhere"))
    assert result.returncode == 2
    assert "there is no journal" in result.stderr


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("prot = 1", "unknown key `prot`"),
        ("[server]\nprot = 1", "Did you mean `port`?"),
        ("[server]\nport = 70000", "65535"),
        ("[server\n", "not TOML"),
        ("packs = 'nowhere'", "no such folder"),
        ("[[adapters]]\nname='a'\nplatform='p'\nkind='webhook'\nsecret_file='s'", "`url` of adapter `a` is missing"),
        ("[[adapters]]\nname='a'\nplatform='p'\nkind='webhook'\nsecret_file='s'\nurl='http://h/'", "capabilities"),
        (
            "[[adapters]]\nname='a'\nplatform='p'\nkind='nginx_rtmp'\nsecret_file='s'\ncontrol_url='http://h/'",
            "secret file",
        ),
        ("[[adapters]]\nname='a'\nplatform='p'\nkind='matrix'\nsecret_file='s'", "`url` of adapter `a` is missing"),
        (
            "[[adapters]]\nname='a'\nplatform='p'\nkind='matrix'\nsecret_file='s'\nurl='http://h'\nmoderators_room='#m:h'",
            "the room's id",
        ),
    ],
)
def test_wrong_settings_are_one_clear_line(tmp_path: Path, toml: str, says: str) -> None:
    config = tmp_path / "upstander.toml"
    config.write_text(toml)
    result = run("serve", "--config", str(config), "--port", "0")
    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert run("doctor", "--config", str(config)).returncode == 1


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("whsec_" + "QUFBQUFBQUFBQUFBQUFBQUFBQUE=")
    (tmp_path / "s").chmod(0o644)
    toml = "[[adapters]]\nname='a'\nplatform='p'\nkind='webhook'\nsecret_file='s'\nurl='http://127.0.0.1:1/'\n"
    (tmp_path / "upstander.toml").write_text(toml + "capabilities=['pause']")
    result = run("serve", "--port", "0", cwd=tmp_path)
    assert result.returncode == 2
    assert "chmod 600" in result.stderr


def test_two_services_on_one_data_folder_are_refused(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        second = run("serve", "--data", str(served.data), "--port", "0")
    assert second.returncode == 2
    assert "another Upstander is running" in second.stderr


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run("serve", "--data", str(tmp_path), "--port", str(taken.getsockname()[1]))
    assert result.returncode != 0
    assert "cannot listen" in result.stderr


def test_doctor_finds_nothing_wrong_here(tmp_path: Path) -> None:
    result = run("doctor", "--data", str(tmp_path / "data"), "--json", cwd=tmp_path)
    findings = {finding["what"]: finding for finding in json.loads(result.stdout)}
    assert {"upstander", "packages", "settings", "packs", "data folder", "fsync", "service", "adapters"} <= set(
        findings
    )
    assert findings["packs"]["state"] == "ok"
    text = run("doctor", "--data", str(tmp_path / "data"), cwd=tmp_path)
    assert "[[adapters]]" in text.stdout
