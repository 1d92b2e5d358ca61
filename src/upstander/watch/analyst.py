"""From a watcher's reports to wire events: facts of frames, words of speech. Where events go is not known here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

import msgspec

from upstander.model.events import AnyEvent, Frame, Speech
from upstander.model.vocabulary import AgeBand
from upstander.watch.age import AgeModel
from upstander.watch.faces import FaceBoxes, FaceCount, rgb_of
from upstander.watch.fingerprint import Print, Printer
from upstander.watch.messages import Picture, Sound
from upstander.watch.scene import Scene
from upstander.watch.speech import Heard, Recogniser
from upstander.watch.voice import Utterance, Voice, VoiceModel


def now_ms() -> int:
    """This machine's clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Models:
    """The models that all broadcasts share; each may be missing."""

    def __init__(
        self,
        faces: FaceBoxes | None = None,
        age: AgeModel | None = None,
        voice: VoiceModel | None = None,
        recogniser: Recogniser | None = None,
    ) -> None:
        self.faces, self.age, self.voice, self.recogniser = faces, age, voice, recogniser

    def close(self, finish: bool = True) -> None:
        """Finish what is being recognised (or forget what waits), then let go."""
        if self.recogniser is not None:
            self.recogniser.close(finish)
        if self.age is not None:
            self.age.close()


class Said(msgspec.Struct, frozen=True):
    """Words as they were heard, before anybody decided whether they are an event. ``language``: ISO 639-1."""

    event: Speech
    language: str
    offset_ms: int
    waited_s: float


class Analyst:
    """One broadcast. ``began_ms``: its start by this machine's clock; ``live``: times are those of arrival."""

    def __init__(
        self,
        broadcast: str,
        models: Models,
        event: Callable[[AnyEvent], None],
        said: Callable[[Said], None],
        live: bool = True,
        printed: Callable[[Print], None] | None = None,
    ) -> None:
        self.broadcast, self.models = broadcast, models
        self._event, self._said, self._live = event, said, live
        self.began_ms = now_ms()
        self._name = f"{self.began_ms:x}"
        self._base_ms = 0
        self._scene, self._count = Scene(), FaceCount()
        self._voices: dict[int, Voice] = {}
        self._titles: list[str] = []
        self._frames = self._words = 0
        self._printed = printed
        self._printer = Printer() if printed is not None else None

    def opened(self, titles: Sequence[str]) -> None:
        """The stream was opened (again): offsets go on from where the broadcast is."""
        self._base_ms = now_ms() - self.began_ms if self._live and self._frames + self._words else 0
        self.lost()
        self._titles = list(titles)

    def lost(self) -> None:
        """The stream is gone: what was being said is recognised all the same."""
        for voice in self._voices.values():
            ended = voice.end()
            if ended is not None:
                self._recognise(ended)
        self._voices = {}
        if self._printer is not None:
            self._print(self._printer.end())

    def _print(self, made: Print | None) -> None:
        if made is not None and self._printed is not None:
            self._printed(made)

    def picture(self, picture: Picture) -> Frame:
        """The ``frame`` event of a sampled frame; it is passed on."""
        faces, bands = self._people(picture)
        offset = self._base_ms + picture.offset_ms
        self._frames += 1
        event = Frame(
            id=f"frame:{self._name}:{self._frames}",
            at=now_ms() if self._live else self.began_ms + offset,
            broadcast=self.broadcast,
            offset_ms=min(offset, 1_000_000_000),
            pdq=picture.pdq,
            quality=picture.quality,
            faces=faces,
            age_bands=bands,
            scene=self._scene.word(picture, faces),
        )
        self._event(event)
        return event

    def _people(self, picture: Picture) -> tuple[int | None, list[AgeBand]]:
        rgb = rgb_of(picture)
        if rgb is None or self.models.faces is None:
            return None, []
        boxes = self.models.faces.find(rgb)
        if boxes is None:
            return None, []
        bands: list[AgeBand] = []
        if self.models.age is not None and boxes:
            estimates = self.models.age.estimate(rgb, boxes)
            bands = [AgeBand.UNKNOWN if each is None else each.band for each in estimates]
        return self._count.add(len(boxes)), bands

    def sound(self, sound: Sound) -> None:
        """A piece of a track: what was said in it comes out later. The first track is fingerprinted."""
        if self._printer is not None and sound.track == 0:
            self._print(self._printer.hear(sound.pcm, self._base_ms + sound.offset_ms))
        if self.models.voice is None or self.models.recogniser is None:
            return
        voice = self._voices.setdefault(sound.track, Voice(self.models.voice, sound.track))
        for utterance in voice.hear(sound.pcm, sound.offset_ms):
            self._recognise(utterance)

    def _recognise(self, utterance: Utterance) -> None:
        if self.models.recogniser is None:
            return
        base, speaker = self._base_ms, self.speaker(utterance.track)

        def heard(words: Heard, waited_s: float) -> None:
            offset = base + utterance.offset_ms
            self._words += 1
            at = now_ms() if self._live else self.began_ms + offset + int(utterance.seconds * 1000)
            event = Speech(
                id=f"speech:{self._name}:{self._words}",
                at=at,
                broadcast=self.broadcast,
                text=words.text[:20_000],
                speaker=speaker,
                confidence=words.confidence,
            )
            self._said(Said(event, words.language, offset, waited_s))

        self.models.recogniser.put(utterance, heard)

    def speaker(self, track: int) -> str:
        """Whose track it is, where the stream says so: with several tracks the first, or one called `host`, is the
        host's and the others are others'. One track for all: nobody can tell, and voices are not compared here."""
        if len(self._titles) < 2:
            return "unknown"
        titles = [title.strip().lower() for title in self._titles]
        with contextlib.suppress(ValueError):
            return "host" if titles.index("host") == track else "other"
        return "host" if track == 0 else "other"
