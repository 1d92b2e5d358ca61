"""Does an adapter keep the contract of ``base.Adapter``? Checks for everyone who writes one; no test framework needed.

What a platform is, is not here: the caller brings one, a fake or a real one on loopback, as a ``Bench``. How to use it:
docs/adapters/conformance.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import msgspec

from upstander.adapters.conformance.checks import CHECKS, Check, NotApplicable
from upstander.adapters.conformance.trial import Bench

__all__ = ["Bench", "Finding", "Result", "assert_conforms", "examine"]


class Result(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


class Finding(msgspec.Struct, frozen=True):
    """One check: its name, what came of it, and what was wrong (a line for each fault)."""

    check: str
    result: Result
    faults: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n  ".join([f"{self.result}: {self.check}", *self.faults])


async def examine(bench: Bench) -> list[Finding]:
    """Every check, one finding each."""
    with _heard() as lines:
        findings = [await _finding(check, bench) for check in CHECKS]
    leaks = [f"a log line of {name} holds a secret" for name, line in lines if any(s in line for s in bench.secrets)]
    result = Result.FAILED if leaks else Result.PASSED
    return [*findings, Finding("no secret in any log", result, tuple(dict.fromkeys(leaks)))]


async def assert_conforms(bench: Bench) -> None:
    """``examine``; raises ``AssertionError`` with all that was found wrong."""
    failed = [str(finding) for finding in await examine(bench) if finding.result is Result.FAILED]
    if failed:
        raise AssertionError("the adapter does not keep the contract:\n" + "\n".join(failed))


async def _finding(check: Check, bench: Bench) -> Finding:
    name = check.__name__.replace("_", " ")
    try:
        faults = await check(bench)
    except NotApplicable as why:
        return Finding(name, Result.NOT_APPLICABLE, (str(why),))
    except Exception as error:  # a fault of the adapter's, wherever it shows
        faults = [f"raised {type(error).__name__}: {error}"]
    return Finding(name, Result.FAILED if faults else Result.PASSED, tuple(faults))


@contextmanager
def _heard() -> Iterator[list[tuple[str, str]]]:
    """Every log line of this process while the checks run, with its logger's name."""
    lines: list[tuple[str, str]] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((record.name, record.getMessage()))

    root, ear = logging.getLogger(), Ear()
    before = root.level
    root.addHandler(ear)
    # Below it httpx's transport writes whole requests, which no service logs.
    root.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        root.removeHandler(ear)
        root.setLevel(before)
