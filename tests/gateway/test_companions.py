"""What runs beside the intake: asked for and missing, broken off, and cancelled."""

from __future__ import annotations

import asyncio
import builtins
import logging
from pathlib import Path
from typing import Any

import pytest

from support import asynchronous
from upstander.gateway import companions
from upstander.settings import CaptureSettings, CaseSettings, Settings, SettingsError


async def deliver(platform: str, body: bytes) -> bool:
    return True


def test_nothing_runs_that_nobody_asked_for(tmp_path: Path) -> None:
    assert companions.chosen(Settings(data=str(tmp_path)), deliver) == {}


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "upstander.captures":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    settings = Settings(data=str(tmp_path), captures=CaptureSettings(enabled=True))
    with pytest.raises(SettingsError, match=r"`enabled` under \[captures\].*pip install 'upstander\[captures\]'"):
        companions.chosen(settings, deliver)


def test_cases_without_a_vault_are_refused_at_the_start(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path), cases=CaseSettings(enabled=True))
    with pytest.raises(SettingsError, match="upstander vault init"):
        companions.chosen(settings, deliver)


@asynchronous
async def test_what_breaks_off_or_ends_begins_anew_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(companions, "AGAIN_S", 0.001)
    runs, thrice = [], asyncio.Event()

    async def companion(service: Any) -> None:
        runs.append(service)
        if len(runs) == 1:
            raise ValueError("broken")
        if len(runs) == 2:
            return
        thrice.set()
        await asyncio.Event().wait()

    with caplog.at_level(logging.ERROR):
        task = asyncio.create_task(companions.kept("captures", companion, None))  # type: ignore[arg-type]
        await thrice.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "captures broke off; begun anew in 0.001 s",
        "captures ended, which it never should; begun anew in 0.001 s",
    ]
