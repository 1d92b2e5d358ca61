"""``upstander serve``: run the service."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from pathlib import Path
from types import FrameType

import click
import msgspec
import uvicorn
import uvloop

from upstander.cli.common import clear_errors, config_option, settings_of
from upstander.gateway.app import create_app
from upstander.gateway.service import Service
from upstander.settings import Server, Settings

EXAMPLES = """
\b
Examples:
  upstander serve
  upstander serve --config upstander.toml
  upstander serve --port 9000 --data /var/lib/upstander
"""


@click.command("serve", epilog=EXAMPLES)
@config_option
@click.option("--host", help="Listen here instead of the settings' host.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Listen on this port; 0 takes a free one.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def command(config: Path | None, data: str | None, host: str | None, port: int | None, log_level: str) -> None:
    """Run the service: events in, decisions out, until Ctrl-C or SIGTERM. SIGHUP has it read its packs again.

    Everything it writes is under one data folder. It listens on loopback unless told otherwise; put a TLS proxy in
    front of it before it listens anywhere else. Make a key for your platform with `upstander keys create`.
    """
    settings = settings_of(config, data)
    server = Server(host or settings.server.host, settings.server.port if port is None else port)
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # httpx logs every address it calls; webhook addresses may hold secrets.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with clear_errors():
        run(msgspec.structs.replace(settings, server=server))


def run(settings: Settings) -> None:
    """Serve until a signal comes. Raises ``SettingsError``, ``JournalError`` or ``PackError`` before that."""
    uvloop.run(_serve(settings))


class _Server(uvicorn.Server):
    """uvicorn, but open event streams are told to end as soon as a signal comes, not after the grace period."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn's own raises the signal again once all is closed; a service that stopped as asked ends with status 0.
        self._service.draining = True
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


async def _serve(settings: Settings) -> None:
    listener = _bind(settings.server)
    # By default it would end the process, and there is nothing to read again yet.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    service = Service(settings)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, service.reloader.ask)
    await service.start(_report)
    host, port = listener.getsockname()[:2]
    packs = service.intake.runtime.configuration.hash[:12]
    seen = sum(engine.state.observed for engine in service.intake.runtime.engines.values())
    replayed = service.intake.recovered.events
    logging.info("%s events in the journal, %s replayed; configuration %s", f"{seen:,}", f"{replayed:,}", packs)
    presets = ", ".join(service.intake.configuration.presets) or "none"
    logging.info("presets in force (`use` under [presets] chooses others): %s", presets)
    config = uvicorn.Config(
        create_app(service),
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=256 * 1024,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
        server_header=False,
        backlog=2048,
    )
    # What is said must be true already: who connects from here on waits a moment, and is not refused.
    listener.listen(2048)
    # Said on standard output, so that scripts that asked for port 0 can read it.
    click.echo(f"Upstander listens on http://{host}:{port} (data in {settings.data}). Ctrl-C stops it.")
    await _Server(config, service).serve(sockets=[listener])


def _report(entries: int) -> None:
    if entries % 100_000 == 0:
        logging.info("recovering: %s entries read", f"{entries:,}")


def _bind(server: Server) -> socket.socket:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((server.host, server.port))
    except OSError as error:
        listener.close()
        reason = f"cannot listen on {server.host}:{server.port} ({error.strerror})"
        raise click.ClickException(f"{reason}. Choose another with --port, or stop what holds it.") from None
    return listener
