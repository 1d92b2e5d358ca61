"""``upstander teach serve``: the simulated stream for a class, on a server of the school's own."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket

import click
import uvicorn

from upstander.cli.teach_common import country_option, language_option, mistakes

EXAMPLES = """
\b
Examples:
  upstander teach serve
  upstander teach serve --host 0.0.0.0 --language es --country ES
"""
PORT = 8790


@click.command("serve", epilog=EXAMPLES)
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen here; 0.0.0.0 lets the class in.")
@click.option("--port", type=click.IntRange(0, 65_535), default=PORT, show_default=True, help="0 takes a free one.")
@language_option
@country_option
def serve_command(host: str, port: int, language: str, country: str) -> None:
    """Serve the simulated stream until Ctrl-C: a page for the teacher, one for the projector, one for pupils.

    Whoever has the teacher's link leads the class, so keep it. By default only this computer can open the pages. Before
    a class elsewhere uses them, put a TLS proxy of the school in front, or use a network of the school's own.
    Nothing is written to disk: no name, no account, no cookie, no address.
    """
    with mistakes():
        from upstander.teach.document import check_country  # noqa: PLC0415 - the page needs upstander[teach]
        from upstander.teach.server import create_app, make_key  # noqa: PLC0415

        check_country(country)
        listener = _bind(host, port)
        bound_host, bound_port = listener.getsockname()[:2]
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        if ipaddress.ip_address(bound_host).is_unspecified:
            shown = socket.gethostname()
        address, key = f"http://{shown}:{bound_port}", make_key()
        app = create_app(key, language, country, address)
    click.echo(f"Teacher:   {address}/teacher#{key}")
    click.echo(f"Projector: {address}/projector#{key}")
    click.echo(f"Pupils:    {address}/")
    click.echo("Ctrl-C ends it. Nothing is kept.")
    logging.basicConfig(level=logging.WARNING)
    # No access log: it would keep addresses.
    config = uvicorn.Config(
        app, access_log=False, log_config=None, server_header=False, ws="websockets-sansio", ws_max_size=4096,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise click.ClickException(
            f"cannot listen on {host}:{port} ({error.strerror}). Choose another with --port, or stop what holds it."
        ) from None
    return listener
