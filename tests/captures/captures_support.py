"""What the tests of captures share: stores in a temporary folder, frames, a service's settings."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec
import numpy as np
from click.testing import CliRunner

from upstander.captures.banks import Banks
from upstander.captures.bits import Words, to_bytes
from upstander.captures.opening import open_banks
from upstander.captures.recorded import Frame
from upstander.cli import group
from upstander.settings import CaptureSettings, Settings

NOW = 1_770_000_000_000


def settings_in(folder: Path, **captures: object) -> Settings:
    return msgspec.structs.replace(
        Settings(), data=str(folder), captures=msgspec.convert({"enabled": True, **captures}, CaptureSettings)
    )


def banks_in(folder: Path) -> Banks:
    return open_banks(settings_in(folder))


def random_words(count: int, seed: int = 1) -> Words:
    return np.random.default_rng(seed).integers(0, 2**64, (count, 4), dtype=np.uint64)


def noisy(words: Words, bits: int, seed: int = 5) -> Words:
    """Each fingerprint with so many of its bits turned."""
    rng = np.random.default_rng(seed)
    raw = np.unpackbits(np.frombuffer(to_bytes(words), np.uint8)).reshape(-1, 256)
    for row in raw:
        row[rng.choice(256, bits, replace=False)] ^= 1
    return np.frombuffer(np.packbits(raw).tobytes(), "<u8").astype(np.uint64).reshape(-1, 4)


def frames_of(
    words: Words, broadcast: str = "b1", start_ms: int = 0, step_ms: int = 1000, quality: int = 90
) -> list[Frame]:
    return [
        Frame("p", broadcast, start_ms + n * step_ms, NOW + start_ms + n * step_ms, quality, to_bytes(one))
        for n, one in enumerate(words)
    ]


class Ran(msgspec.Struct):
    """What a command said, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *arguments: str, text: str = "") -> Ran:
    """A command in this process, with ``folder`` as the working folder: a process for each would take seconds."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(group, list(arguments), input=text, standalone_mode=False)
    finally:
        os.chdir(before)
    problem = done.exception
    if isinstance(problem, click.ClickException):
        return Ran(problem.exit_code, done.stdout, problem.format_message())
    if problem is not None:
        raise problem
    return Ran(done.return_value or 0, done.stdout, done.stderr)
