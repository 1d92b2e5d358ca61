"""The checks, one function each: what is wrong, a line for each fault. ``NotApplicable`` where a check has no sense."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import msgspec

from upstander.adapters.base import Action, Adapter, Capability, doings
from upstander.adapters.conformance.hostile import HTTP_WAYS, WAYS
from upstander.adapters.conformance.trial import (
    Bench,
    against,
    fresh_id,
    made,
    perform,
    ready,
    reversible,
    said,
    sensible,
    served,
    take_back,
)
from upstander.model.vocabulary import Intervention

Check = Callable[[Bench], Awaitable[list[str]]]


class NotApplicable(Exception):
    """A check does not apply to this adapter; the text says why."""


async def it_says_who_it_is_and_what_it_can(bench: Bench) -> list[str]:
    """Name and platform as the settings have them; capabilities as a frozenset that is not empty."""
    async with ready(bench) as adapter:
        faults = [
            f"`{what}` is {value!r}: use lower case letters, digits, - and _"
            for what, value in (("name", adapter.name), ("platform", adapter.platform))
            if not re.fullmatch("[a-z0-9_-]{1,64}", value)
        ]
        if not isinstance(adapter.capabilities, frozenset) or not all(
            isinstance(each, Capability) for each in adapter.capabilities
        ):
            faults.append("`capabilities` is not a frozenset of `Capability`")
        elif not adapter.capabilities:
            faults.append("`capabilities` is empty: nothing would ever be asked of it")
        return faults


async def every_capability_declared_is_served(bench: Bench) -> list[str]:
    """Whatever may be asked of it because of its capabilities is done."""
    faults = []
    async with ready(bench) as adapter:
        for asked, doing in served(adapter):
            outcome, wrong = await perform(bench, adapter, await sensible(bench, adapter, asked, doing))
            faults += wrong
            if outcome is not None and not outcome.done:
                faults.append(f"`{doing}` (for {asked}) was not done: {outcome.note}")
        await take_back(bench, adapter)
    return faults


async def twice_has_the_effect_of_once(bench: Bench) -> list[str]:
    """The second time by an adapter made anew: the service may have been killed in between."""
    faults = []
    async with ready(bench) as first:
        for asked, doing in served(first):
            action = await sensible(bench, first, asked, doing)
            await perform(bench, first, action)
            once = await bench.state()
            async with ready(bench) as again:
                outcome, wrong = await perform(bench, again, action)
            faults += wrong
            if outcome is not None and not outcome.done:
                faults.append(f"`{doing}` was done, but not when asked again: {outcome.note}")
            if await bench.state() != once:
                faults.append(f"`{doing}` had its effect twice")
        await take_back(bench, first)
    return faults


async def what_is_taken_back_is_as_before(bench: Bench) -> list[str]:
    """An intervention changes something, and what undoes it leaves nothing behind."""
    if not bench.undoes:
        raise NotApplicable("the platform's state does not come back by itself")
    faults = []
    async with ready(bench) as adapter:
        for do, undo in reversible(adapter):
            before = await bench.state()
            await perform(bench, adapter, await sensible(bench, adapter, *do))
            if await bench.state() == before:
                faults.append(f"`{do[1]}` changed nothing, or `{undo[1]}` had not undone it before")
            _, wrong = await perform(bench, adapter, await sensible(bench, adapter, *undo))
            faults += wrong
            if await bench.state() != before:
                faults.append(f"`{undo[1]}` did not undo `{do[1]}`")
    return faults


async def two_lanes_at_once_do_not_undo_each_other(bench: Bench) -> list[str]:
    """The outbox sends what concerns the stream beside what concerns its viewers."""
    async with ready(bench) as adapter:
        pairs = reversible(adapter)
        if not bench.undoes or len(pairs) < 2:
            raise NotApplicable("it has not two interventions that can be taken back")
        for do, _ in pairs:
            await perform(bench, adapter, await sensible(bench, adapter, *do))
        one_by_one = await bench.state()
        await take_back(bench, adapter)
        actions = [await sensible(bench, adapter, *do) for do, _ in pairs]
        await asyncio.gather(*(_until_done(bench, adapter, action) for action in actions))
        together = await bench.state()
        await take_back(bench, adapter)
        return [] if together == one_by_one else ["done at the same time, not all of it was in place"]


async def _until_done(bench: Bench, adapter: Adapter, action: Action) -> None:
    """Perform as the outbox does, which tries again what had no answer in time."""
    for _ in range(3):
        outcome, _wrong = await perform(bench, adapter, action)
        if outcome is None or not outcome.retry:
            return


async def what_it_does_not_know_it_refuses(bench: Bench) -> list[str]:
    """Not done, not to be tried again, and without effect."""
    faults = []
    async with ready(bench) as adapter:
        known = doings(adapter.capabilities)
        others = [str(each) for each in Intervention if str(each) not in known]
        before = await bench.state()
        for doing in ("no_such_thing", "", *others):
            outcome, wrong = await perform(bench, adapter, made(bench, adapter, Intervention.NUDGE_HOST, doing, ""))
            faults += wrong
            if outcome is not None and (outcome.done or outcome.retry):
                faults.append(f"asked for `{doing}`, which nothing it declares serves, it said {said(outcome)}")
        if await bench.state() != before:
            faults.append("something it does not know had an effect")
    return faults


async def odd_names_raise_nothing(bench: Bench) -> list[str]:
    """Ids are chosen by people: an outcome must come of them, whatever it is."""
    faults = []
    async with ready(bench) as adapter:
        for asked, doing in served(adapter):
            for odd in ("", "../../x?y=z#f", "a b\r\nx: y\0", "\U0001f600" * 64, "@:", "x" * 256, "%2e%2e/"):
                for broadcast, target in ((odd, bench.viewer), (bench.broadcast, odd)):
                    action = made(bench, adapter, asked, doing, target)
                    action = msgspec.structs.replace(
                        action, id=fresh_id(bench, f"{broadcast} {target}"), broadcast=broadcast
                    )
                    faults += (await perform(bench, adapter, action))[1]
        await take_back(bench, adapter)
    return faults


async def a_platform_that_is_down_is_tried_again(bench: Bench) -> list[str]:
    """Nothing listens at its address: not done, try again."""
    return await against(bench, None, retry=True)


async def an_answer_that_is_none_is_not_taken_for_one(bench: Bench) -> list[str]:
    """Whatever a connection brings but an answer: not done, in time."""
    faults = []
    for way in WAYS:
        faults += await against(bench, way, way.retry)
    return faults


async def http_errors_are_told_apart(bench: Bench) -> list[str]:
    """What may pass is tried again, no sooner than asked for; what will not is not; redirects are not followed."""
    if not bench.http:
        raise NotApplicable("it does not speak HTTP")
    faults = []
    for way in HTTP_WAYS:
        faults += await against(bench, way, way.retry)
    return faults


async def wrong_credentials_are_not_tried_again(bench: Bench) -> list[str]:
    """Trying again does not make them right, and may lock the account."""
    adapter = bench.adapter(wrong_secret=True)
    if adapter is None:
        raise NotApplicable("the platform asks for none")
    faults = []
    try:
        before = await bench.state()
        for asked, doing in served(adapter):
            outcome, wrong = await perform(bench, adapter, made(bench, adapter, asked, doing, bench.viewer))
            faults += wrong
            if outcome is not None and (outcome.done or outcome.retry):
                faults.append(f"`{doing}` with wrong credentials: it said {said(outcome)}")
        if await bench.state() != before:
            faults.append("with wrong credentials it had an effect")
    finally:
        await adapter.close()
    return faults


async def it_can_be_closed_twice(bench: Bench) -> list[str]:
    """Used or not."""
    used, unused = bench.adapter(), bench.adapter()
    assert used is not None and unused is not None
    asked, doing = served(used)[0]
    await perform(bench, used, await sensible(bench, used, asked, doing))
    for adapter in (used, used, unused, unused):
        await adapter.close()
    return []


CHECKS: tuple[Check, ...] = (
    it_says_who_it_is_and_what_it_can,
    every_capability_declared_is_served,
    twice_has_the_effect_of_once,
    what_is_taken_back_is_as_before,
    two_lanes_at_once_do_not_undo_each_other,
    what_it_does_not_know_it_refuses,
    odd_names_raise_nothing,
    a_platform_that_is_down_is_tried_again,
    an_answer_that_is_none_is_not_taken_for_one,
    http_errors_are_told_apart,
    wrong_credentials_are_not_tried_again,
    it_can_be_closed_twice,
)
