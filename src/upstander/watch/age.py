"""The age band of a face, as an estimate with its uncertainty. A band is a reason to be stricter, never to relax.

The default model runs in an environment of its own (``age_worker``, ``scripts/age.sh``): its package wants older
libraries than the rest. Anything that speaks the same lines may stand in its place.
"""

from __future__ import annotations

import base64
import json
import logging
import select
import subprocess
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from upstander.model.vocabulary import AgeBand, band_of_age
from upstander.watch.faces import Box, Rgb

log = logging.getLogger(__name__)

ANSWER_S = 2.0
#: A face narrower than this (in the picture for the models) is too small to say anything about.
LEAST_WIDTH = 24
#: How far the truth lies from an estimate at most, most of the time, in years. An assumption: no data set that it could
#: be measured on may be used here.
SPREAD_YEARS = 6.0


class Estimate(msgspec.Struct, frozen=True):
    """A model's guess: years, and how far the truth may lie from it."""

    years: float
    spread: float = SPREAD_YEARS

    @property
    def band(self) -> AgeBand:
        """The band, when the uncertainty leaves no doubt on which side of 18 it lies; else ``unknown``.

        Among children the younger side counts: the band of the estimate less half its spread.
        """
        if self.years - self.spread >= 18:
            return AgeBand.ADULT
        if self.years + self.spread >= 18:
            return AgeBand.UNKNOWN
        return band_of_age(max(0, int(self.years - self.spread / 2)))


class AgeModel(Protocol):
    """Estimates ages of faces. Returns one estimate a box, ``None`` where it cannot tell."""

    def estimate(self, rgb: Rgb, boxes: Sequence[Box]) -> list[Estimate | None]:
        """Estimates for the faces in these boxes."""

    def close(self) -> None:
        """Let go of what it holds."""


class AgeProcess:
    """A model in a process of its own: a line of JSON in for each face, a line out. It is started when first needed.

    In: ``{"width": w, "height": h, "rgb": base64}``. Out: ``{"years": y, "spread": s}`` or ``{}`` for "cannot tell".
    A process that dies or is late is started again at most three times; then ages are no longer estimated, and that is
    said once.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: Any = None
        self._faults = 0
        self._turn = threading.Lock()

    def estimate(self, rgb: Rgb, boxes: Sequence[Box]) -> list[Estimate | None]:
        """As ``AgeModel``."""
        if not self._turn.acquire(timeout=ANSWER_S):
            return [None] * len(boxes)
        try:
            return [self._ask(rgb, box) for box in boxes]
        finally:
            self._turn.release()

    def _ask(self, rgb: Rgb, box: Box) -> Estimate | None:
        left, top, right, bottom = box
        margin = (right - left) // 5
        face = rgb[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
        if right - left < LEAST_WIDTH or self._faults > 3:
            return None
        asked = {"width": face.shape[1], "height": face.shape[0], "rgb": base64.b64encode(face.tobytes()).decode()}
        try:
            answer = self._exchange(json.dumps(asked).encode() + b"\n")
            return msgspec.json.decode(answer, type=Estimate) if b"years" in answer else None
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            self._faults += 1
            log.warning("watch: the age model gave no answer (%s)%s", error, "; given up" if self._faults > 3 else "")
            self.close()
            return None

    def _exchange(self, line: bytes) -> bytes:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            patience = 30.0  # it loads its model
        else:
            patience = ANSWER_S
        self._process.stdin.write(line)
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], patience)[0]:
            raise OSError(f"nothing within {patience:g} s")
        answer: bytes = self._process.stdout.readline(1_000)
        if not answer:
            raise OSError("it ended")
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                pipe.close()
            self._process = None
