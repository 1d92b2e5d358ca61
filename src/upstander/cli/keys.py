"""``upstander keys``: make, list and revoke API keys."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.gateway.keys import KeyStore, KeyStoreError, Scope

EXAMPLES = """
\b
Examples:
  upstander keys create --platform mysite --scope events:write --scope decisions:read
  upstander keys list
  upstander keys revoke 3f9a0c1d2e4b
  upstander keys webhook-secret > webhook.secret && chmod 600 webhook.secret
"""


@click.group("keys", epilog=EXAMPLES)
def command() -> None:
    """API keys: each belongs to one platform and may do only what its scopes say.

    A running service sees new and revoked keys at once.
    """


@command.command("create")
@config_option
@click.option("--platform", required=True, help="The platform the key is for (lower case, digits, - and _).")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice([str(s) for s in Scope]))
@click.option("--note", default="", help="Who or what the key is for.")
@click.option("--json", "as_json", is_flag=True)
def create(
    config: Path | None, data: str | None, platform: str, scopes: tuple[str, ...], note: str, as_json: bool
) -> None:
    """Make a key and print it. It is shown this once; only its hash is kept."""
    store = KeyStore(settings_of(config, data).keys_path)
    try:
        text, key = store.create(platform, map(Scope, scopes), note)
    except KeyStoreError as error:
        raise Mistake(str(error)) from None
    finally:
        store.close()
    if as_json:
        print_json({"key": text, "id": key.id, "platform": platform, "scopes": sorted(key.scopes)})
    else:
        click.echo(text)


@command.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True)
def list_keys(config: Path | None, data: str | None, as_json: bool) -> None:
    """List the keys, without their secrets."""
    store = KeyStore(settings_of(config, data).keys_path)
    keys = store.entries()
    store.close()
    if as_json:
        print_json([msgspec.to_builtins(key) for key in keys])
        return
    if not keys:
        click.echo("No keys yet. Make one: upstander keys create --platform mysite --scope events:write")
        return
    table = Table(box=None)
    for column in ("id", "platform", "scopes", "made", "state", "note"):
        table.add_column(column)
    for key in keys:
        made = datetime.fromtimestamp(key.created_at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        state = "revoked" if key.revoked_at else "in force"
        table.add_row(key.id, key.platform, " ".join(sorted(key.scopes)), made, state, key.note)
    Console().print(table)


@command.command("revoke")
@config_option
@click.argument("identifier", metavar="ID")
def revoke(config: Path | None, data: str | None, identifier: str) -> None:
    """Take the key with this id out of force, for good."""
    store = KeyStore(settings_of(config, data).keys_path)
    try:
        store.revoke(identifier)
    except KeyStoreError as error:
        raise Mistake(str(error)) from None
    finally:
        store.close()
    click.echo(f"revoked {identifier}")


@command.command("webhook-secret")
def webhook_secret() -> None:
    """Print a new secret for signing webhooks. Keep it in a file of mode 600 and name that as `secret_file`."""
    click.echo("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
