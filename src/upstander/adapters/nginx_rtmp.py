"""nginx with libnginx-mod-rtmp (Debian): publishing allowed or refused, and a publisher dropped by a decision.

nginx asks ``on_publish`` before it accepts a stream and tells ``on_publish_done`` when it ends; both come to the
gateway (``gateway/nginx_rtmp``). This side drops a publisher through the module's control interface.
Reference: https://github.com/arut/nginx-rtmp-module/wiki/Control-module
"""

from __future__ import annotations

import httpx

from upstander.adapters.base import Action, Capability, Outcome

TIMEOUT_S = 5.0


class NginxRtmpAdapter:
    """``pause`` and ``end`` drop the publisher; ``resume`` needs nothing from nginx: publishing is allowed again.

    A broadcast's id is the stream's name. Dropping a stream that is not there does nothing, so actions may repeat.
    """

    capabilities = frozenset({Capability.PAUSE, Capability.END})

    def __init__(self, name: str, platform: str, control_url: str, app: str) -> None:
        self.name, self.platform = name, platform
        self._control = control_url.rstrip("/")
        self.app = app
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)

    async def perform(self, action: Action) -> Outcome:
        """Drop the publisher, or note that it may publish again."""
        if action.doing == "resume":
            return Outcome(True, note="publishing is allowed again")
        parameters = {"app": self.app, "name": action.broadcast}
        try:
            response = await self._client.get(f"{self._control}/drop/publisher", params=parameters)
        except httpx.HTTPError as error:
            return Outcome(False, retry=True, note=f"nginx gave no answer ({type(error).__name__})")
        if not response.is_success:
            return Outcome(False, response.status_code >= 500, f"nginx answered {response.status_code}")
        dropped = response.text.strip()
        return Outcome(True, note=f"{dropped if dropped.isdigit() else '0'} publisher dropped; publishing refused")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
