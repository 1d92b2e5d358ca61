"""Webhooks: signed as the Standard Webhooks specification says, tried again when that may help, never redirected."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import httpx
import pytest
import standardwebhooks

from support import (
    PROBE,
    Gateway,
    Receiver,
    asynchronous,
    bearer,
    comment,
    eventually,
    gateway,
    make_key,
    outbox,
    serve,
    started,
    until,
    webhook_section,
)
from upstander.adapters import webhook
from upstander.adapters.base import Action, Capability
from upstander.adapters.webhook import WebhookAdapter, secret_bytes, sign
from upstander.client import WebhookError, verify_webhook
from upstander.outbox import dispatcher

EVERYTHING = frozenset(Capability)


def action(identifier: str = "a" * 32) -> Action:
    at = time.time_ns() // 1_000_000
    return Action(
        identifier, "mysite", "b1", "c1", "hold_comment", "hold_comment", "c1", "hook", "notice", at, at + 600_000
    )


def adapter(receiver: Receiver) -> WebhookAdapter:
    return WebhookAdapter("hook", "mysite", receiver.url, receiver.secret, EVERYTHING)


@asynchronous
async def test_a_delivery_is_signed_as_the_specification_says(receiver: Receiver) -> None:
    sender = adapter(receiver)
    outcome = await sender.perform(action())
    await sender.close()
    assert outcome.done
    (delivery,) = receiver.deliveries
    assert delivery.action == action() or delivery.action is not None
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    assert headers["content-type"] == "application/json" and headers["webhook-id"] == "a" * 32
    # The specification's own library must agree, and must refuse what we refuse.
    theirs = standardwebhooks.Webhook(receiver.secret)
    assert theirs.verify(delivery.body, headers) == json.loads(delivery.body)
    for name, value in (
        ("webhook-signature", "v1," + base64.b64encode(bytes(32)).decode()),
        ("webhook-id", "b" * 32),
        ("webhook-timestamp", str(int(headers["webhook-timestamp"]) - 301)),
        ("webhook-timestamp", str(int(headers["webhook-timestamp"]) + 400)),
    ):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            theirs.verify(delivery.body, headers | {name: value})
        with pytest.raises(WebhookError):
            verify_webhook(receiver.secret, headers | {name: value}, delivery.body)


def signed(secret: str, body: bytes, at: int = 1_790_000_000, identifier: str = "a" * 32) -> dict[str, str]:
    signature = sign(secret_bytes(secret), identifier, at, body)
    return {"Webhook-Id": identifier, "Webhook-Timestamp": str(at), "Webhook-Signature": signature}


def test_verifying(secret: str) -> None:
    body = json.dumps({name: getattr(action(), name) for name in Action.__struct_fields__}).encode()
    headers = signed(secret, body)
    assert verify_webhook(secret, headers, body, now=1_790_000_000).id == "a" * 32
    assert verify_webhook(secret, headers, body, now=1_790_000_299).broadcast == "b1"
    rotated = {**headers, "Webhook-Signature": "v1,AAAA v2,xyz " + headers["Webhook-Signature"]}
    assert verify_webhook(secret, rotated, body, now=1_790_000_000)
    theirs = standardwebhooks.Webhook(secret)
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(1_790_000_000, UTC)
    assert theirs.sign("a" * 32, moment, body.decode()) == headers["Webhook-Signature"]


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({}, b"tampered"),
        ({"Webhook-Timestamp": ""}, None),
        ({"Webhook-Timestamp": "soon"}, None),
        ({"Webhook-Timestamp": "²"}, None),
        ({"Webhook-Timestamp": "9" * 5_000}, None),
        ({"Webhook-Timestamp": "1790000001"}, None),
        ({"Webhook-Signature": ""}, None),
        ({"Webhook-Signature": "v1,"}, None),
        ({"Webhook-Signature": "v1,é"}, None),
        ({"Webhook-Id": "b" * 32}, None),
    ],
)
def test_what_is_not_to_be_trusted(secret: str, change: dict[str, str], body: bytes | None) -> None:
    real = json.dumps({name: getattr(action(), name) for name in Action.__struct_fields__}).encode()
    with pytest.raises(WebhookError):
        verify_webhook(secret, signed(secret, real) | change, body or real, now=1_790_000_000)
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    with pytest.raises(WebhookError):
        verify_webhook(other, signed(secret, real), real, now=1_790_000_000)
    for late in (1_790_000_301, 1_789_999_699):
        with pytest.raises(WebhookError):
            verify_webhook(secret, signed(secret, real), real, now=late)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"id": "\xff"}', b"\xff\xfe"])
def test_a_signed_body_that_is_no_action(secret: str, body: bytes) -> None:
    with pytest.raises(WebhookError):
        verify_webhook(secret, signed(secret, body), body, now=1_790_000_000)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!!", "whsec_" + "A" * 8, "whsec_" + "A" * 400])
def test_secrets_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        secret_bytes(text)


@pytest.mark.parametrize(
    ("answer", "done", "retry", "after", "note"),
    [
        ((200, {}, b'{"did": "hidden"}'), True, False, 0, "hidden"),
        ((204, {}, b""), True, False, 0, ""),
        ((202, {}, b"<html>"), True, False, 0, ""),
        ((200, {}, b'{"did": "\xff"}'), True, False, 0, ""),
        ((200, {}, b'{"did":' + b"[" * 4_000), True, False, 0, ""),
        ((200, {}, b'{"did": 7}'), True, False, 0, ""),
        ((500, {}, b""), False, True, 0, "answered 500"),
        ((503, {"retry-after": "7"}, b""), False, True, 7, "answered 503"),
        ((429, {"retry-after": "2"}, b""), False, True, 2, "answered 429"),
        ((429, {"retry-after": "soon"}, b""), False, True, 0, "answered 429"),
        ((429, {"retry-after": "\xb2"}, b""), False, True, 0, "answered 429"),
        ((408, {}, b""), False, True, 0, "answered 408"),
        ((400, {}, b""), False, False, 0, "answered 400"),
        ((404, {"retry-after": "5"}, b""), False, False, 5, "answered 404"),
        ((302, {"location": "http://127.0.0.1:1/"}, b""), False, False, 0, "answered 302"),
    ],
)
@asynchronous
async def test_answers(
    receiver: Receiver, answer: tuple[int, dict[str, str], bytes], done: bool, retry: bool, after: int, note: str
) -> None:
    receiver.answers.append(answer)
    sender = adapter(receiver)
    outcome = await sender.perform(action())
    await sender.close()
    assert (outcome.done, outcome.retry, outcome.retry_after_s, outcome.note) == (done, retry, after, note)


@asynchronous
async def test_redirects_are_not_followed(receiver: Receiver, secret: str) -> None:
    with Receiver(secret) as elsewhere:
        for code in (301, 302, 303, 307, 308):
            receiver.answers.append((code, {"location": elsewhere.url}, b""))
            sender = adapter(receiver)
            outcome = await sender.perform(action())
            await sender.close()
            assert not outcome.done and not outcome.retry
        assert elsewhere.deliveries == []
    assert len(receiver.deliveries) == 5


@asynchronous
async def test_nobody_there_and_one_who_trickles(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = WebhookAdapter("hook", "mysite", "http://127.0.0.1:1/", receiver.secret, EVERYTHING)
    outcome = await closed.perform(action())
    await closed.close()
    assert (outcome.done, outcome.retry) == (False, True) and "ConnectError" in outcome.note
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.1)

    def slow(_: Action | None) -> None:
        time.sleep(0.5)

    receiver.answer = slow  # type: ignore[assignment]
    sender = adapter(receiver)
    outcome = await sender.perform(action())
    await sender.close()
    assert (outcome.done, outcome.retry) == (False, True) and "no answer" in outcome.note


# -- through the whole service -----------------------------------------------------------------------------------


async def probed(g: Gateway) -> None:
    await g.post([started(), comment("c1", PROBE)])


@asynchronous
async def test_failures_are_tried_again_until_acknowledged(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(dispatcher, "POLL_S", 0.02)
    receiver.answers = [(500, {}, b""), (429, {"retry-after": "1"}, b""), (200, {}, b'{"did": "hidden"}')]
    async with gateway(tmp_path, [adapter(receiver)]) as g:
        await probed(g)
        await eventually(lambda: [row["state"] for row in g.actions()] == ["acknowledged"])
        (row,) = g.actions()
        assert (row["attempts"], row["note"]) == (3, "hidden")
        (view,) = (await g.http.get("/v1/broadcasts/b1")).json()["actions"]
        assert (view["state"], view["did"], view["attempts"]) == ("acknowledged", "hidden", 3)
    assert len(receiver.trusted) == 3 and len(receiver.distinct) == 1
    first, second, third = receiver.deliveries
    assert third.at - second.at > 0.9, "Retry-After was respected"
    assert first.headers["webhook-id"] == third.headers["webhook-id"]


@asynchronous
async def test_a_refusal_is_failed(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers = [(410, {}, b"")]
    async with gateway(tmp_path, [adapter(receiver)]) as g:
        await probed(g)
        await eventually(lambda: [(row["state"], row["note"]) for row in g.actions()] == [("failed", "answered 410")])
    assert len(receiver.deliveries) == 1


def test_a_kill_in_the_middle_delivers_each_action_under_one_id(tmp_path: Path, receiver: Receiver) -> None:
    toml = webhook_section(receiver, tmp_path, ["platform_hold", "mute_viewer", "nudge_host", "call_moderator"])
    with serve(tmp_path, toml) as served:
        key = make_key(served.data)
        killed = False

        def die(_: Action | None) -> None:
            nonlocal killed
            if not killed:
                killed = True
                served.kill()

        receiver.answer = die  # type: ignore[assignment]
        with httpx.Client(base_url=served.url, headers=bearer(key)) as http:
            http.post("/v1/events", json=[started(), comment("c1", PROBE), comment("c2", PROBE)])
        until(lambda: served.process.poll() is not None, "the kill")
    with serve(tmp_path, toml) as served:
        until(lambda: {row["state"] for row in outbox(served.journal)} == {"acknowledged"}, "all to be delivered")
        rows = outbox(served.journal)
        assert len(rows) == 2 and {row["id"] for row in rows} == set(receiver.distinct)
        assert len(receiver.trusted) > len(rows), "the first went out twice, under one id"
        assert receiver.secret.removeprefix("whsec_") not in served.log
