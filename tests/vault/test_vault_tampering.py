"""Whatever byte is flipped, in the ledger, in an item or in a package: it is found, and what it belongs to is named."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vault_support import chat, checked, new_vault, objects, sealed, settings_in

from upstander.vault import inspect, opening, package
from upstander.vault.errors import VaultError
from upstander.vault.keys import LocalKey
from upstander.vault.vault import LEDGER, Vault

TABLES = ("meta", "entries", "nodes", "items", "wrapped", "holds", "about", "stamps")
#: What a finding may be called by when a row of this table was changed.
NAMES = {
    "meta": ("ledger meta", "signature of ledger entry 1", "ledger file"),
    "entries": ("ledger entry", "signature of ledger entry"),
    "nodes": ("tree node",),
    "items": ("item ",),
    "wrapped": ("item ", "key of item"),
    "holds": ("hold ",),
    "about": ("item ",),
    "stamps": ("time-stamp",),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vault in which everything that a vault can hold has happened."""
    folder = tmp_path_factory.mktemp("whole")
    vault = new_vault(folder)
    addresses = sealed(vault, 5)
    vault.read(addresses[0], "ann", "review")
    vault.hold(vault.of_case("case-1")[:2], "warrant 12", "ann", "police request")
    vault.keep(vault.of_case("case-1")[:1], 10**13, "ann", "filed")
    vault.delete(addresses[4], "eve", "asked to")
    vault.stamp("http://authority.example", vault.ledger.size(), b"a token", stamps_digest(b"a token"))
    made = package.export(vault, vault.of_case("case-1")[:3], "ann", "police request", "the police")
    (folder / "case.zip").write_bytes(made)
    vault.ledger.scrub()
    vault.close()
    return folder


def stamps_digest(token: bytes) -> str:
    from upstander.vault import stamps

    return stamps.digest(token)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worked")


def flipped(data: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[at % len(changed)] ^= 1 << bit
    return bytes(changed)


def open_copy(folder: Path) -> Vault | None:
    try:
        return opening.open_vault(settings_in(folder))
    except (VaultError, sqlite3.DatabaseError, ValueError):
        return None


def copy(whole: Path, worked: Path) -> Path:
    shutil.rmtree(worked / "data", ignore_errors=True)
    shutil.copytree(whole / "data", worked / "data")
    return worked


def contents(folder: Path) -> dict[str, Any] | None:
    """All that the tables say; ``None`` when they cannot be read."""
    try:
        connection = sqlite3.connect(folder / "data" / "vault" / LEDGER)
        found: dict[str, Any] = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
        found["version"] = connection.execute("PRAGMA user_version").fetchone()
        found["schema"] = connection.execute("SELECT sql FROM sqlite_master").fetchall()
        connection.close()
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    return found


def test_a_whole_vault_and_a_whole_package_are_found_whole(whole: Path) -> None:
    vault = open_copy(whole)
    assert vault is not None
    result = checked(whole, vault)
    assert result.ok, result.findings
    assert (result.items, result.deleted, result.opened) == (5, 1, 4)
    found = inspect.inspect(whole / "case.zip", vault.signer.public)
    assert found.ok, found.findings
    vault.close()


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_flipped_byte_of_a_package_is_found_and_named(whole: Path, worked: Path, at: int, bit: int) -> None:
    data = (whole / "case.zip").read_bytes()
    path = worked / "changed.zip"
    path.write_bytes(flipped(data, at, bit))
    found = inspect.inspect(path)
    assert not found.ok, f"byte {at % len(data)}"
    named = {finding.what for finding in found.findings}
    # Where a file's own bytes were changed, it is that file that is named.
    for name, (start, end) in places(data).items():
        if start <= at % len(data) < end:
            assert name in named, (name, found.findings)


def places(data: bytes) -> dict[str, tuple[int, int]]:
    import io
    import zipfile

    archive = zipfile.ZipFile(io.BytesIO(data))
    found = {}
    for info in archive.infolist():
        start = info.header_offset + 30 + len(info.filename)
        found[info.filename] = (start, start + info.file_size)
    return found


def test_a_file_added_to_removed_from_or_swapped_in_a_package_is_named(whole: Path, tmp_path: Path) -> None:
    from upstander.vault import container

    files, _ = container.unpack((whole / "case.zip").read_bytes())
    path = tmp_path / "case.zip"
    one, two = [name for name in files if name.startswith("items/")][:2]
    for change, what in (
        ({"items/extra.json": b"{}"}, "items/extra.json"),
        ({one: files[two]}, one),
        ({"ledger/00000001.json": files["ledger/00000002.json"]}, "ledger/00000001.json"),
    ):
        path.write_bytes(container.pack(files | change))
        assert what in {finding.what for finding in inspect.inspect(path).findings}
    for name in files:
        path.write_bytes(container.pack({other: data for other, data in files.items() if other != name}))
        assert name in {finding.what for finding in inspect.inspect(path).findings}, name
    path.write_bytes((whole / "case.zip").read_bytes() + b"\0")
    assert not inspect.inspect(path).ok
    path.write_bytes(b"")
    assert inspect.inspect(path).findings[0].what == "package file"


@settings(max_examples=60, deadline=None)
@given(which=st.integers(0, 100), at=st.integers(0, 10**6), bit=st.integers(0, 7), keyed=st.booleans())
def test_any_flipped_byte_of_an_item_is_found_and_the_item_named(
    whole: Path, worked: Path, which: int, at: int, bit: int, keyed: bool
) -> None:
    folder = copy(whole, worked)
    paths = objects(folder)
    path = paths[which % len(paths)]
    path.write_bytes(flipped(path.read_bytes(), at, bit))
    vault = open_copy(folder) if keyed else None
    result = checked(folder, vault)
    if vault is not None:
        vault.close()
    assert [finding.what for finding in result.findings] == [f"item {path.parent.name}{path.name}"]


@settings(max_examples=150, deadline=None)
@given(table=st.sampled_from(TABLES), row=st.integers(0, 1000), data=st.data())
def test_any_flipped_byte_of_any_field_of_the_ledger_is_found_and_named(
    whole: Path, worked: Path, table: str, row: int, data: st.DataObject
) -> None:
    folder = copy(whole, worked)
    connection = sqlite3.connect(folder / "data" / "vault" / LEDGER)
    connection.executescript("DROP TRIGGER entries_keep_update; DROP TRIGGER entries_keep_delete;")
    cursor = connection.execute(f"SELECT * FROM {table}")
    columns = [description[0] for description in cursor.description]
    rows = cursor.fetchall()
    chosen = rows[row % len(rows)]
    column = data.draw(st.integers(0, len(columns) - 1))
    before = chosen[column]
    at, bit = data.draw(st.integers(0, 10**4)), data.draw(st.integers(0, 6))
    if isinstance(before, int):
        after: Any = before ^ (1 << (at % 40))
    elif isinstance(before, str):
        after = flipped(before.encode(), at, bit).decode("ascii", "replace")
    else:
        after = flipped(before, at, bit)
    where = " AND ".join(f"{name} = ?" for name in columns)
    try:
        sql = f"UPDATE {table} SET {columns[column]} = ? WHERE {where}"
        connection.execute(sql, (after, *chosen))
        connection.commit()
    except sqlite3.IntegrityError:
        return  # it would have to be another row's key
    finally:
        connection.close()
    vault = open_copy(folder)
    result = checked(folder, vault)
    if vault is not None:
        vault.close()
    if table == "meta" and chosen[0] == "signing" and columns[column] == "value":
        assert vault is None, "a changed signing key does not open the vault"
        return
    assert not result.ok, (table, columns[column], before, after)
    assert any(finding.what.startswith(NAMES[table]) for finding in result.findings), (columns[column], result.findings)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 10**7), bit=st.integers(0, 7))
