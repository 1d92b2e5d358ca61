"""``POST /v1/events`` and ``POST /v1/hold``: events in, decisions out."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from upstander.gateway.http import Refused, authorise, json_response, read_body, service_of, whole_number
from upstander.gateway.intake import Intake, Line, Overloaded, Unavailable, now_ms, verdict_of
from upstander.gateway.keys import Scope
from upstander.gateway.repeats import Accepted
from upstander.journal.entries import Kind
from upstander.model.answers import EventError, EventResult, EventsAnswer, HoldAnswer
from upstander.model.decision import Asked, Decision
from upstander.model.events import AnyEvent, Comment, Gift
from upstander.model.vocabulary import AgeBand, Intervention
from upstander.model.wire import WireError, decode_event, read_events

log = logging.getLogger(__name__)


def split_body(body: bytes, limit: int) -> list[Line]:
    """Events in a body: one JSON object, a JSON array of them, or JSON Lines."""
    text = body.strip()
    if not text:
        raise Refused(400, "the body is empty", "Send one event, a JSON array of events, or JSON Lines.")
    first = text.split(b"\n", 1)[0]
    if text.startswith(b"[") and (b"\n" not in text or _is_json(text) or not _is_json(first)):
        try:
            parts = msgspec.json.decode(text, type=list[msgspec.Raw])
        except (msgspec.DecodeError, RecursionError) as error:
            raise Refused(400, f"the body is not JSON ({error})", "Check the array's brackets and commas.") from None
        lines: list[Line] = []
        for number, part in enumerate(parts, 1):
            raw = bytes(part)
            try:
                lines.append((number, raw, decode_event(raw, number)))
            except WireError as wrong:
                lines.append((number, raw, wrong))
    elif _is_json(first) or not _is_json(text):
        lines = list(read_events(body.split(b"\n")))  # the body as it came, so that lines are counted as it has them
    else:
        lines = list(read_events([text]))  # one object over several lines, as people write them by hand
    if len(lines) > limit:
        raise Refused(413, f"{len(lines):,} events in one request", f"Send at most {limit:,} at once.")
    return lines


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


async def post_events(request: Request) -> Response:
    """Take one event or a batch; answer when all that was accepted is durable."""
    began = time.perf_counter()
    key = authorise(request, Scope.EVENTS_WRITE)
    service = service_of(request)
    limits = service.settings.limits
    # More than may ever wait at once would be answered 429 for ever: say at once that it is too much.
    lines = split_body(await read_body(request), min(limits.max_batch, limits.max_pending))
    results = await service.intake.observe(key.platform, lines)
    accepted = [result for result in results if isinstance(result, Accepted)]
    answer = EventsAnswer(
        accepted=len(accepted),
        duplicates=sum(result.duplicate for result in accepted),
        results=[EventResult(r.event, r.seq, r.duplicate, r.decision) for r in accepted],
        errors=[EventError(e.line, e.field, e.reason, e.fix, e.event) for e in results if isinstance(e, WireError)],
    )
    service.metrics.took("events", time.perf_counter() - began)
    return json_response(answer, 422 if answer.errors and not accepted else 200)


async def post_hold(request: Request) -> Response:
    """Hold one comment until it is decided, or until its deadline."""
    began = time.perf_counter()
    key = authorise(request, Scope.EVENTS_WRITE)
    service = service_of(request)
    raw = (await read_body(request)).strip()
    try:
        event = decode_event(raw)
        if not isinstance(event, Comment | Gift):
            raise WireError("type", "only a `comment` or a `gift` can be held", "Send other events to /v1/events.")
    except WireError as error:
        return json_response({"error": error.as_dict()}, 422)
    deadline_ms, on_deadline = _terms(service.intake, key.platform, event, request.query_params.get("deadline_ms"))
    answer = HoldAnswer(event.id, on_deadline, False, False, 0, None)
    status, headers = 200, None
    try:
        result = service.intake.submit(key.platform, [(0, raw, event)], inline=True)[0]
    except (Overloaded, Unavailable) as error:
        # The platform still needs an answer for the comment it holds: the fail policy's.
        status = 429 if isinstance(error, Overloaded) else 503
        headers = {"retry-after": str(error.retry_after_s)}
        return json_response(answer, status, headers)
    if isinstance(result, WireError):
        return json_response({"error": result.as_dict()}, 422)
    remaining = deadline_ms / 1000 - (time.perf_counter() - began)
    done, _ = await asyncio.wait([result], timeout=max(0.0, remaining))
    if not done:
        # Not said to be accepted: it is not durable yet, and nothing may be lost that was.
        service.metrics.deadlines_missed += 1
        late = asyncio.create_task(_late(service.intake, key.platform, event, answer.verdict, result))
        service.intake.late.add(late)
        late.add_done_callback(service.intake.late.discard)
    elif result.exception() is not None:
        status, headers = 503, {"retry-after": str(Unavailable.retry_after_s)}
    else:
        accepted = result.result()
        verdict = verdict_of(accepted.decision)
        answer = HoldAnswer(event.id, verdict, True, True, accepted.seq, accepted.decision)
    service.metrics.took("hold", time.perf_counter() - began)
    return json_response(answer, status, headers)


def _terms(intake: Intake, platform: str, event: AnyEvent, asked: str | None) -> tuple[int, str]:
    """How long this comment waits (ms), and what becomes of it when it waited in vain."""
    broadcast = intake.broadcast(platform, event.broadcast)
    band = broadcast.band if broadcast else AgeBand.UNKNOWN
    on_deadline = (broadcast.on_deadline if broadcast else "") or intake.runtime.policy.on_deadline(band)
    deadline = (broadcast.deadline_ms if broadcast else 0) or intake.settings.hold.deadline_ms
    if asked is not None:
        number = whole_number(asked, 1, 10_000)
        if number is None:
            raise Refused(400, f"deadline_ms is {asked[:20]!r}", "Give whole milliseconds from 1 to 10000.")
        deadline = number
    return deadline, on_deadline


async def _late(
    intake: Intake, platform: str, event: AnyEvent, answered: str, result: asyncio.Future[Accepted]
) -> None:
    """The deadline passed first: once the decision is there, put right what was answered."""
    try:
        accepted = await result
        verdict = verdict_of(accepted.decision)
        note = {"event": event.id, "answered": answered, "decided": verdict, "at": now_ms()}
        await intake.record(Kind.ANSWER, platform, event.broadcast, note)
        if answered in (verdict, "block"):
            return  # as answered; or blocked, and then there is nothing left to release
        # A comment that was let through has been seen: it is not held any more but taken down.
        do = Intervention.RELEASE_COMMENT if verdict == "allow" else Intervention.DELETE_COMMENT
        decision = accepted.decision
        if decision is None:
            decision = Decision(event.id, event.broadcast, None, event.at_ms, "clear", (), (), (), 0.0, 0.0, (), {})
        await intake.ask(platform, decision, Asked(do, event.id))
    except Unavailable as error:
        log.warning("a late decision could not be followed up: %s", error)
