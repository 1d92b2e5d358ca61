"""What presets ask for reaches the platform when a broadcast begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import Recorder, assert_whole, asynchronous, eventually, gateway, settings_in, started
from upstander.gateway.configuration import presets_of
from upstander.settings import PresetSettings, Settings, SettingsError


@asynchronous
async def test_by_default_the_strictest_presets_hold_from_the_start(tmp_path: Path) -> None:
    adapter = Recorder()
    async with gateway(tmp_path, [adapter], presets=PresetSettings()) as g:
        answer = (await g.post([started()])).json()["results"][0]["decision"]
        assert answer["level"] == "clear"
        await eventually(lambda: len(adapter.performed) == 4)
        wanted = {"disable_comments", "disable_gifts", "disable_invites", "hide_counts"}
        assert {action.doing for action in adapter.performed} == wanted
        await g.post([started("s2")])
    assert len(adapter.performed) == 4
    assert_whole(g.service.settings.journal_path)


def test_settings_choose_presets_by_name(tmp_path: Path) -> None:
    assert "gb-ofcom-proposed" in presets_of(Settings())
    assert not [name for name in presets_of(Settings()) if name.startswith("platform-")]
    assert presets_of(settings_in(tmp_path)) == ()
    assert presets_of(Settings(presets=PresetSettings(("platform-twitch",)))) == ("platform-twitch",)
    with pytest.raises(SettingsError, match=r"`use` under .presets.: there is no preset `twich`"):
        presets_of(Settings(presets=PresetSettings(("twich",))))
