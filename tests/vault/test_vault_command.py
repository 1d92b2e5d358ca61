"""``upstander vault``: from init to a package that another machine checks."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from vault_support import chat, settings_in

from support import UPSTANDER
from upstander.vault import opening
from upstander.vault.vault import Part


def run(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(UPSTANDER), "vault", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=env)


def ran(*arguments: str, cwd: Path) -> str:
    done = run(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose `data` holds a vault with three items of a case."""
    (tmp_path / "upstander.toml").write_text('data = "data"\n')
    ran("init", "--by", "ann", cwd=tmp_path)
    vault = opening.open_vault(settings_in(tmp_path))
    parts = [chat(1), chat(2, "<script>alert(1)</script>"), Part("decision", "d", b'{"not": "a decision"}')]
    vault.seal(parts, "case-1", 0, "a decision")
    vault.close()
    return tmp_path


def items(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(ran("list", "--case", "case-1", "--json", cwd=folder))
    return found


def test_help_names_every_command_and_ends_with_examples(tmp_path: Path) -> None:
    text = ran("--help", cwd=tmp_path)
    for name in ("init", "list", "show", "hold", "release", "delete", "export", "verify", "stamp", "rewrap", "expire"):
        assert f"  {name} " in text
    assert "Examples:" in text


def test_without_a_vault_it_says_how_to_make_one(tmp_path: Path) -> None:
    for arguments in (("list",), ("verify",), ("show", "0" * 12, "--why", "x")):
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, "upstander vault init" in done.stderr) == (2, True)


def test_init_makes_a_key_of_mode_600_once(folder: Path) -> None:
    assert stat.S_IMODE((folder / "data" / "vault.key").stat().st_mode) == 0o600
    assert run("init", cwd=folder).returncode == 2


def test_show_prints_the_content_and_its_chain_of_custody(folder: Path) -> None:
    address = str(items(folder)[-1]["address"])
    shown = json.loads(ran("show", address[:10], "--by", "ann", "--why", "first review", cwd=folder))
    assert shown == json.loads(chat(1).content)
    custody = ran("show", address, "--custody", "--why", "audit", cwd=folder)
    assert "Sealed, by upstander" in custody and "Viewed, by ann: first review" in custody
    assert run("show", address, cwd=folder).returncode == 2, "no reason, no look"


def test_hold_release_delete(folder: Path) -> None:
    address = str(items(folder)[0]["address"])
    ran("hold", "--case", "case-1", "--reference", "warrant 12", "--why", "police request", cwd=folder)
    refused = run("delete", address, "--why", "asked to", cwd=folder)
    assert refused.returncode == 2 and "warrant 12" in refused.stderr
    ran("release", "--case", "case-1", "--reference", "warrant 12", "--why", "over", cwd=folder)
    assert "tombstone" in ran("delete", address, "--why", "asked to", cwd=folder)
    assert items(folder)[0]["deleted_at"]
    assert "2 items would be deleted" in ran("expire", "--dry-run", cwd=folder)
    assert "2 items were deleted" in ran("expire", cwd=folder)
    assert "the vault is whole" in ran("verify", cwd=folder)


def test_a_package_is_checked_where_there_is_neither_service_nor_key(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    package = folder / "case.zip"
    made = json.loads(ran("export", "--case", "case-1", "--to", "case.zip", "--why", "police", "--json", cwd=folder))
    assert stat.S_IMODE(package.stat().st_mode) == 0o600
    assert run("export", "--case", "case-1", "--to", "case.zip", "--why", "police", cwd=folder).returncode == 2
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "case.zip").write_bytes(package.read_bytes())
    env = {"PATH": os.environ["PATH"], "HOME": str(elsewhere)}
    done = run("verify", "case.zip", "--signer", made["public_key"], "--json", cwd=elsewhere, env=env)
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"], found["items"]) == (0, True, 3)
    other = run("verify", "case.zip", "--signer", "ab" * 32, cwd=elsewhere, env=env)
    assert other.returncode == 1 and "signed by another vault" in other.stdout
    data = bytearray((elsewhere / "case.zip").read_bytes())
    data[data.rindex(b"parents")] ^= 1  # in the item: the page comes before it
    (elsewhere / "case.zip").write_bytes(data)
    done = run("verify", "case.zip", cwd=elsewhere, env=env)
    assert done.returncode == 1 and "CHANGED  items/chat-" in done.stdout
    assert run("verify", "missing.zip", cwd=elsewhere, env=env).returncode == 2


def test_the_page_in_a_package_shows_everything_and_runs_nothing(folder: Path) -> None:
    ran("export", "--case", "case-1", "--to", "case.zip", "--why", "police", "--recipient", "unit 7", cwd=folder)
    page = zipfile.ZipFile(folder / "case.zip").read("evidence.html").decode()
    assert "are your parents home" in page and "unit 7" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script" not in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert "Exported" in page and "Sealed" in page
    assert "not&#34;: &#34;a decision" in page, "what cannot be laid out is shown as it is"


def test_verify_of_the_vault_names_what_was_changed(folder: Path) -> None:
    head = ran("verify", cwd=folder).splitlines()[-1].split()[1]
    assert run("verify", "--expect-head", head, cwd=folder).returncode == 0
    path = next(path for path in (folder / "data" / "vault" / "objects").rglob("*") if path.is_file())
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    done = run("verify", cwd=folder)
    assert done.returncode == 1 and f"CHANGED  item {path.parent.name}{path.name}" in done.stdout
    (folder / "data" / "vault.key").unlink()
    done = run("verify", cwd=folder)
    assert done.returncode == 1 and "without the key no item was opened" in done.stdout
    assert run("verify", "--expect-head", "nonsense", cwd=folder).returncode == 2


def test_rewrap_moves_to_a_new_key_file(folder: Path) -> None:
    assert "3 keys are wrapped" in ran("rewrap", "--new-key-file", "new.key", "--why", "once a year", cwd=folder)
    done = run("list", cwd=folder)
    assert done.returncode == 2 and "another vault's key" in done.stderr
    done = run("verify", cwd=folder)
    assert done.returncode == 1 and "key of the vault" in done.stdout
    (folder / "upstander.toml").write_text('data = "data"\n[vault]\nkey_file = "new.key"\n')
    assert len(items(folder)) == 3


def test_stamp_without_an_authority_says_what_to_set(folder: Path) -> None:
    done = run("stamp", cwd=folder)
    assert done.returncode == 2 and "timestamp_url" in done.stderr
