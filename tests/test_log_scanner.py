"""The scanner of logs finds what it is for, leaves the rest alone, and is at work in this run."""

from __future__ import annotations

import logging

import pytest

from log_scanner import SCANNER, scan


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("sent with Authorization: Basic ZmFrZTpmYWtl", "a credential"),
        ("key ups_0123456789abcdef0123 is used", "a credential"),
        ("password=hunter22", "a credential"),
        ("https://user:pass@host.example/hook", "a credential"),
        ("whsec_AAECAwQFBgcICQ", "a credential"),
        ("report about zz_quillcanary", "a name"),
        ("quillon@canary.example wrote", "a name"),
        ("comment: are your parents home?", "chat"),
        ("login from 203.0.113.77:50123", "an IP address"),
        ("login from 2001:db8::7", "an IP address"),
        ("login from 10.0.0.2", "an IP address"),
    ],
)
def test_it_finds(line: str, kind: str) -> None:
    assert any(kind in found for found in scan(line)), scan(line)


@pytest.mark.parametrize(
    "line",
    [
        "Upstander listens on http://127.0.0.1:8787 (data in data). Ctrl-C stops it.",
        "listening on ::1 and 0.0.0.0",
        "report r-0123456789ab needs a person: see `upstander report status r-0123456789ab`",
        "12:30:45 reports: ncmec does not answer (ConnectError)",
        "packs 1.2.3, engine 0.1.0; 10:20:30 to 10:20:31",
    ],
)
def test_it_leaves_alone(line: str) -> None:
    assert scan(line) == []


def test_it_is_at_work_in_this_run_and_sees_tracebacks() -> None:
    before = SCANNER.lines
    try:
        raise ValueError("it was zz_quillcanary")
    except ValueError:
        logging.getLogger("upstander.test").exception("something failed")
    assert SCANNER.lines == before + 1
    [found] = SCANNER.take()
    assert found.startswith("upstander.test: a name at ")
