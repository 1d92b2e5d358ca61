"""``upstander vault verify``: a package on any machine, or the vault itself."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from cryptography import x509
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.vault import inspect, opening
from upstander.vault.check import Check, Checked, Finding
from upstander.vault.errors import NoKey, VaultError
from upstander.vault.ledger import Ledger
from upstander.vault.page import moment
from upstander.vault.stamps import roots_of
from upstander.vault.vault import LEDGER, Vault

EXAMPLES = """
\b
Examples:
  upstander vault verify case.zip --signer 4514e793…
  upstander vault verify case.zip --roots authority.pem --json
  upstander vault verify
  upstander vault verify --expect-head 1204:3cc09c07…
"""


@click.command("verify", epilog=EXAMPLES)
@config_option
@click.argument("package", metavar="[PACKAGE]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--signer", metavar="KEY", default="", help="The public key that the package must be signed by.")
@click.option(
    "--roots",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Trusted certificates (PEM) of time-stamp authorities.",
)
@click.option("--expect-head", metavar="SIZE:ROOT", help="A head of the vault's ledger that is known from elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
def verify_command(
    config: Path | None,
    data: str | None,
    package: Path | None,
    signer: str,
    roots: Path | None,
    expect_head: str | None,
    as_json: bool,
) -> None:
    """Check PACKAGE, which needs neither service nor key; without PACKAGE, check the vault itself.

    Whatever was changed is named. Without --signer a package is only known to be whole, not whose it is.
    Exit status: 0 when all is well, 1 when something was changed.
    """
    try:
        trusted = roots_of(roots) if roots else []
        if package is not None:
            _package(inspect.inspect(package, signer, trusted), bool(signer), as_json)
        else:
            _vault(config, data, trusted, _expected(expect_head), as_json)
    except VaultError as error:
        raise Mistake(str(error)) from None


def _expected(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    size, _, root = text.partition(":")
    if not (size.isascii() and size.isdigit() and len(root) == 64):
        raise Mistake(f"--expect-head {text!r} is no head. Give SIZE:ROOT as an earlier verify printed it.")
    return int(size), root.lower()


def _package(found: inspect.Inspected, known: bool, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(found) | {"ok": found.ok, "signer_known": known})
    else:
        if found.signer:
            click.echo(f"case {found.case}, exported {moment(found.at)} by {found.by}")
            click.echo(f"items {found.items:,}, ledger entries {found.entries:,}")
            click.echo(f"signed by {found.signer}" + ("" if known else "  (compare it: see --signer)"))
        for at in found.stamped:
            click.echo(f"time-stamped {at}")
        _findings(found.findings, found.notes, "the package")
    if not found.ok:
        raise click.exceptions.Exit(1)


def _vault(
    config: Path | None, data: str | None, trusted: list[x509.Certificate], expect: tuple[int, str] | None, quiet: bool
) -> None:
    settings = settings_of(config, data)
    if not trusted and settings.vault.timestamp_roots:
        trusted = roots_of(Path(settings.vault.timestamp_roots))
    folder, objects = opening.folder_of(settings), opening.objects_in(settings)
    vault: Vault | None = None
    why_closed: VaultError | None = None
    try:
        vault = opening.open_vault(settings)
    except VaultError as error:
        if not opening.exists(settings):
            raise
        why_closed = error
    console = Console(stderr=True)
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("", total=_steps(vault))
        result = Check(folder, objects, vault, trusted, expect, lambda: progress.advance(task)).run()
    if vault is not None:
        vault.close()
    if isinstance(why_closed, NoKey):
        result.notes.append(str(why_closed))
    elif why_closed is not None and result.ok:
        result.findings.append(Finding("key of the vault", str(why_closed)))
    if quiet:
        print_json(msgspec.to_builtins(result) | {"ok": result.ok, "ledger": str(folder / LEDGER)})
    else:
        _told(result)
    if not result.ok:
        raise click.exceptions.Exit(1)


def _steps(vault: Vault | None) -> int | None:
    if vault is None:
        return None
    ledger: Ledger = vault.ledger
    return ledger.size() + len(ledger.items())


def _told(result: Checked) -> None:
    click.echo(f"entries {result.entries:,}, items {result.items:,}, of which {result.deleted:,} deleted")
    click.echo(f"contents opened and checked {result.opened:,}")
    _findings(result.findings, result.notes, "the vault")
    if result.root:
        click.echo(f"head {result.entries}:{result.root}")


def _findings(findings: list[Finding], notes: list[str], what: str) -> None:
    for finding in findings:
        click.echo(f"CHANGED  {finding.what}: {finding.wrong}")
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"{what} is whole" if not findings else f"{what} is NOT whole: {len(findings):,} findings")
