"""``upstander fake-hotline``: a stand-in for NCMEC's CyberTipline, for tests of anybody's client."""

from __future__ import annotations

import click

from upstander.cli.common import Mistake

EXAMPLES = """
\b
Examples:
  upstander fake-hotline
  upstander fake-hotline --port 8790 --fault submit:drop --fault upload:wrong_md5*2
  upstander fake-hotline --fault "submit:code=4100 incidentType is missing" --ahead -120
  curl -s http://127.0.0.1:8790/_fake/reports
  curl -s http://127.0.0.1:8790/_fake/faults -d finish:http=500
"""


@click.command("fake-hotline", epilog=EXAMPLES)
@click.option("--port", type=click.IntRange(0, 65_535), default=8790, show_default=True, help="0 takes a free one.")
@click.option("--username", default="fake", show_default=True)
@click.option("--password", default="fake", show_default=True)
@click.option(
    "--fault", "faults", multiple=True, metavar="CALL:KIND[=VALUE][*TIMES]", help="Something that goes wrong."
)
@click.option("--ahead", type=int, default=0, metavar="SECONDS", help="How far the fake's clock is ahead.")
def command(port: int, username: str, password: str, faults: tuple[str, ...], ahead: int) -> None:
    """Pretend to be the CyberTipline on this machine: what it is sent stays in memory, and is reported to nobody.

    Calls: status, xsd, submit, upload, fileinfo, finish, retract. Kinds of faults: drop, timeout, http, http_after,
    code, wrong_md5, slow, duplicate, down.
    """
    try:
        from upstander.reports.fake.faults import read  # noqa: PLC0415 (what only the extra brings)
        from upstander.reports.fake.hotline import Hotline  # noqa: PLC0415
        from upstander.reports.fake.server import FakeServer  # noqa: PLC0415
        from upstander.reports.model import ReportError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Mistake(f"{error.name} is not installed. Run: pip install 'upstander[reports]'") from None
    hotline = Hotline(username, password, ahead_ms=ahead * 1_000)
    try:
        hotline.faults = [read(each) for each in faults]
        server = FakeServer(hotline, port=port)
    except ReportError as error:
        raise Mistake(str(error)) from None
    except OSError as error:
        raise Mistake(f"cannot listen on port {port} ({error.strerror}). Choose another with --port.") from None
    click.echo(f"the fake CyberTipline listens on {server.url}. Ctrl-C stops it.")
    try:
        server.wait()
    except KeyboardInterrupt:
        server.close()
