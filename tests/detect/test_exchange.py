"""Gift, request and compliance; rising gifts; floods of praise; shared wording; phrases split over messages."""

from __future__ import annotations

import pytest

from strategies import START, engine, event
from upstander.engine.engine import Engine
from upstander.model.decision import Decision

_COUNTER = iter(range(1, 10_000_000))


class Stream:
    """One broadcast of a child, in which every event is a second after the one before."""

    def __init__(self, band: str = "10_12") -> None:
        self.watcher: Engine = engine()
        self.at = START
        self.act("broadcast_started", host="host", host_age_band=band)

    def act(self, kind: str, seconds: int = 1, **fields: object) -> Decision | None:
        self.at += seconds * 1000
        return self.watcher.observe(event(kind, next(_COUNTER), self.at, "b", **fields))

    def say(self, text: str, actor: str = "v", seconds: int = 1) -> Decision | None:
        return self.act("comment", seconds, actor=actor, text=text)


def sources(decision: Decision | None) -> set[str]:
    return {reason.source for reason in decision.reasons if reason.source} if decision else set()


def test_a_request_soon_after_a_gift_belongs_to_it() -> None:
    stream = Stream()
    stream.act("gift", actor="v", value=5)
    assert "exchange.gift_then_request" in sources(stream.say("do a spin for me"))
    late = Stream()
    late.act("gift", actor="v", value=5)
    assert "exchange.gift_then_request" not in sources(late.say("do a spin for me", seconds=600))


def test_gift_request_and_the_host_gives_in() -> None:
    stream = Stream()
    stream.act("gift", actor="v", value=5)
    stream.say("do a spin for me")
    decision = stream.say("ok like this?", actor="host")
    assert "exchange.complied" in sources(decision)
    assert decision is not None
    assert decision.actor == "v"
    assert "hold_comment" not in {asked.do for asked in decision.interventions}, "the host's own words are not held"
    assert "exchange.paid" in sources(stream.act("gift", actor="v", value=10))


@pytest.mark.parametrize("answer", ["no i dont want to", "nice weather", "stop asking me that pls"])
def test_an_answer_that_does_not_give_in_shows_nothing(answer: str) -> None:
    stream = Stream()
    stream.act("gift", actor="v", value=5)
    stream.say("do a spin for me")
    assert "exchange.complied" not in sources(stream.say(answer, actor="host"))


def test_a_host_who_says_ok_to_nobody_shows_nothing() -> None:
    stream = Stream()
    stream.act("gift", actor="v", value=5)
    assert stream.say("ok", actor="host") is None


def test_rising_gifts_with_requests_between() -> None:
    stream = Stream()
    seen: set[str] = set()
    for value in (1, 5, 20):
        seen |= sources(stream.act("gift", actor="v", value=value))
        stream.say("do another spin for me", seconds=5)
    assert "exchange.rising_gifts" in seen
    fan = Stream()
    assert not any(sources(fan.act("gift", actor="v", value=value)) for value in (1, 5, 20)), "gifts alone are gifts"


def test_a_flood_of_praise_from_one_viewer() -> None:
    stream = Stream()
    decisions = [stream.say(f"ur so pretty {number}", seconds=10) for number in range(5)]
    assert "exchange.praise_flood" in sources(decisions[-1])
    crowd = Stream()
    many = [crowd.say(f"ur so pretty {number}", actor=f"v{number}", seconds=10) for number in range(5)]
    assert "exchange.praise_flood" not in sources(many[-1])


def test_accounts_that_share_their_words() -> None:
    stream = Stream()
    decisions = [stream.say("are your parents home", actor=f"v{number}", seconds=20) for number in range(3)]
    assert "exchange.same_words" in sources(decisions[-1])
    assert "exchange.same_words" not in sources(decisions[0])
    alone = Stream()
    repeated = [alone.say("are your parents home", seconds=20) for _ in range(5)]
    assert "exchange.same_words" not in sources(repeated[-1])


def joined(decision: Decision | None) -> list[str]:
    return [reason.what for reason in decision.reasons if reason.view == "joined"] if decision else []


def test_a_phrase_split_over_one_viewers_messages() -> None:
    stream = Stream()
    assert stream.say("our little") is None
    decision = stream.say("secret")
    assert joined(decision) == ["secrecy"]
    assert decision is not None
    assert len(next(reason for reason in decision.reasons if reason.view == "joined").events) == 1


def test_a_filler_between_does_not_hide_a_split_phrase() -> None:
    stream = Stream()
    stream.say("our little")
    stream.say("lol")
    assert joined(stream.say("secret")) == ["secrecy"]


def test_a_phrase_split_over_two_viewers() -> None:
    stream = Stream()
    stream.say("our little", actor="a")
    decision = stream.say("secret", actor="b")
    assert joined(decision) == ["secrecy"]
    assert decision is not None
    assert "two viewers" in next(reason.why for reason in decision.reasons if reason.view == "joined")


def test_pieces_far_apart_are_not_joined() -> None:
    stream = Stream()
    stream.say("our little")
    assert joined(stream.say("secret", seconds=300)) == []


def test_a_viewer_of_unusually_many_childrens_broadcasts_stands_out_only_with_a_tactic() -> None:
    watcher = engine()
    for number in range(12):
        name = f"b{number}"
        watcher.observe(event("broadcast_started", 0, START, name, host=f"h{number}", host_age_band="10_12"))
        for viewer in ("v", "w") if number == 11 else ("v",):
            entered = event("joined", number * 2 + (viewer == "w"), START + number * 60_000, name, actor=viewer)
            assert watcher.observe(entered) is None
    said = {
        viewer: watcher.observe(
            event("comment", 900 + number, START + 800_000, "b11", actor=viewer, text="are your parents home")
        )
        for number, viewer in enumerate(("w", "v"))
    }
    assert said["v"] is not None
    assert said["w"] is not None
    assert "came to 12 children's broadcasts within a day" in [reason.why for reason in said["v"].reasons]
    assert said["v"].belief > said["w"].belief
