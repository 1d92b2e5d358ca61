"""``upstander people``: the accounts of the console, and the ledger of what people looked at and did."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.people.permissions import PURPOSE, Role

if TYPE_CHECKING:
    from upstander.people.audit import Act, Audit, Checked
    from upstander.people.model import Person
    from upstander.people.store import People
    from upstander.settings import Settings

EXAMPLES = """
\b
Examples:
  upstander people add ada --role administrator
  upstander people add ben --role moderator --platform mysite --temporary
  upstander people list
  upstander people role ben --role senior
  upstander people reset ben --temporary
  upstander people disable ben
  upstander people audit --broadcast b17
  upstander people audit --check
"""
ROLES = "\n".join(f"  {role:<14} {purpose}" for role, purpose in PURPOSE.items())
role_option = click.option(
    "--role", "roles", multiple=True, required=True, type=click.Choice([str(role) for role in Role])
)
temporary_option = click.option(
    "--temporary", is_flag=True, help="Make a random password and print it; it must be changed at the first sign-in."
)
json_option = click.option("--json", "as_json", is_flag=True)


@click.group("people", epilog=EXAMPLES)
def command() -> None:
    """Who may sign in to the console, and what they did there.

    A running service sees every change at once. Passwords are asked for, or read from standard input: never given as an
    argument. The second factor is set up at the first sign-in.
    """


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[People, Audit]]:
    """The accounts and the ledger; errors that a user can mend become one line."""
    try:
        from upstander.people.audit import Audit  # noqa: PLC0415
        from upstander.people.model import PeopleError  # noqa: PLC0415
        from upstander.people.store import People  # noqa: PLC0415
    except ImportError as error:
        raise Mistake(f"this needs packages that are not installed ({error.name}). {INSTALL}") from None
    people, audit = People(settings.people_path), Audit(settings.audit_path)
    try:
        yield people, audit
    except PeopleError as error:
        raise Mistake(str(error)) from None
    finally:
        people.close()
        audit.close()


INSTALL = "Run: pip install 'upstander[console]'"


def _note(audit: Audit, what: Act, subject: str, detail: str = "") -> None:
    from upstander.people.audit import Note  # noqa: PLC0415

    audit.append(Note(f"command line {pwd.getpwuid(os.getuid()).pw_name}", what, subject=subject, detail=detail))


def _password(name: str, temporary: bool) -> tuple[str, str]:
    """A password (empty unless it is a temporary one to print) and its hash."""
    try:
        from upstander.people.passwords import hash_password, hash_temporary  # noqa: PLC0415
    except ImportError as error:
        raise Mistake(f"this needs packages that are not installed ({error.name}). {INSTALL}") from None
    if temporary:
        return hash_temporary()
    if sys.stdin.isatty():
        text = click.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True)
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    return "", hash_password(text, name)


def _made(person: Person, password: str, as_json: bool) -> None:
    if as_json:
        print_json(_plain(person) | ({"password": password} if password else {}))
        return
    held = ", ".join(sorted(person.roles))
    click.echo(f"{person.name}: {held}. The second factor is set up at the first sign-in.")
    if password:
        click.echo(f"Temporary password, shown this once: {password}")


def _plain(person: Person) -> dict[str, object]:
    return {
        "name": person.name,
        "roles": sorted(person.roles),
        "platforms": sorted(person.platforms),
        "second_factor": bool(person.totp),
        "subject": person.subject,
        "made_at": person.made_at,
        "signed_in_at": person.signed_in_at,
        "disabled_at": person.disabled_at,
    }


@command.command("add", epilog=f"\b\nRoles:\n{ROLES}")
@config_option
@click.argument("name")
@role_option
@click.option("--platform", "platforms", multiple=True, help="Sees this platform only (repeatable). Default: all.")
@click.option("--subject", default="", help="Who this is at the identity provider; then there is no password here.")
@temporary_option
@json_option
def add(
    config: Path | None, data: str | None, name: str, roles: tuple[str, ...], platforms: tuple[str, ...], subject: str,
    temporary: bool, as_json: bool,
) -> None:  # fmt: skip
    """Add a person."""
    with _opened(settings_of(config, data)) as (people, audit):
        from upstander.people.audit import Act  # noqa: PLC0415

        password, kept = ("", "") if subject else _password(name, temporary)
        person = people.add(
            name, map(Role, roles), kept, platforms, must_change=temporary and not subject, subject=subject
        )
        _note(audit, Act.PERSON_ADDED, name, ", ".join(sorted(person.roles)))
        _made(person, password, as_json)


@command.command("list")
@config_option
@json_option
def list_people(config: Path | None, data: str | None, as_json: bool) -> None:
    """List the accounts."""
    with _opened(settings_of(config, data)) as (people, _):
        found = people.everyone()
    if as_json:
        print_json([_plain(person) for person in found])
        return
    if not found:
        click.echo("No accounts yet. Make one: upstander people add NAME --role administrator")
        return
    table = Table(box=None)
    for column in ("name", "roles", "platforms", "second factor", "signed in", "state"):
        table.add_column(column)
    for person in found:
        factor = "code" if person.totp else "provider" if person.subject else "not set up"
        state = "disabled" if person.disabled_at else "in force"
        roles, platforms = " ".join(sorted(person.roles)), " ".join(sorted(person.platforms)) or "all"
        table.add_row(person.name, roles, platforms, factor, _time(person.signed_in_at), state)
    Console().print(table)


@command.command("role", epilog=f"\b\nRoles:\n{ROLES}")
@config_option
@click.argument("name")
@role_option
@click.option(
    "--platform", "platforms", multiple=True, help="Sees this platform only (repeatable). Default: as before."
)
@json_option
def role(
    config: Path | None, data: str | None, name: str, roles: tuple[str, ...], platforms: tuple[str, ...], as_json: bool
) -> None:
    """Give a person these roles in place of those they have. Their sessions end."""
    with _opened(settings_of(config, data)) as (people, audit):
        from upstander.people.audit import Act  # noqa: PLC0415

        before = ", ".join(sorted(people.get(name).roles))
        person = people.set_roles(name, map(Role, roles), platforms or None)
        _note(audit, Act.PERSON_ROLES, name, f"{before} -> {', '.join(sorted(person.roles))}")
        if as_json:
            print_json(_plain(person))
        else:
            click.echo(f"{name}: {', '.join(sorted(person.roles))}")


@command.command("reset")
@config_option
@click.argument("name")
@temporary_option
@json_option
def reset(config: Path | None, data: str | None, name: str, temporary: bool, as_json: bool) -> None:
    """A new password, and a second factor that is set up again: for somebody who lost theirs. Their sessions end."""
    with _opened(settings_of(config, data)) as (people, audit):
        from upstander.people.audit import Act  # noqa: PLC0415

        people.get(name)
        password, kept = _password(name, temporary)
        people.reset(name, kept, must_change=temporary)
        _note(audit, Act.PERSON_RESET, name)
        _made(people.get(name), password, as_json)


@command.command("disable")
@config_option
@click.argument("name")
@click.option("--undo", is_flag=True, help="Put the account in force again.")
def disable(config: Path | None, data: str | None, name: str, undo: bool) -> None:
    """Take an account out of force; its sessions end at once."""
    with _opened(settings_of(config, data)) as (people, audit):
        from upstander.people.audit import Act  # noqa: PLC0415

        (people.enable if undo else people.disable)(name)
        _note(audit, Act.PERSON_ENABLED if undo else Act.PERSON_DISABLED, name)
    click.echo(f"{name}: {'in force again' if undo else 'disabled'}")


@command.command("audit")
@config_option
@click.option("--who", default="", help="What this person (or `key ID`) looked at and did.")
@click.option("--what", default="", help="Entries of one kind, such as `broadcast viewed`.")
@click.option("--broadcast", default="", help="Who looked at this broadcast, and what they did.")
@click.option("--subject", default="", help="What was done to this account or `key ID`.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option(
    "--check", "checking", is_flag=True, help="Hash the whole ledger again and compare the journal's anchors."
)
@json_option
def audit_command(
    config: Path | None, data: str | None, who: str, what: str, broadcast: str, subject: str, limit: int,
    checking: bool, as_json: bool,
) -> None:  # fmt: skip
    """Search the ledger, latest entries first; or check that nobody changed it.

    With --check, exit status 1 means that something was changed; each finding names the entry.
    """
    settings = settings_of(config, data)
    with _opened(settings) as (_, audit):
        if checking:
            from upstander.people.anchors import anchors_in  # noqa: PLC0415

            result = audit.check(anchors_in(settings.journal_path))
            _say_checked(result, as_json)
            if not result.ok:
                click.get_current_context().exit(1)
            return
        found = audit.search(who=who, what=what, broadcast=broadcast, subject=subject, limit=limit)
    if as_json:
        for entry in found:
            print_json(msgspec.to_builtins(entry))
        return
    for entry in found:
        where = f" [{entry.platform}: {entry.broadcast}]" if entry.broadcast else ""
        about = f" -> {entry.subject}" if entry.subject else ""
        detail = f" ({entry.detail})" if entry.detail else ""
        click.echo(f"{entry.seq:>7}  {_time(entry.at)}  {entry.who}: {entry.what}{where}{about}{detail}")
    if not found:
        click.echo("No entry fits.")


def _say_checked(result: Checked, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(result) | {"ok": result.ok})
        return
    click.echo(f"{result.entries:,} entries, {result.anchors:,} anchors in the journal; last hash {result.head}")
    for finding in result.findings:
        click.echo(f"CHANGED: {finding}")
    if result.ok:
        click.echo("The ledger is whole.")


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "never"
