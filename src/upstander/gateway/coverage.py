"""What runs, as far as the rules of presets are concerned: adapters, and what the policy really asks for when tried."""

from __future__ import annotations

import msgspec

from upstander.adapters.base import NEAREST, Capability, nearest
from upstander.adapters.matrix.adapter import CAPABILITIES as MATRIX
from upstander.adapters.nginx_rtmp import NginxRtmpAdapter
from upstander.adapters.xmpp import CAPABILITIES as XMPP
from upstander.model.events import BroadcastStarted, UserReport
from upstander.model.vocabulary import AgeBand, AgeSource, Intervention
from upstander.policy.coverage import Running
from upstander.runtime import Configuration, Runtime
from upstander.settings import AdapterSettings, Settings

#: What adapters of these kinds can do; ``capabilities`` in their settings only takes something away.
_BUILT_IN = {"nginx_rtmp": NginxRtmpAdapter.capabilities, "matrix": MATRIX, "xmpp": XMPP}
#: Any time will do: what is asked for when a broadcast begins does not depend on it.
_AT = 1_770_000_000_000


def running_of(settings: Settings, configuration: Configuration) -> Running:
    """What these settings make run: the adapters' capabilities, and what the engine and the policy really ask for."""
    able: dict[str, frozenset[Capability]] = {}
    for adapter in settings.adapters:
        able[adapter.platform] = able.get(adapter.platform, frozenset()) | capabilities_of(adapter)
    # No text is read here, so no packs are: compiling them takes seconds.
    runtime = Runtime(msgspec.structs.replace(configuration, packs=(), paraphrase="", model=b"", classifier=""))
    return Running(
        capabilities={platform: frozenset(map(str, found)) for platform, found in able.items()},
        serves={
            platform: frozenset(str(name) for name in NEAREST if nearest(name, found) is not None)
            for platform, found in able.items()
        },
        served_by={str(name): str(options[0][0]) for name, options in NEAREST.items() if options},
        starts={band: _asked_at_start(runtime, band) for band in AgeBand},
        report_calls=_report_calls(runtime),
        kept_days=None,  # the journal is append-only, and nothing in this release deletes from it
        declared=settings.presets.platform,
    )


def capabilities_of(adapter: AdapterSettings) -> frozenset[Capability]:
    """What an adapter will be able to do, without its secret being read."""
    listed = frozenset(adapter.capabilities)
    if adapter.kind not in _BUILT_IN:
        return listed
    found = _BUILT_IN[adapter.kind] & (listed or _BUILT_IN[adapter.kind])
    # The chat adapters call moderators to a place: without one there is nowhere to call them.
    return found if adapter.moderators_room or adapter.moderators_jid else found - {Capability.CALL_MODERATOR}


def _start(band: AgeBand) -> BroadcastStarted:
    return BroadcastStarted(
        id=f"start-{band}",
        at=_AT,
        broadcast=f"probe-{band}",
        host="host",
        host_age_band=band,
        age_source=AgeSource.VERIFIED if band is not AgeBand.UNKNOWN else AgeSource.NONE,
    )


def _asked_at_start(runtime: Runtime, band: AgeBand) -> frozenset[str]:
    decision = runtime.observe(f"probe-{band}", _start(band))
    return frozenset(str(asked.do) for asked in decision.interventions) if decision else frozenset()


def _report_calls(runtime: Runtime) -> bool:
    """Whether one viewer's report of a child's broadcast as such, not of a viewer in it, calls a moderator."""
    band = AgeBand.FROM_13_TO_15
    runtime.observe("probe-report", _start(band))
    report = UserReport(
        id="report", at=_AT + 1_000, broadcast=f"probe-{band}", actor="viewer", subject="host", reason="imminent harm"
    )
    decision = runtime.observe("probe-report", report)
    return decision is not None and any(asked.do is Intervention.CALL_MODERATOR for asked in decision.interventions)
