"""``upstander study desk``: the coding desk as a page, on this computer only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from pathlib import Path

import click
import uvicorn

from upstander.cli.common import Mistake
from upstander.cli.study_shared import mistakes
from upstander.study.desk_server import Desk, create_app
from upstander.study.folder import Study

EXAMPLES = """
\b
Examples:
  upstander study desk spring --coder ada
  upstander study desk spring --coder cy --settle               disagreements of others
  upstander study desk spring --coder ada --settle --consensus  your own, after you have talked
"""


@click.command("desk", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--coder", required=True, metavar="NAME")
@click.option("--settle", "settling", is_flag=True, help="Decide where coders differ, instead of coding.")
@click.option("--consensus", is_flag=True, help="With --settle: also items that you coded, after you have talked.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Default: a free one.")
def command(folder: Path, coder: str, settling: bool, consensus: bool, port: int) -> None:
    """Code items in a page until Ctrl-C, by keyboard or pointer; the same desk as `upstander study code`.

    Only this computer reaches the page, and only with the link that is printed. Every item is on the disk as soon as it
    is kept. No media is shown: look at the item in the hotline's own viewer.
    """
    with mistakes():
        here = Desk(Study(folder), coder, settling, consensus)
    key = secrets.token_urlsafe(18)
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        raise Mistake(f"cannot listen on port {port} ({error.strerror}). Choose another with --port.") from None
    click.echo(f"Desk of {coder}: http://127.0.0.1:{listener.getsockname()[1]}/#{key}")
    click.echo("Ctrl-C ends it.")
    logging.basicConfig(level=logging.WARNING)
    config = uvicorn.Config(create_app(here, key), access_log=False, log_config=None, server_header=False)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
    click.echo(f"{here.done:,} {'decided' if settling else 'coded'}.")
