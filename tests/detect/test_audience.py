"""Audience, gifts and frames."""

from __future__ import annotations

import msgspec

from upstander.detect import audience as crowd
from upstander.detect.audience import Audience
from upstander.model.events import Frame, Gift, Invite, Joined
from upstander.model.signal import Signal
from upstander.model.vocabulary import Tactic
from upstander.model.wire import decode_event

NOW = 1_770_000_000_000


def make(kind: str, at: int = NOW, **fields: object) -> object:
    return decode_event(msgspec.json.encode({"type": kind, "id": "x", "at": at, "broadcast": "b", **fields}))


def join(audience: Audience, viewer: str, at: int, days: int = 300, follows: bool | None = True) -> set[str]:
    event = make("joined", at, actor=viewer, account_age_days=days, follows_host=follows)
    assert isinstance(event, Joined)
    return {signal.label for signal in crowd.joined(audience, event, at)}


def test_a_surge_needs_a_usual_to_compare_with() -> None:
    audience = Audience()
    seen: set[str] = set()
    for n in range(3):
        seen |= join(audience, f"a{n}", NOW + n * 30_000)
    assert seen == set()
    for n in range(20):
        seen |= join(audience, f"s{n}", NOW + 180_000 + n, days=1)
    assert "audience_surge" in seen


def test_the_first_minute_of_a_popular_broadcast_is_no_surge() -> None:
    audience = Audience()
    assert not any("audience_surge" in join(audience, f"v{n}", NOW + n) for n in range(200))


def test_strangers_are_counted_once_and_uncounted_when_they_leave() -> None:
    audience = Audience()
    for n in range(7):
        assert "stranger_audience" not in join(audience, f"v{n}", NOW, follows=False)
    assert "stranger_audience" not in join(audience, "v0", NOW, follows=False)
    assert "stranger_audience" in join(audience, "v7", NOW, follows=False)
    for n in range(8):
        crowd.left(audience, f"v{n}")
    assert (audience.strangers, audience.friends, audience.present) == (0, 0, {})


def test_viewers_whose_relation_is_unknown_are_no_strangers() -> None:
    audience = Audience()
    for n in range(50):
        assert join(audience, f"v{n}", NOW, follows=None) == set()


def test_a_burst_of_gifts() -> None:
    audience = Audience()
    event = make("gift", actor="v", value=1)
    assert isinstance(event, Gift)
    assert not [s for n in range(4) for s in crowd.gift(audience, event, NOW + n * 40_000)]
    labels = [s.label for n in range(6) for s in crowd.gift(audience, event, NOW + 300_000 + n)]
    assert set(labels) == {"gift_burst"}
    assert len(audience.gifts) <= 21


def test_collective_pressure_needs_three_different_viewers_within_a_minute() -> None:
    audience = Audience()
    dare = [Signal(Tactic.DARE, 1.0, "test")]
    praise = [Signal(Tactic.PRAISE_HOOK, 1.0, "test")]
    assert not crowd.pressed(audience, "a", dare, NOW)
    assert not crowd.pressed(audience, "a", dare, NOW + 1)
    assert not crowd.pressed(audience, "b", dare, NOW + 2)
    assert not crowd.pressed(audience, "c", praise, NOW + 3)
    assert not crowd.pressed(audience, "c", dare, NOW + 70_000)
    assert not crowd.pressed(audience, "a", dare, NOW + 70_001)
    assert crowd.pressed(audience, "b", dare, NOW + 70_002)[0].label == "audience_pressure"
    assert crowd.pressing(audience, NOW + 70_002) == 3
    assert crowd.pressing(audience, NOW + 200_000) == 0
    for n in range(10_000):
        crowd.pressed(audience, f"v{n}", dare, NOW + 80_000)
    assert len(audience.pressing) <= crowd.MAX_PRESSING


def test_an_invitation_is_off_platform() -> None:
    for channel in ("direct_message", "call", "guest"):
        event = make("invite", actor="v", channel=channel)
        assert isinstance(event, Invite)
        assert [signal.label for signal in crowd.invite(event)] == ["off_platform"]


def test_alone_needs_every_frame_to_agree_for_half_a_minute() -> None:
    audience = Audience()
    seen = []
    for second in range(0, 60, 5):
        faces = 2 if second == 20 else 1
        event = make("frame", NOW + second * 1_000, faces=faces)
        assert isinstance(event, Frame)
        signals, _ = crowd.frame(audience, event, NOW + second * 1_000)
        seen.append("alone" in {signal.label for signal in signals})
    assert seen == [False] * 11 + [True]
