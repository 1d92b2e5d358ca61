"""``upstander order``: what a person orders for a broadcast, through the running service."""

from __future__ import annotations

import uuid
from urllib.parse import quote

import click
import httpx

from upstander.cli.common import Mistake, print_json
from upstander.model.vocabulary import Intervention

EXAMPLES = """
\b
Examples:
  upstander order resume my-broadcast --by "A. Moderator" --reason "looked at it: a birthday greeting"
  upstander order end my-broadcast --by "A. Moderator" --reason "host in danger, police called"
  upstander order unmute_viewer my-broadcast --target v42 --by "A. Moderator" --reason "mistaken identity"
"""


@click.command("order", epilog=EXAMPLES)
@click.argument("do", metavar="WHAT", type=click.Choice([str(i) for i in Intervention]))
@click.argument("broadcast")
@click.option("--target", default="", help="A viewer (…_viewer) or a comment's event id (…_comment).")
@click.option("--by", required=True, help="Your name: it is recorded.")
@click.option("--reason", required=True, help="Why: it is recorded.")
@click.option("--url", default="http://127.0.0.1:8787", show_default=True, help="The running service.")
@click.option("--key", envvar="UPSTANDER_KEY", required=True, help="A key with orders:write (or $UPSTANDER_KEY).")
@click.option("--json", "as_json", is_flag=True)
def command(do: str, broadcast: str, target: str, by: str, reason: str, url: str, key: str, as_json: bool) -> None:
    """Order an intervention, or take one back, in a person's name."""
    body = {"id": f"order-{uuid.uuid4().hex}", "do": do, "by": by, "reason": reason, "target": target}
    headers = {"authorization": f"Bearer {key}"}
    address = f"{url.rstrip('/')}/v1/broadcasts/{quote(broadcast, safe='')}/orders"
    try:
        response = httpx.post(address, json=body, headers=headers, timeout=10)
    except httpx.HTTPError as error:
        raise Mistake(f"{url} does not answer ({type(error).__name__}). Is `upstander serve` running there?") from None
    if not response.is_success:
        try:
            error_body = response.json()["error"]
            raise Mistake(f"{error_body['reason']}. {error_body['fix']}")
        except (ValueError, KeyError):
            raise Mistake(f"{url} answered {response.status_code}") from None
    if as_json:
        print_json(response.json())
    else:
        click.echo(f"recorded: {do} {broadcast}")
