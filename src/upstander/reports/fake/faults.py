"""Faults that the fake service shows on demand, and how they are written: ``CALL:KIND[=VALUE][*TIMES]``."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from upstander.reports.cybertip import Call
from upstander.reports.model import ReportError
from upstander.reports.words import CODES


class Kind(StrEnum):
    """What goes wrong.

    ``drop`` and ``timeout`` (after VALUE seconds) carry the call out and give no answer; ``http`` answers with that
    HTTP status and does nothing, ``http_after`` after it was done; ``code`` answers with that response code (VALUE:
    code, or code and words); ``wrong_md5`` keeps damaged bytes; ``slow`` answers after VALUE seconds; ``duplicate``
    carries it out twice, as when a proxy sends it again; ``down`` is not there at all.
    """

    DROP = "drop"
    TIMEOUT = "timeout"
    HTTP = "http"
    HTTP_AFTER = "http_after"
    CODE = "code"
    WRONG_MD5 = "wrong_md5"
    SLOW = "slow"
    DUPLICATE = "duplicate"
    DOWN = "down"


class Fault(msgspec.Struct):
    """A fault of a call, shown ``times`` times (0: always)."""

    call: Call
    kind: Kind
    value: str = ""
    times: int = 1


_FORM = re.compile(r"(?P<call>[a-z]+):(?P<kind>[a-z_0-9]+)(?:=(?P<value>[^*]*))?(?:\*(?P<times>\d{1,6}))?")


def read(text: str) -> Fault:
    """A fault from its written form. Raises ``ReportError`` naming the part, the reason and the fix."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ReportError(f"{text!r} is no fault. Write CALL:KIND[=VALUE][*TIMES], such as upload:wrong_md5*2.")
    try:
        call, kind = Call(found["call"]), Kind(found["kind"])
    except ValueError:
        calls, kinds = ", ".join(Call), ", ".join(Kind)
        raise ReportError(f"{text!r} is no fault. Calls: {calls}. Kinds: {kinds}.") from None
    value = found["value"] or {Kind.HTTP: "500", Kind.HTTP_AFTER: "500", Kind.TIMEOUT: "60", Kind.SLOW: "3"}.get(
        kind, ""
    )
    number = value.partition(" ")[0]
    if kind is Kind.CODE and number not in map(str, CODES):
        raise ReportError(f"{text!r}: give a response code, such as code=4100. Known: {', '.join(map(str, CODES))}.")
    if kind in (Kind.HTTP, Kind.HTTP_AFTER) and not re.fullmatch("[345][0-9]{2}", value):
        raise ReportError(f"{text!r}: give an HTTP status from 300 to 599.")
    if kind in (Kind.SLOW, Kind.TIMEOUT) and not re.fullmatch(r"\d{1,4}(\.\d+)?", value):
        raise ReportError(f"{text!r}: give seconds.")
    return Fault(call, kind, value, int(found["times"]) if found["times"] else 1)