def test_any_flipped_byte_of_the_ledgers_file_changes_nothing_that_is_read_or_is_found(
    whole: Path, worked: Path, at: int, bit: int
) -> None:
    folder = copy(whole, worked)
    path = folder / "data" / "vault" / LEDGER
    path.write_bytes(flipped(path.read_bytes(), at, bit))
    before, after = contents(whole), contents(folder)
    vault = open_copy(folder)
    result = checked(folder, vault)
    if vault is not None:
        vault.close()
    if vault is not None and result.ok:
        # Free space of a page, a counter of SQLite's: nothing that anybody reads.
        assert after is not None and before is not None
        assert {k: v for k, v in after.items() if k != "schema"} == {k: v for k, v in before.items() if k != "schema"}


def test_entries_cut_off_at_the_end_or_another_ledger_show_against_a_known_head(whole: Path, worked: Path) -> None:
    from upstander.vault.check import Check

    folder = copy(whole, worked)
    vault = open_copy(folder)
    assert vault is not None
    head = vault.head()
    objects_in = opening.objects_in(settings_in(folder))
    where = opening.folder_of(settings_in(folder))

    def against(size: int, root: str) -> list[str]:
        return [finding.wrong for finding in Check(where, objects_in, vault, None, (size, root)).run().findings]

    assert against(head.size, head.root) == []
    assert "its end was cut off" in against(head.size + 1, head.root)[0]
    assert "is another one" in against(head.size - 1, head.root)[0]
    vault.close()


def test_who_has_the_disk_but_not_the_key_cannot_make_an_entry_that_holds(whole: Path, worked: Path) -> None:
    folder = copy(whole, worked)
    key = LocalKey(bytes(32), "the intruder's")
    with pytest.raises(VaultError, match="another vault's key"):
        Vault(opening.folder_of(settings_in(folder)), key, opening.objects_in(settings_in(folder)))
    # With a signing key of their own, they have to change the public key too, which the first entry names.
    from upstander.vault.keys import Signer
    from upstander.vault.vault import _SIGNING

    signer, private = Signer.new()
    connection = sqlite3.connect(folder / "data" / "vault" / LEDGER)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'public'", (signer.public.encode(),))
    connection.execute("UPDATE meta SET value = ? WHERE name = 'signing'", (key.wrap(private, _SIGNING),))
    connection.commit()
    connection.close()
    vault = Vault(opening.folder_of(settings_in(folder)), key, opening.objects_in(settings_in(folder)))
    vault.seal([chat(99)], "case-1", 0, "a forgery")
    result = checked(folder, None)
    vault.close()
    assert any(finding.what == "ledger meta" for finding in result.findings)
    assert any(finding.what.startswith("signature of ledger entry") for finding in result.findings)
