"""The engine: one event in, at most one decision out. State is plain data and can be moved anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from upstander.detect import audience as crowd
from upstander.detect import exchange, fragments
from upstander.detect.fragments import Fragment
from upstander.detect.paraphrase import SOURCE as GUESS
from upstander.detect.text import HostText, TextDetector
from upstander.engine import belief, explain, judging, viewers
from upstander.engine.assessment import HOST_REPORT, Assessment, Policy
from upstander.engine.clock import tick, tick_engine
from upstander.engine.exposures import CHILD_BANDS, active_exposures, factor_of, learn_band, set_exposure
from upstander.engine.fading import faded_belief, faded_evidence
from upstander.engine.lifecycle import open_broadcast, pair_of, touch
from upstander.engine.state import Broadcast, EngineState, Pair, decode_state, encode_state
from upstander.model import events as wire
from upstander.model.decision import Asked, Decision
from upstander.model.order import Order
from upstander.model.signal import Signal, merged
from upstander.model.vocabulary import (
    REVERSE,
    SEVERE_TACTICS,
    AgeBand,
    AgeSource,
    Exposure,
    Intervention,
    Level,
    Tactic,
)

#: Changes whenever the same events could give other decisions; part of every decision's versions.
ENGINE_VERSION = "5"
#: Late events still count for this long after the end; then the broadcast's state is released.
GRACE_MS = 60_000
EVENTS_KEPT = 8
#: A voice in the stream that is not the host's has no account: this stands for it.
VOICE = "\x00voice"
#: A signal as strong as this is no hint: from then on a model's guesses about the viewer add up.
FIRM = 1.8
#: The kind of an event that holds no words of the viewer whom it speaks about: there is no comment to hold.
WITHOUT_WORDS = "act"


def _is_over(broadcast: Broadcast) -> bool:
    return bool(broadcast.ended) and broadcast.now - broadcast.ended > GRACE_MS


class Engine:
    """Watches any number of broadcasts.

    ``observe`` is pure with respect to the outside: no clock, no I/O, no randomness. The same events in the same
    order, from the same snapshot, give the same decisions bit for bit.
    """

    def __init__(self, detector: TextDetector, policy: Policy) -> None:
        self.state = EngineState()
        #: how many of the broadcast's last marks are the event's that is being observed
        self._fresh = 0
        self.configure(detector, policy)
        self._handlers: dict[type, Callable[[Any, Broadcast], Decision | None]] = {
            wire.Comment: self._comment,
            wire.Joined: self._joined,
            wire.Left: self._left,
            wire.Reaction: self._quiet,
            wire.Gift: self._gift,
            wire.Followed: self._followed,
            wire.Invite: self._invite,
            wire.UserReport: self._user_report,
            wire.Speech: self._speech,
            wire.Frame: self._frame,
            wire.CaptureSeen: self._capture,
            wire.Verdict: self._quiet,
            wire.BroadcastStarted: self._started,
            wire.BroadcastEnded: self._ended,
        }

    def configure(self, detector: TextDetector, policy: Policy) -> None:
        """Use other packs or another policy from the next event on; what is believed stays."""
        self._detector = detector
        self._policy = policy
        self.versions = {"engine": ENGINE_VERSION, "packs": detector.packs.hash[:16], "policy": policy.hash[:16]}
        if detector.paraphrase is not None:
            self.versions["model"] = detector.paraphrase.hash[:16]

    # -- the interface -------------------------------------------------------------------------------------------

    def observe(self, event: wire.AnyEvent) -> Decision | None:
        """What to make of one event; ``None`` when there is nothing to say about it."""
        state = self.state
        at = event.at_ms
        tick_engine(state, at)
        state.observed += 1
        broadcast = state.broadcasts.get(event.broadcast)
        if broadcast is None:
            if event.broadcast in state.ended and type(event) is not wire.BroadcastStarted:
                return None
            broadcast = open_broadcast(state, event.broadcast)
        tick(broadcast, at)
        if _is_over(broadcast) and type(event) is not wire.BroadcastStarted:
            return None
        minute = state.clock // 60_000
        if broadcast.minute != minute:
            touch(state, broadcast, minute)
        broadcast.events += 1
        broadcast.last_event = event.id
        self._fresh = 0
        return self._handlers[type(event)](event, broadcast)

    def order(self, order: Order) -> None:
        """Take note of what a person ordered, so that the machine does not work against it."""
        broadcast = self.state.broadcasts.get(order.broadcast)
        if broadcast is None:
            return
        if order.do in (Intervention.MUTE_VIEWER, Intervention.UNMUTE_VIEWER):
            pair = pair_of(broadcast, order.target)
            pair.muted = order.id if order.do is Intervention.MUTE_VIEWER else ""
        undone = REVERSE[order.do]
        if undone is not None:
            for key in (str(undone), f"{undone}:{order.target}"):
                broadcast.issued.pop(key, None)
        # It opens the same cooldown as the machine's: it is not repeated or undone at once.
        judging.remember(broadcast, Asked(order.do, order.target))

    def status(self, broadcast: str) -> str:
        """``live``, ``ended`` (its events no longer count) or ``unknown``."""
        known = self.state.broadcasts.get(broadcast)
        if known is not None:
            return "ended" if _is_over(known) else "live"
        return "ended" if broadcast in self.state.ended else "unknown"

    def snapshot(self) -> bytes:
        """The whole state as bytes."""
        return encode_state(self.state)

    def restore(self, data: bytes) -> None:
        """Take up the state that ``snapshot`` wrote."""
        self.state = decode_state(data)

    # -- one handler an event type -------------------------------------------------------------------------------

    def _quiet(self, event: wire.Event, broadcast: Broadcast) -> None:
        """Kept in the journal; moves no belief."""

    def _started(self, event: wire.BroadcastStarted, broadcast: Broadcast) -> Decision | None:
        broadcast.ended = 0
        broadcast.host = event.host
        broadcast.language = event.language
        broadcast.on_deadline = event.on_deadline or ""
        broadcast.deadline_ms = event.deadline_ms or 0
        # An announcement that knows nothing does not make the host less of a child than the one before it.
        if event.host_age_band is not AgeBand.UNKNOWN:
            broadcast.declared = event.host_age_band
        broadcast.verified = event.age_source == AgeSource.VERIFIED
        learn_band(broadcast, broadcast.learned)
        if broadcast.band in CHILD_BANDS:
            why = f"the host's age band is {broadcast.band.replace('_', '-')} ({event.age_source})"
            set_exposure(broadcast, Signal(Exposure.YOUNG_HOST, 1.0, "host_age_band", note=why))
        start = self._policy.at_start(broadcast.band, event.age_source)
        asked = judging.starting(broadcast, start)
        if not asked and not start.hosting:
            return None
        return explain.without_level(event, broadcast, explain.of_start(asked, start), self.versions, asked)

    def _ended(self, event: wire.BroadcastEnded, broadcast: Broadcast) -> None:
        broadcast.ended = broadcast.now

    def _joined(self, event: wire.Joined, broadcast: Broadcast) -> Decision | None:
        if broadcast.band in CHILD_BANDS:
            viewers.came(self.state.viewers, event.actor, broadcast.id, broadcast.now)
        return self._exposed(event, broadcast, crowd.joined(broadcast.audience, event, broadcast.now))

    def _left(self, event: wire.Left, broadcast: Broadcast) -> None:
        crowd.left(broadcast.audience, event.actor)

    def _followed(self, event: wire.Followed, broadcast: Broadcast) -> None:
        crowd.followed(broadcast.audience, event.actor)

    def _comment(self, event: wire.Comment, broadcast: Broadcast) -> Decision | None:
        broadcast.comments += 1
        return self._said(event, broadcast, event.actor, event.text)

    def _gift(self, event: wire.Gift, broadcast: Broadcast) -> Decision | None:
        self._fresh += judging.mark(broadcast, event.actor, ["gift"])
        for signal in crowd.gift(broadcast.audience, event, broadcast.now):
            set_exposure(broadcast, signal)
        paid = exchange.gave(broadcast.exchange, event, broadcast.now)
        if event.text:
            return self._said(event, broadcast, event.actor, event.text, paid)
        if paid:
            return self._shown(event, broadcast, event.actor, paid, kind=WITHOUT_WORDS)
        if "gift" in self._policy.acts:
            pair = pair_of(broadcast, event.actor)
            return self._decide(event, broadcast, event.actor, pair, (), {}, 0.0, WITHOUT_WORDS)
        return None

    def _invite(self, event: wire.Invite, broadcast: Broadcast) -> Decision | None:
        if event.actor == broadcast.host:
            return None
        self._fresh += judging.mark(broadcast, event.actor, ["invite"])
        return self._shown(event, broadcast, event.actor, crowd.invite(event))

    def _user_report(self, event: wire.UserReport, broadcast: Broadcast) -> Decision | None:
        if event.subject == event.actor:
            return None
        if event.subject == broadcast.host:
            if HOST_REPORT not in self._policy.acts or not judging.reported(broadcast, event.actor):
                return None
            self._fresh += 1
            return self._decide(event, broadcast, VOICE, judging.nobody(broadcast), (), {}, 0.0, HOST_REPORT)
        pair = pair_of(broadcast, event.subject)
        if event.actor not in pair.reporters and len(pair.reporters) < belief.MAX_REPORTS:
            pair.reporters = [*pair.reporters, event.actor]
        self._fresh += judging.mark(broadcast, event.subject, ["user_report"])
        return self._decide(event, broadcast, event.subject, pair, (), {}, 0.0)

    def _capture(self, event: wire.CaptureSeen, broadcast: Broadcast) -> Decision | None:
        if event.what not in self._policy.acts:
            return None
        self._fresh += judging.mark(broadcast, VOICE, [event.what])
        nobody = judging.nobody(broadcast)
        return explain.with_capture(self._decide(event, broadcast, VOICE, nobody, (), {}, 0.0, event.what), event)

    def _speech(self, event: wire.Speech, broadcast: Broadcast) -> Decision | None:
        if event.speaker == "host":
            found = self._detector.host(event.text, event.confidence)
            return self._host_text(event, broadcast, found, event.text)
        confidence = event.confidence
        if event.speaker == "unknown":
            # It may well be the host: read it as both, and trust each reading half.
            confidence *= 0.5
            heard = self._detector.host(event.text, confidence)
            if heard.signals:
                self._host_text(event, broadcast, heard, "")
        signals = self._detector.viewer(event.text, broadcast.host, confidence)
        return self._shown(event, broadcast, VOICE, signals) if signals else None

    def _frame(self, event: wire.Frame, broadcast: Broadcast) -> Decision | None:
        signals, band = crowd.frame(broadcast.audience, event, broadcast.now)
        if band is not None and learn_band(broadcast, band):
            why = "frames suggest that the host is a child (an estimate)"
            signals.append(Signal(Exposure.YOUNG_HOST, 1.0, "frames.age", note=why))
        return self._exposed(event, broadcast, signals)

    # -- from signals to a decision ------------------------------------------------------------------------------

    def _said(
        self, event: wire.Comment | wire.Gift, broadcast: Broadcast, actor: str, text: str, paid: Sequence[Signal] = ()
    ) -> Decision | None:
        if actor == broadcast.host:
            return self._host_text(event, broadcast, self._detector.host(text), text)
        now = broadcast.now
        pair = broadcast.pairs.get(actor) if broadcast.pairs else None
        seen = self._detector.look(text)
        signals = self._detector.viewer(text, broadcast.host, suspected=pair is not None and pair.firm, seen=seen)
        if len(seen.plain) <= fragments.MAX_FRAGMENT and broadcast.band is not AgeBand.ADULT:
            joins = fragments.joined(broadcast.recent, actor, seen.plain, now)
            if all(signal.source == GUESS for signal in signals):
                broadcast.recent = fragments.keep(broadcast.recent, Fragment(actor, seen.plain, now, event.id))
            if joins:
                signals = merged(signals, self._detector.across(text, seen, joins))
        firm = [signal for signal in signals if signal.source != GUESS]
        if firm:
            signals = merged(signals, exchange.said(broadcast.exchange, actor, seen.plain, firm, now))
        if signals or paid:
            return self._shown(event, broadcast, actor, merged(signals, paid))
        if pair is not None and pair.muted:
            return self._decide(event, broadcast, actor, pair, (), {}, 0.0)
        return None

    def _host_text(self, event: wire.Event, broadcast: Broadcast, found: HostText, text: str) -> Decision | None:
        """What the host's words disclose, and whether they give in to someone who gave and asked."""
        if found.band is not None:
            learn_band(broadcast, found.band)
        decision = self._exposed(event, broadcast, list(found.signals))
        for viewer, signals in exchange.answered(broadcast.exchange, text, broadcast.now):
            shown = self._shown(event, broadcast, viewer, signals, kind=WITHOUT_WORDS)
            if decision is None or Level[shown.level.upper()] >= Level[decision.level.upper()]:
                decision = shown
        return decision

    def _exposed(self, event: wire.Event, broadcast: Broadcast, signals: list[Signal]) -> Decision | None:
        """Exposures alone never alert: they are kept, and reported at the level ``clear`` when they are new."""
        fresh = [signal for signal in signals if set_exposure(broadcast, signal)]
        if not fresh:
            return None
        return explain.without_level(event, broadcast, [explain.of_signal(s, 0.0) for s in fresh], self.versions)

    def _shown(
        self, event: wire.Event, broadcast: Broadcast, actor: str, signals: list[Signal], kind: str = ""
    ) -> Decision:
        """A viewer showed tactics: let them weigh in the pair, the broadcast and the viewer's record."""
        now = broadcast.now
        collective = crowd.pressed(broadcast.audience, actor, signals, now)
        if collective:
            signals = [s for s in signals if s.label != Tactic.AUDIENCE_PRESSURE] + collective
        pair = pair_of(broadcast, actor)
        elapsed = now - pair.at
        if elapsed >= 1000:
            fade = belief.decay(belief.PAIR_HALF_LIFE_S, elapsed)
            pair.evidence = {tactic: value * fade for tactic, value in pair.evidence.items() if value * fade > 0.01}
            # Whole seconds only, as the decay counts them: what is left over counts the next time.
            pair.at += elapsed // 1000 * 1000
        pair.firm = pair.firm or any(s.source != GUESS and s.strength >= FIRM for s in signals)
        if not pair.firm:
            signals = judging.one_guess(pair, signals)
        evidence = pair.evidence
        before = sum(evidence.values())
        gains: dict[str, float] = {}
        for signal in signals:
            cap = belief.SEVERE_CAP if signal.label in SEVERE_TACTICS else belief.TACTIC_CAP
            if signal.source == GUESS:
                cap = belief.GUESS_CAP
            held = evidence.get(signal.label, 0.0)
            evidence[signal.label] = belief.add(held, signal.strength, cap)
            gains[signal.label] = evidence[signal.label] - held
        self._fresh += judging.mark(broadcast, actor, [str(signal.label) for signal in signals])
        pair.shown += 1
        if event.id not in pair.events:
            pair.events = [*pair.events, event.id][-EVENTS_KEPT:]
        share = belief.VIEWER_SHARE_CAP
        gained = max(0.0, min(sum(evidence.values()), share) - min(before, share)) if pair.firm else 0.0
        return self._decide(event, broadcast, actor, pair, tuple(signals), gains, gained, kind)

    def _decide(
        self,
        event: wire.Event,
        broadcast: Broadcast,
        actor: str,
        pair: Pair,
        signals: tuple[Signal, ...],
        gains: dict[str, float],
        gained: float,
        kind: str = "",
    ) -> Decision:
        state, now = self.state, broadcast.now
        active = active_exposures(broadcast)
        factor = factor_of(active)
        # Without signals the pair was not faded above: do it for this decision only, the pair itself is left alone.
        evidence = faded_evidence(pair, now)
        shown = sum(evidence.values())
        reports = belief.REPORT_WEIGHT * len(pair.reporters)
        added, others, children = 0.0, 0, 0
        if shown > 0.0:
            added, others, children = viewers.standing(state.viewers, actor, broadcast.id, now)
        added = min(added, shown)  # a record elsewhere at most doubles what is shown here
        total = shown * factor + reports + added
        broadcast.belief = faded_belief(broadcast) + gained * factor
        if now - broadcast.belief_at >= 1000:
            broadcast.belief_at = now - (now - broadcast.belief_at) % 1000 if broadcast.belief_at else now
        if signals and pair.firm and actor != VOICE:
            viewers.record(state.viewers, actor, broadcast.id, shown, now)
        assessment = Assessment(
            event=event.id,
            kind=kind or str(type(event).__struct_config__.tag),
            actor=actor,
            now=now,
            band=broadcast.band,
            signals=signals,
            evidence=evidence,
            events=pair.shown,
            exposures=tuple(active),
            belief=total,
            broadcast_belief=broadcast.belief,
            pressing=crowd.pressing(broadcast.audience, now),
            pair_level=pair.level,
            broadcast_level=broadcast.level,
            muted=bool(pair.muted),
            issued=broadcast.issued,
            marks=tuple(broadcast.marks),
            fresh=self._fresh,
        )
        judged, ruled = judging.judge(state, self._policy, assessment)
        reasons = [explain.of_signal(signal, gains[signal.label] * factor) for signal in signals]
        reasons += explain.of_pair(pair, evidence, gains, factor, event.id)
        reasons += explain.of_standing(added, others, children)
        reasons += explain.of_exposures(broadcast, active)
        reasons += ruled
        for asked in judged.interventions:
            judging.note(broadcast, pair, actor, asked, event.id)
        pair.level = max(pair.level, judged.level)
        broadcast.level = max(broadcast.level, judged.level, judged.broadcast_level)
        return Decision(
            event=event.id,
            broadcast=broadcast.id,
            actor=None if actor == VOICE else actor,
            at=now,
            level=max(judged.level, judged.broadcast_level).word,
            tactics=tuple(signal.label for signal in signals),  # type: ignore[misc]
            exposures=tuple(active),  # type: ignore[arg-type]
            interventions=judged.interventions,
            belief=explain.rounded(total),
            broadcast_belief=explain.rounded(broadcast.belief),
            reasons=tuple(reasons),
            versions=self.versions,
            proposals=judged.proposals,
        )
