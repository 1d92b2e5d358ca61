"""Every adapter of this project keeps the contract, and the kit that says so notices adapters that do not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest
from benches import Address, MatrixBench, NginxBench, WebhookBench
from homeserver import Homeserver

from support import Receiver, asynchronous
from upstander.adapters import nginx_rtmp, webhook
from upstander.adapters.base import Action, Adapter, Capability, Outcome
from upstander.adapters.conformance import Bench, Finding, Result, assert_conforms, examine
from upstander.adapters.matrix import adapter as matrix
from upstander.adapters.matrix import client


@pytest.fixture(params=["webhook", "nginx_rtmp", "matrix"])
def bench(request: pytest.FixtureRequest, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    for module in (webhook, nginx_rtmp, matrix, client):
        # Short, for the platforms that never answer; long enough for one that does on a machine with other work.
        monkeypatch.setattr(module, "TIMEOUT_S", 2.0)
    if request.param == "webhook":
        yield WebhookBench(receiver)
    elif request.param == "nginx_rtmp":
        with NginxBench() as nginx:
            yield nginx
    else:
        with Homeserver() as homeserver:
            yield MatrixBench(homeserver)


@asynchronous
async def test_it_keeps_the_contract(bench: Bench) -> None:
    await assert_conforms(bench)


class Sloppy(Adapter):
    """An adapter that keeps the contract but for what a test takes away."""

    name, platform, capabilities = "sloppy", "mysite", frozenset({Capability.PAUSE, Capability.MUTE_VIEWER})

    def __init__(self, bench: SloppyBench, address: Address, wrong: bool) -> None:
        self.bench, self.address, self.wrong = bench, address, wrong

    async def perform(self, action: Action) -> Outcome:
        if action.doing not in ("pause", "resume", "mute_viewer", "unmute_viewer"):
            return Outcome(False, note="not known")
        if self.address is not None:
            return Outcome(False, retry=True, note="down")
        if self.wrong:
            return Outcome(False, note="wrong credentials")
        what = action.doing.removeprefix("un").replace("resume", "pause")
        self.bench.on[what] = action.doing in ("pause", "mute_viewer")
        return Outcome(True)

    async def close(self) -> None:
        pass


class Raising(Sloppy):
    async def perform(self, action: Action) -> Outcome:
        raise OSError("no route")


class Doubling(Sloppy):
    async def perform(self, action: Action) -> Outcome:
        self.bench.on["times"] = self.bench.on.get("times", 0) + 1
        return Outcome(True)


class Leaking(Sloppy):
    async def perform(self, action: Action) -> Outcome:
        logging.getLogger("leaking").warning("sent with hunter2")
        return await super().perform(action)


class Telling(Sloppy):
    async def perform(self, action: Action) -> Outcome:
        return Outcome(False, note="hunter2 was not accepted")


class Hanging(Sloppy):
    async def perform(self, action: Action) -> Outcome:
        if self.address is not None:
            await asyncio.sleep(60)
        return await super().perform(action)


class Stubborn(Sloppy):
    async def perform(self, action: Action) -> Outcome:
        outcome = await super().perform(action)
        return outcome if outcome.done else Outcome(False, retry=True, note=outcome.note)


class OneWay(Sloppy):
    async def perform(self, action: Action) -> Outcome:
        return Outcome(True) if action.doing == "unmute_viewer" else await super().perform(action)


class Racing(Sloppy):
    async def perform(self, action: Action) -> Outcome:
        before = dict(self.bench.on)
        await asyncio.sleep(0.01)
        self.bench.on = before
        return await super().perform(action)


class Silent(Sloppy):
    async def perform(self, action: Action) -> Outcome:
        return Outcome(False)


class Nameless(Sloppy):
    name, capabilities = "My Adapter", frozenset()


class Brittle(Sloppy):
    closed = False

    async def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


class SloppyBench:
    broadcast, viewer, http, undoes, limit_s, secrets = "b1", "v1", False, True, 0.2, ["hunter2"]

    def __init__(self, kind: type[Sloppy] = Sloppy) -> None:
        self.kind, self.on = kind, {}

    def adapter(self, address: Address = None, wrong_secret: bool = False) -> Adapter:
        return self.kind(self, address, wrong_secret)

    async def comment(self) -> str:
        return "c1"

    async def state(self) -> object:
        return {name: value for name, value in self.on.items() if value}


@pytest.mark.parametrize(
    ("kind", "check", "says"),
    [
        (Raising, "every capability declared is served", "raised OSError"),
        (Raising, "odd names raise nothing", "raised OSError"),
        (Doubling, "twice has the effect of once", "had its effect twice"),
        (Doubling, "what it does not know it refuses", "had an effect"),
        (Leaking, "no secret in any log", "a log line of leaking"),
        (Telling, "every capability declared is served", "holds a secret"),
        (Hanging, "a platform that is down is tried again", "not over after"),
        (Stubborn, "wrong credentials are not tried again", "to try again"),
        (OneWay, "what is taken back is as before", "had not undone"),
        (Racing, "two lanes at once do not undo each other", "not all of it"),
        (Silent, "every capability declared is served", "does not say why"),
        (Nameless, "it says who it is and what it can", "`capabilities` is empty"),
        (Nameless, "it says who it is and what it can", "`name` is 'My Adapter'"),
        (Brittle, "it can be closed twice", "closed twice"),
    ],
)
@asynchronous
async def test_the_kit_notices(kind: type[Sloppy], check: str, says: str) -> None:
    found = {finding.check: finding for finding in await examine(SloppyBench(kind))}
    assert found[check].result is Result.FAILED
    assert says in str(found[check])
    with pytest.raises(AssertionError, match="does not keep the contract"):
        await assert_conforms(SloppyBench(kind))


@asynchronous
async def test_an_adapter_that_keeps_it_passes_and_what_has_no_sense_for_it_is_said() -> None:
    findings = await examine(SloppyBench())
    assert not [str(finding) for finding in findings if finding.result is Result.FAILED]
    assert Finding("http errors are told apart", Result.NOT_APPLICABLE, ("it does not speak HTTP",)) in findings
