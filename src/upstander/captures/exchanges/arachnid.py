"""Project Arachnid Shield: asked about fingerprints, a batch at a time. Hashes leave this machine, pictures do not."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from upstander.captures.errors import CaptureError
from upstander.captures.exchanges.base import Http

SERVER = "https://shield.projectarachnid.com"
BATCH = 100


class Answer(msgspec.Struct, frozen=True):
    """What Shield says of one PDQ: ``classification`` is its own word, empty where it knows nothing like it."""

    pdq: str
    classification: str = ""

    @property
    def known(self) -> bool:
        """Whether it knows something like it."""
        return self.classification not in ("", "no-known-match")


class Shield:
    """The API."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def ask(self, pdqs: Sequence[str]) -> list[Answer]:
        """What is known of PDQs (hexadecimal), in their order. Raises ``CaptureError``."""
        found: list[Answer] = []
        for start in range(0, len(pdqs), BATCH):
            batch = {base64.b64encode(bytes.fromhex(pdq)).decode(): pdq for pdq in pdqs[start : start + BATCH]}

            def read(answer: httpx.Response, sent: dict[str, str] = batch) -> list[Answer]:
                return _read(answer, sent)

            told = {one.pdq: one for one in self._http.ask("POST", "/v1/pdq/", json={"hashes": list(batch)}, read=read)}
            found += [told[pdq] for pdq in pdqs[start : start + BATCH]]
        return found


def _read(answer: httpx.Response, sent: dict[str, str]) -> list[Answer]:
    told: dict[str, dict[str, Any] | None] = answer.json()["scanned_hashes"]
    missing = set(sent) - set(told)
    if missing:
        raise CaptureError(f"{len(missing)} of {len(sent)} hashes have no answer")
    return [Answer(pdq, str((told[key] or {}).get("classification") or "")) for key, pdq in sent.items()]
