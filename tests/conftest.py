"""Fixtures that every test may use; what they are made of is in ``support``."""

from __future__ import annotations

import base64
import gc
import logging
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from browsing import launched
from log_scanner import SCANNER
from support import Gate, Receiver

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The same examples in every CI run: a failure there is a failure of the change. At one's desk they are fresh each time.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")


@pytest.fixture(autouse=True)
def _logs_hold_no_secrets() -> Iterator[None]:
    """Whatever is logged while a test runs, here or by a service that it starts, is looked at."""
    logging.getLogger().addHandler(SCANNER)  # once only: a handler is not added twice
    logging.getLogger("upstander").setLevel(logging.DEBUG)
    yield
    found = SCANNER.take()
    assert not found, f"this was logged, and must never be: {found}"


@pytest.fixture
def secret() -> str:
    """A webhook secret."""
    return "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def receiver(secret: str) -> Iterator[Receiver]:
    """A platform's webhook receiver on loopback."""
    with Receiver(secret) as running:
        yield running


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Stands before every commit of the journals in this process; open until a test closes it."""
    made = Gate(monkeypatch)
    yield made
    made.open()


@pytest.fixture(autouse=True)
def _interpreter() -> Iterator[None]:
    """A service in this process sets the switch interval, and tells the collector that what is there stays for good:
    hundreds of services would then stay for good, each with its detector."""
    before, thresholds = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(before)
    if gc.get_freeze_count():
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        gc.collect()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium. One a module: while it runs, nothing else in this process can run an event loop."""
    with launched() as running:
        yield running
