"""Events and holds over HTTP. Thread-safe; one client serves a whole process."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType

import httpx
import msgspec

from upstander.client.errors import Rejected, Unreachable
from upstander.model.answers import EventsAnswer, HoldAnswer
from upstander.model.events import AnyEvent, Comment, Gift

log = logging.getLogger(__name__)

RETRY_STATUS = frozenset({408, 429, 500, 502, 503, 504})


#: What became of a batch, and the answer for a held comment. When Upstander cannot be reached, ``Held.accepted`` and
#: ``Held.decided`` are false and the verdict is the client's own ``on_deadline``.
Sent = EventsAnswer
Held = HoldAnswer

#: An event and its JSON.
_Queued = tuple[AnyEvent, bytes]

_SENT = msgspec.json.Decoder(Sent)
_HELD = msgspec.json.Decoder(Held)
_ENCODER = msgspec.json.Encoder()
#: What a held comment's answer may take beyond its deadline before the client gives the fail policy's itself.
_HOLD_GRACE_S = 1.0


class Client:
    """A connection to one Upstander.

    ``send`` puts an event into a bounded queue that a background thread sends in batches; when the queue is full it
    blocks (back-pressure). ``send_now`` sends a batch and waits. ``hold`` waits for a verdict. Every event is safe to
    send again, and the client does so on its own after time-outs, 429 and 5xx, for up to ``patience_s``.

    ``on_sent`` is called from the background thread with the outcome of each batch, ``on_lost`` with the events of a
    batch that could not be delivered within ``patience_s``; what they raise is logged.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        batch: int = 200,
        linger_s: float = 0.05,
        queue_size: int = 10_000,
        timeout_s: float = 10.0,
        patience_s: float = 60.0,
        on_deadline: str = "hold",
        on_sent: Callable[[Sent], None] | None = None,
        on_lost: Callable[[list[AnyEvent], Exception], None] | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {key}"},
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32),
        )
        self._batch, self._linger, self._patience, self._timeout = batch, linger_s, patience_s, timeout_s
        self._on_deadline = on_deadline
        self._on_sent, self._on_lost = on_sent, on_lost
        self._queue: queue.Queue[_Queued | None] = queue.Queue(queue_size)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, event: AnyEvent, timeout_s: float | None = None) -> None:
        """Queue one event. Blocks while the queue is full; raises ``Unreachable`` after ``timeout_s`` of that.

        Raises ``Rejected`` for an event that cannot be written as JSON, so that it takes no others down with it.
        """
        if self._closed:
            raise Rejected("the client is closed")
        queued = (event, _encode(event))
        self._start()
        try:
            self._queue.put(queued, timeout=timeout_s)
        except queue.Full:
            raise Unreachable("the queue stayed full: Upstander takes events more slowly than they come") from None

    def send_now(self, events: Iterable[AnyEvent]) -> Sent:
        """Send a batch and wait until it is durable.

        Raises ``Rejected`` when the whole request is refused, ``Unreachable`` when it could not be delivered.
        """
        return self._send([_encode(event) for event in events])

    def _send(self, events: list[bytes]) -> Sent:
        response = self._post("/v1/events", b"[" + b",".join(events) + b"]")
        if response.status_code not in (200, 422):
            raise Rejected(_reason(response), response.status_code)
        return _SENT.decode(response.content)

    def hold(self, event: Comment | Gift, deadline_ms: int | None = None) -> Held:
        """Ask for a verdict on a comment that the platform holds back. Never retried: the comment is waiting.

        When Upstander cannot be reached, or gives no answer soon after ``deadline_ms``, the verdict is the client's
        ``on_deadline``.
        """
        parameters = {} if deadline_ms is None else {"deadline_ms": str(deadline_ms)}
        timeout = self._timeout if deadline_ms is None else min(self._timeout, deadline_ms / 1000 + _HOLD_GRACE_S)
        body = _encode(event)
        try:
            response = self._http.post("/v1/hold", content=body, params=parameters, timeout=timeout)
        except httpx.HTTPError as error:
            log.warning("hold: no answer (%s)", type(error).__name__)
            return Held(event.id, self._on_deadline, False, False, 0, None)
        if response.status_code in (200, 429, 503):
            try:
                return _HELD.decode(response.content)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return Held(event.id, self._on_deadline, False, False, 0, None)
        if response.status_code >= 500:
            return Held(event.id, self._on_deadline, False, False, 0, None)
        raise Rejected(_reason(response), response.status_code)

    def flush(self) -> None:
        """Wait until everything queued so far was sent (or given up)."""
        self._queue.join()

    def close(self) -> None:
        """Send what is queued, then close."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        self._http.close()

    # -- the background thread -----------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="upstander-client", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        last = False
        while not last:
            batch = [self._queue.get()]
            until = time.monotonic() + self._linger
            while batch[-1] is not None and len(batch) < self._batch:
                try:
                    batch.append(self._queue.get(timeout=max(0.0, until - time.monotonic())))
                except queue.Empty:
                    break
            last = batch[-1] is None
            queued = [each for each in batch if each is not None]
            if queued:
                self._deliver(queued)
            for _ in batch:
                self._queue.task_done()

    def _deliver(self, queued: list[_Queued]) -> None:
        try:
            sent = self._send([body for _, body in queued])
        except Exception as error:
            if isinstance(error, Rejected) and error.status == 413 and len(queued) > 1:
                # Too much at once for this server's limits: in halves it may pass.
                half = len(queued) // 2
                self._deliver(queued[:half])
                self._deliver(queued[half:])
                return
            log.error("%d events were not delivered: %s", len(queued), error)
            if self._on_lost is not None:
                self._tell(self._on_lost, [event for event, _ in queued], error)
            return
        for fault in sent.errors:
            log.warning("event %r was refused: %s. %s", fault.event, fault.reason, fault.fix)
        if self._on_sent is not None:
            self._tell(self._on_sent, sent)

    @staticmethod
    def _tell(callback: Callable[..., None], *arguments: object) -> None:
        """Call back; a fault there must not end the thread that sends."""
        try:
            callback(*arguments)
        except Exception:
            log.exception("the callback %r failed", callback)

    def _post(self, path: str, body: bytes) -> httpx.Response:
        """Post, and again after failures that may pass: exponential back-off with jitter, ``Retry-After`` respected."""
        until = time.monotonic() + self._patience
        delay = 0.1
        while True:
            try:
                response = self._http.post(path, content=body, headers={"content-type": "application/json"})
                if response.status_code not in RETRY_STATUS:
                    return response
                problem = f"answered {response.status_code}"
                after = response.headers.get("retry-after", "")
                least = float(after) if after.isascii() and after.isdigit() else 0.0
            except httpx.TransportError as error:
                problem, least = type(error).__name__, 0.0
            # Never sooner than was asked for. S311: jitter needs no secrecy.
            wait = least + delay * (0.5 + random.random())  # noqa: S311
            if time.monotonic() + wait > until:
                raise Unreachable(f"{path}: {problem}; tried for {self._patience:.0f} s")
            time.sleep(wait)
            delay = min(delay * 2, 5.0)


def _encode(event: AnyEvent) -> bytes:
    try:
        return _ENCODER.encode(event)
    except (TypeError, ValueError) as error:
        raise Rejected(f"the event {event.id!r} cannot be written as JSON ({error})") from None


def _reason(response: httpx.Response) -> str:
    try:
        error = response.json()["error"]
        return f"{response.status_code}: {error['reason']}. {error['fix']}"
    except (ValueError, KeyError, TypeError):
        return f"answered {response.status_code}"
