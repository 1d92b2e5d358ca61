"""Facts of frames: scenes, age bands with their doubt, and what does not exist here: telling one face from another."""

from __future__ import annotations

import ast
import io
import json
import sys
from functools import cache
from itertools import count
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from watch_support import Rgb, cartoon, pattern

from upstander.detect.audience import AGREEING_FRAMES, AGREEING_MS
from upstander.engine.state import Broadcast
from upstander.model.events import AnyEvent, BroadcastStarted, Frame
from upstander.model.vocabulary import STRICTNESS, AgeBand, Exposure
from upstander.runtime import Runtime, current
from upstander.watch import age_worker, pdq
from upstander.watch.age import AgeProcess, Estimate
from upstander.watch.analyst import Analyst, Models
from upstander.watch.faces import FaceBoxes, FaceCount
from upstander.watch.messages import PICTURE_WIDTH, Beat, Picture, Sound
from upstander.watch.scene import WORDS, Scene

WATCH = Path(__file__).parents[2] / "src" / "upstander" / "watch"


def picture(rgb: Rgb, offset_ms: int = 0) -> Picture:
    """What a watcher's process would send of a picture."""
    small = cv2.resize(rgb, (PICTURE_WIDTH, 180), interpolation=cv2.INTER_AREA)
    grey = np.rint(rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    samples = pdq.shrink(grey)
    luma = np.clip(np.rint(samples), 0, 255).astype(np.uint8).tobytes()
    return Picture(offset_ms, 0, pdq.bits(samples).hex(), pdq.quality(samples), False, luma, (1, 1), small.tobytes())


def card(text: str) -> Rgb:
    drawn = np.full((360, 640, 3), 30, np.uint8)
    return cv2.putText(drawn, text, (120, 190), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (240, 240, 240), 3)


def desktop(shift: int) -> Rgb:
    drawn = np.full((360, 640, 3), 235, np.uint8)
    cv2.rectangle(drawn, (0, 0), (640, 24), (40, 60, 90), -1)
    cv2.rectangle(drawn, (20 + shift, 50), (400 + shift, 320), (255, 255, 255), -1)
    for line in range(60, 310, 12):
        cv2.rectangle(drawn, (40 + shift, line), (120 + (line * 37) % 240 + shift, line + 5), (20, 20, 20), -1)
    cv2.rectangle(drawn, (440, 60), (620, 300), (200, 210, 220), -1)
    return drawn


def scenes(pictures: list[Rgb], faces: int | None = 0) -> list[str]:
    scene = Scene()
    return [scene.word(picture(rgb, n * 1_000), faces) for n, rgb in enumerate(pictures)]


def test_black_static_and_a_card() -> None:
    assert set(scenes([np.full((360, 640, 3), 4, np.uint8)] * 3)) == {"black"}
    waiting = scenes([card("starting soon")] * 14)
    assert "starting_soon" not in waiting[:10]
    assert waiting[10:] == ["starting_soon"] * 4
    assert scenes([pattern(3, 640, 360)] * 12)[-1] == "static"
    assert scenes([cartoon([(320, 170, 80)])] * 12, faces=1)[-1] == "static"


def test_people_screens_and_none() -> None:
    moving = [pattern(n, 640, 360) for n in range(4)]
    assert set(scenes(moving)) == {"none"}
    assert set(scenes(moving, 1)) == {"person"}
    assert set(scenes(moving, 3)) == {"people"}
    assert set(scenes([desktop(n * 30) for n in range(4)])) == {"screen"}
    assert set(scenes(moving, None)) == {"none"}


@given(st.binary(min_size=1, max_size=64), st.integers(0, 10**6), st.none() | st.integers(0, 9))
def test_a_scene_is_always_one_of_the_words(seed: bytes, offset: int, faces: int | None) -> None:
    luma = (seed * 4096)[:4096]
    assert Scene().word(Picture(offset, 0, "0" * 64, 0, False, luma), faces) in WORDS


def test_faces_are_counted_and_one_miss_changes_nothing() -> None:
    boxes = FaceBoxes()
    rgb = cv2.resize(cartoon([(200, 170, 70), (450, 170, 60)]), (320, 180), interpolation=cv2.INTER_AREA)
    found = boxes.find(rgb)
    assert found is not None
    assert len(found) == 2
    assert boxes.find(np.full((180, 320, 3), 90, np.uint8)) == []
    looks = FaceCount()
    assert [looks.add(n) for n in (1, 1, 0, 1, 1, 2, 2)] == [1, 1, 1, 1, 1, 1, 2]


# -- ages --------------------------------------------------------------------------------------------------------


@given(st.floats(0, 90), st.floats(0, 30))
def test_a_band_needs_certainty_about_which_side_of_18(years: float, spread: float) -> None:
    band = Estimate(years, spread).band
    if band is AgeBand.ADULT:
        assert years - spread >= 18
    elif band is not AgeBand.UNKNOWN:
        assert years + spread < 18


class Fixed:
    """A model that always says the same."""

    def __init__(self, estimate: Estimate | None) -> None:
        self.says = estimate

    def estimate(self, rgb: Rgb, boxes: list[tuple[int, int, int, int]]) -> list[Estimate | None]:
        return [self.says] * len(boxes)

    def close(self) -> None:
        pass


@cache
def still(faces: int) -> Picture:
    return picture(cartoon([(320, 170, 80)] if faces == 1 else [(200, 170, 70), (450, 170, 60)]))


@cache
def frames(estimate: Estimate | None, seconds: int, faces: int = 1) -> list[Frame]:
    events: list[AnyEvent] = []
    analyst = Analyst("b1", Models(FaceBoxes(), Fixed(estimate)), events.append, lambda _: None, live=False)
    for second in range(seconds):
        analyst.picture(msgspec.structs.replace(still(faces), offset_ms=second * 1_000))
    return [event for event in events if isinstance(event, Frame)]


PLATFORMS = (f"p{n}" for n in count(1))


@cache
def runtime() -> Runtime:
    return Runtime(current())


def decided(band: AgeBand, events: list[Frame]) -> Broadcast:
    """What the engine holds of a broadcast after these frames, on a platform of its own."""
    platform = next(PLATFORMS)
    start = BroadcastStarted(id="s", at=events[0].at_ms - 1, broadcast="b1", host="h", host_age_band=band)
    for event in (start, *events):
        runtime().observe(platform, event)
    return runtime().engine(platform).state.broadcasts["b1"]


def test_alone_and_young_need_agreement_over_time() -> None:
    long_enough = AGREEING_MS // 1_000 + AGREEING_FRAMES
    short = decided(AgeBand.UNKNOWN, frames(Estimate(9.0, 4.0), 10))
    assert Exposure.ALONE not in short.exposures
    assert short.band is AgeBand.UNKNOWN
    agreed = decided(AgeBand.UNKNOWN, frames(Estimate(9.0, 4.0), long_enough))
    assert {Exposure.ALONE, Exposure.YOUNG_HOST} <= set(agreed.exposures)
    assert agreed.band is AgeBand.UNDER_10
    two = decided(AgeBand.UNKNOWN, frames(None, long_enough, faces=2))
    assert Exposure.ALONE not in two.exposures


@pytest.mark.parametrize("estimate", [Estimate(40.0, 5.0), Estimate(9.0, 4.0), Estimate(17.0, 9.0), None])
@pytest.mark.parametrize("said", list(AgeBand))
def test_an_estimate_never_loosens_protection(said: AgeBand, estimate: Estimate | None) -> None:
    band = decided(said, frames(estimate, AGREEING_MS // 1_000 + AGREEING_FRAMES)).band
    assert STRICTNESS.index(band) <= STRICTNESS.index(said)


def test_a_model_in_a_process_of_its_own(tmp_path: Path) -> None:
    script = tmp_path / "model.py"
    script.write_text(
        "import json, sys\nfor line in sys.stdin:\n    asked = json.loads(line)\n"
        "    print(json.dumps({'years': asked['width'] / 10, 'spread': 3.0}), flush=True)\n"
    )
    model = AgeProcess([sys.executable, str(script)])
    rgb = np.zeros((180, 320, 3), np.uint8)
    assert model.estimate(rgb, [(100, 50, 150, 100)]) == [Estimate(7.0, 3.0)]  # with a margin of a fifth each side
    assert model.estimate(rgb, [(0, 0, 10, 10)]) == [None]  # too small to say
    model.close()
    broken = AgeProcess([sys.executable, "-c", "pass"])
    assert [broken.estimate(rgb, [(100, 50, 150, 100)]) for _ in range(6)] == [[None]] * 6


def test_the_worker_that_runs_beside_the_default_model() -> None:
    """Its lines, with a stand-in for the package that it needs (an environment of its own has the real one)."""

    class Model:
        def age(self, face: Rgb) -> dict[str, int]:
            return {"value": int(face.shape[1]), "confidence": 55 if face.shape[1] > 30 else 5}

    def asked(width: int) -> dict[str, float]:
        import base64

        line = {"width": width, "height": 2, "rgb": base64.b64encode(bytes(width * 6)).decode()}
        return age_worker.answer(Model(), json.dumps(line).encode())

    assert asked(40) == {"years": 40.0, "spread": pytest.approx(8.7)}
    assert asked(20) == {}
    with pytest.raises(KeyError):
        age_worker.answer(Model(), b"{}")
    assert io.BytesIO(b"").readline() == b""


# -- what does not exist -----------------------------------------------------------------------------------------


def test_nobody_is_identified() -> None:
    """No model, no field, no library call by which one face or voice could be told from another."""
    banned = ("embed", "recogniz", "recognis", "identif", "speaker_id", "voiceprint", "landmark", "gender(")
    allowed = {"recogniser", "Recogniser", "_recognise", "recognised", "identity"}
    for file in WATCH.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        found = {name for name in names - allowed if any(word in name.lower() for word in banned)}
        assert not found, f"{file.name}: {found}"
    fields = {name for kind in (Frame, Picture, Sound, Beat) for name in kind.__struct_fields__}
    assert fields == {
        "id", "at", "broadcast", "offset_ms", "pdq", "quality", "faces", "age_bands", "scene",
        "at_ms", "changed", "luma", "size", "rgb", "track", "pcm",
        "interval_s", "mode", "packets", "frames", "corrupt", "wrong_times",
    }  # fmt: skip
    text = "".join(file.read_text(encoding="utf-8") for file in WATCH.glob("*.py")).replace("dlib-models", "")
    used = {word for word in ("SFace", "FaceRecognizer", "dlib", "gender_model", "face_recognition") if word in text}
    assert used == set()


def test_an_age_leaves_as_a_band_only() -> None:
    event = frames(Estimate(9.3, 4.0), 1)[0]
    assert msgspec.to_builtins(event)["age_bands"] == ["under_10"]
    assert "9.3" not in msgspec.json.encode(event).decode()
