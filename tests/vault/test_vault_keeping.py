"""Seal, read, hold, keep, delete: what each leaves in the ledger, and what is refused."""

from __future__ import annotations

import base64
import stat
import sys
from pathlib import Path

import msgspec
import pytest
from vault_support import DAY, NOW, chat, checked, new_vault, objects, sealed, settings_in

from upstander.model.vocabulary import AgeBand
from upstander.settings import PresetSettings, VaultSettings
from upstander.vault import opening
from upstander.vault.entries import Kind
from upstander.vault.errors import VaultError
from upstander.vault.keys import VARIABLE, CommandKey, LocalKey, key_from_file
from upstander.vault.vault import Vault

#: A key management service as the hook sees one: it wraps with a key of its own that it never gives away.
SERVICE = """
import base64, sys
from upstander.vault.keys import LocalKey
key = LocalKey(bytes(range(32)), "service")
data = base64.b64decode(sys.stdin.buffer.read())
out = getattr(key, sys.argv[1])(data, bytes.fromhex(sys.argv[2]))
sys.stdout.buffer.write(base64.b64encode(out))
"""


def kinds(vault: Vault) -> list[Kind]:
    return [vault.ledger.entry(seq).kind for seq in range(1, vault.ledger.size() + 1)]


def test_what_was_sealed_is_read_again_and_the_look_stands_in_the_ledger_first(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    (address,) = vault.seal([chat()], "case-1", 0, "a decision")
    assert kinds(vault) == [Kind.CREATED, Kind.SEALED]
    assert vault.read(address, "ann", "first review") == chat().content
    entry = vault.ledger.entry(3)
    assert (entry.kind, entry.by, entry.why, entry.items) == (Kind.VIEWED, "ann", "first review", (address,))
    objects(tmp_path)[0].unlink()
    with pytest.raises(VaultError, match="missing"):
        vault.read(address, "bob", "second review")
    assert vault.ledger.entry(4).by == "bob", "the look is noted even where nothing can be shown"


@pytest.mark.parametrize(("by", "why"), [("", "a reason"), ("ann", " ")])
def test_nothing_is_read_without_name_and_reason(tmp_path: Path, by: str, why: str) -> None:
    vault = new_vault(tmp_path)
    (address,) = sealed(vault, 1)
    with pytest.raises(VaultError, match="is needed"):
        vault.read(address, by, why)


def test_what_lies_on_disk_holds_neither_words_nor_names(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    sealed(vault)
    vault.ledger.scrub()
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"parents" not in data and b'"v1"' not in data and b'"b1"' not in data, path
            assert stat.S_IMODE(path.stat().st_mode) == 0o600 or "objects" in str(path)
    assert stat.S_IMODE((tmp_path / "data" / "vault" / "objects").stat().st_mode) == 0o700


def test_the_same_source_is_sealed_once_whatever_its_words_are_by_then(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    first = vault.seal([chat(1), chat(2)], "case-1", 0, "a decision")
    again = vault.seal([chat(2, "changed"), chat(1), chat(3)], "case-1", 0, "a decision")
    assert again[:2] == first[::-1]
    assert len(vault.of_case("case-1")) == 3 == len(objects(tmp_path))


def test_the_same_content_gives_another_item_each_time_so_that_nobody_can_compare(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    one, two = chat(1), msgspec.structs.replace(chat(1), source="another")
    addresses = vault.seal([one, two], "case-1", 0, "a decision")
    seals = [vault.ledger.entry(seq).sealed for seq in (2, 3)]
    assert addresses[0] != addresses[1]
    assert seals[0] and seals[1] and seals[0].commitment != seals[1].commitment


def test_a_deleted_item_is_gone_and_its_tombstone_stays(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    address, other = sealed(vault, 2)
    sql = "SELECT key FROM wrapped WHERE address = ?"
    wrapped = vault.ledger.connection.execute(sql, (address,)).fetchone()[0]
    stored = next(path for path in objects(tmp_path) if address[2:] in path.name)
    vault.delete(address, "eve", "asked to by the person")
    assert not stored.exists()
    ledger = tmp_path / "data" / "vault"
    for path in ledger.glob("ledger*"):
        assert wrapped not in path.read_bytes(), f"{path.name} still holds the item's key"
    with pytest.raises(VaultError, match=r"deleted by eve \(asked to by the person\)"):
        vault.read(address, "ann", "review")
    with pytest.raises(VaultError, match="deleted already"):
        vault.delete(address, "eve", "again")
    assert vault.read(other, "ann", "review")
    assert [entry.kind for entry in vault.ledger.about(address)] == [Kind.SEALED, Kind.DELETED]
    result = checked(tmp_path, vault)
    assert result.ok and (result.items, result.deleted, result.opened) == (2, 1, 1)


def test_killed_between_key_and_bytes_the_deletion_is_finished_later(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    (address,) = sealed(vault, 1)
    path = objects(tmp_path)[0]
    data = path.read_bytes()
    vault.delete(address, "eve", "asked to")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)  # as if the process had died just before the bytes went
    result = checked(tmp_path, vault)
    assert result.ok and "key destroyed, bytes still there" in result.notes[0]
    vault.expire()
    assert not path.exists()


def test_under_a_hold_nothing_is_deleted_by_anyone(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    address, _ = sealed(vault, 2)
    rows = vault.of_case("case-1")
    vault.hold(rows, "warrant 12", "ann", "police request")
    vault.hold(rows[:1], "warrant 13", "ann", "another request")
    with pytest.raises(VaultError, match="warrant 12, warrant 13"):
        vault.delete(address, "eve", "asked to", "ann")
    assert vault.expire(now=NOW * 2) == []
    vault.release(rows, "warrant 12", "ann", "it is over")
    with pytest.raises(VaultError, match="warrant 13"):
        vault.delete(address, "eve", "asked to", "ann")
    vault.release(rows, "warrant 13", "ann", "it is over")
    with pytest.raises(VaultError, match="none of these items"):
        vault.release(rows, "warrant 13", "ann", "it is over")
    assert vault.expire(now=NOW * 2) == [row.address for row in rows[::-1]]
    assert checked(tmp_path, vault).ok


def test_before_its_time_an_item_is_deleted_by_two_people_only(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    (address,) = sealed(vault, 1, keep_until=NOW + 10 * DAY)
    for second in ("", "eve"):
        with pytest.raises(VaultError, match="10 more days"):
            vault.delete(address, "eve", "asked to", second, now=NOW)
    assert vault.expire(now=NOW) == []
    entry = vault.delete(address, "eve", "asked to", "ann", now=NOW)
    assert (entry.by, entry.second) == ("eve", "ann")


def test_keeping_longer_never_shortens(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    sealed(vault, 1, keep_until=NOW)
    assert vault.keep(vault.of_case("case-1"), NOW + DAY, "ann", "filed") is not None
    assert vault.keep(vault.of_case("case-1"), NOW, "ann", "filed") is None
    assert vault.of_case("case-1")[0].keep_until == NOW + DAY
    assert vault.expire(now=NOW + 1, dry=True) == [] != vault.expire(now=NOW + DAY, dry=True)
    assert checked(tmp_path, vault).ok


def test_where_the_report_act_applies_evidence_is_kept_for_a_year(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    american = msgspec.structs.replace(settings, presets=PresetSettings(use=("us-report-act",)))
    nowhere = msgspec.structs.replace(settings, presets=PresetSettings(use=("none",)))
    assert opening.keep_days(american, AgeBand.FROM_10_TO_12) == 365
    assert opening.keep_days(nowhere, AgeBand.FROM_10_TO_12) == settings.vault.keep_days == 90
    longer = msgspec.structs.replace(american, vault=VaultSettings(keep_days=500))
    assert opening.keep_until(longer, AgeBand.UNKNOWN, NOW) == NOW + 500 * DAY


def test_rewrapping_makes_the_old_key_worthless(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    addresses = sealed(vault)
    old = key_from_file(tmp_path / "data" / "vault.key")
    assert vault.rewrap(LocalKey(bytes(32), "new"), "ann", "once a year") == 3
    assert vault.read(addresses[0], "ann", "review")
    vault.close()
    folder = opening.folder_of(settings_in(tmp_path))
    with pytest.raises(VaultError, match="another vault's key"):
        Vault(folder, old, opening.objects_in(settings_in(tmp_path)))
    again = Vault(folder, LocalKey(bytes(32), "new"), opening.objects_in(settings_in(tmp_path)))
    assert again.read(addresses[2], "ann", "review") == chat(3).content
    assert checked(tmp_path, again).ok


def test_the_key_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = msgspec.structs.replace(settings_in(tmp_path), vault=VaultSettings(key="environment"))
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(VaultError, match="is not set"):
        opening.create_vault(settings, "ann")
    monkeypatch.setenv(VARIABLE, "not base64!")
    with pytest.raises(VaultError, match="not Base64"):
        opening.create_vault(settings, "ann")
    monkeypatch.setenv(VARIABLE, base64.b64encode(bytes(31)).decode())
    with pytest.raises(VaultError, match="has 31 bytes"):
        opening.create_vault(settings, "ann")
    monkeypatch.setenv(VARIABLE, base64.b64encode(bytes(32)).decode())
    opening.create_vault(settings, "ann").close()
    (address,) = sealed(opening.open_vault(settings), 1)
    assert opening.open_vault(settings).read(address, "ann", "review") == chat().content
    assert not (tmp_path / "data" / "vault.key").exists()


def test_the_key_may_stay_in_a_key_management_service(tmp_path: Path) -> None:
    script = tmp_path / "service.py"
    script.write_text(SERVICE)
    command = (sys.executable, str(script))
    settings = msgspec.structs.replace(settings_in(tmp_path), vault=VaultSettings(key="command", key_command=command))
    vault = opening.create_vault(settings, "ann")
    (address,) = sealed(vault, 1)
    assert opening.open_vault(settings).read(address, "ann", "review") == chat().content
    broken = CommandKey([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(VaultError, match="wrap failed"):
        broken.wrap(bytes(32), b"")


def test_a_key_file_that_others_can_read_or_that_is_another_vaults_is_refused(tmp_path: Path) -> None:
    new_vault(tmp_path).close()
    path = tmp_path / "data" / "vault.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        opening.open_vault(settings_in(tmp_path))
    path.chmod(0o600)
    path.write_bytes(base64.b64encode(bytes(32)))
    with pytest.raises(VaultError, match="another vault's key"):
        opening.open_vault(settings_in(tmp_path))
    path.unlink()
    with pytest.raises(VaultError, match="cannot be read"):
        opening.open_vault(settings_in(tmp_path))


def test_one_folder_has_one_vault(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="upstander vault init"):
        opening.open_vault(settings_in(tmp_path))
    new_vault(tmp_path)
    with pytest.raises(VaultError, match="there is a vault"):
        new_vault(tmp_path)


def test_a_short_or_unknown_address_is_refused_with_what_to_do(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    (address,) = sealed(vault, 1)
    assert vault.find(address[:8].upper()).address == address
    for wrong in ("", address[:7], "0" * 64, "%" * 10):
        with pytest.raises(VaultError, match="no item"):
            vault.find(wrong)
