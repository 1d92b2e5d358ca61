"""Fixtures of the tests of teaching."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from school import School

from support import until


@pytest.fixture(scope="module")
def school() -> Iterator[School]:
    with School() as running:
        until(lambda: running.room.engine == "ready", "the engine", patience_s=120)
        yield running
