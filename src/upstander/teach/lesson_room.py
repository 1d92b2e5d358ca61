"""Connections to the class that is open: what each side asks for, and what everyone is told. Runs on one event loop."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import deque
from typing import Any, Literal

import msgspec

from upstander import runtime
from upstander.teach.classroom import Classroom, Phase, Refusal
from upstander.teach.document import places_of
from upstander.teach.lines import line_of
from upstander.teach.scripts import Choice, Scripts
from upstander.teach.scripts import shipped as shipped_scripts
from upstander.teach.watching import Watch, compare

#: Messages that may wait for a client before it is given up; it then connects again and gets the whole state.
MOST_WAITING = 200
#: The teacher is told of new tags and choices at most this often (seconds).
RESULTS_S = 0.05
#: Wrong codes and keys, from all clients together: so many in so many seconds.
MOST_WRONG, WRONG_S = 30, 60.0
#: What one client may ask for within a second.
MOST_ASKED = 30


class Ask(msgspec.Struct, frozen=True):
    """What a client asks for. Fields that an action does not need are ignored."""

    do: Literal[
        "join", "resume", "tag", "choose", "teach", "watch", "open", "start", "pause", "freeze", "pace", "next",
        "go_on", "look_back", "end",
    ]  # fmt: skip
    code: str = ""
    token: str = ""
    key: str = ""
    at: int = -1
    tag: str | None = None
    choice: Choice | None = None
    script: str = ""
    language: str = "en"
    value: float = 1.0


class Connection:
    """One open page: what waits to be sent to it, and what it is."""

    def __init__(self) -> None:
        self.outgoing: asyncio.Queue[str | None] = asyncio.Queue()
        self.role: Literal["", "pupil", "teacher", "projector"] = ""
        self.token = ""
        self.asked: deque[float] = deque(maxlen=MOST_ASKED)

    def tell(self, say: str, **fields: Any) -> None:
        """Send a message, or give the client up when it does not read."""
        self.tell_text(_encoded(say, fields))

    def tell_text(self, text: str) -> None:
        """Send a message that is encoded already."""
        if self.outgoing.qsize() >= MOST_WAITING:
            self.outgoing.put_nowait(None)
        else:
            self.outgoing.put_nowait(text)

    @property
    def too_fast(self) -> bool:
        """Whether this client asks for more than a person can."""
        now = time.monotonic()
        full = len(self.asked) == MOST_ASKED and now - self.asked[0] < 1.0
        self.asked.append(now)
        return full


def _encoded(say: str, fields: dict[str, Any]) -> str:
    return msgspec.json.encode({"say": say, **fields}).decode()


class Room:
    """The one class of this server: opened by the teacher, joined by pupils, forgotten at its end."""

    def __init__(self, key: str, country: str, address: str, scripts: Scripts | None = None) -> None:
        self._key, self._country, self._address = key, country, address
        self.scripts = scripts if scripts is not None else shipped_scripts()
        self.classroom: Classroom | None = None
        self.watch: Watch | None = None
        self.engine: Literal["loading", "ready", "failed"] = "loading"
        self._runtime: runtime.Runtime | None = None
        self._connections: set[Connection] = set()
        self._wrong: deque[float] = deque(maxlen=MOST_WRONG)
        self._playing: asyncio.Task[None] | None = None
        self._results_due = False

    async def load_engine(self) -> None:
        """Read packs and model in a thread: the first time on a machine takes up to half a minute."""
        try:
            self._runtime = await asyncio.to_thread(lambda: runtime.Runtime(runtime.current()))
            self.engine = "ready"
        except Exception:
            self.engine = "failed"
        self._watch_along()
        self._tell_leaders("engine", engine=self.engine)

    def close(self) -> None:
        """The server stops: end the class."""
        self._end()

    # -- what clients ask for --------------------------------------------------------------------------------------

    def take(self, connection: Connection, text: str) -> None:
        """One message of a client."""
        if connection.too_fast:
            return
        try:
            ask = msgspec.json.decode(text, type=Ask)
            if ask.do in ("join", "resume"):
                self._admit(connection, ask)
            elif ask.do in ("teach", "watch"):
                self._recognise(connection, ask)
            elif connection.role == "pupil":
                self._pupil(connection, ask)
            elif connection.role == "teacher":
                self._teacher(connection, ask)
        except msgspec.DecodeError as error:
            connection.tell("refused", why=f"the message cannot be read ({error})")
        except Refusal as error:
            connection.tell("refused", why=str(error))

    def leave(self, connection: Connection) -> None:
        """A client is gone; what a pupil did stays until the class ends, so that they can come back."""
        self._connections.discard(connection)

    def _admit(self, connection: Connection, ask: Ask) -> None:
        classroom, code = self.classroom, ask.code.strip().upper()
        if self._too_many_wrong():
            raise Refusal("join_slow")
        if classroom is None or not hmac.compare_digest(code.encode(), classroom.code.encode()):
            self._wrong.append(time.monotonic())
            # Who comes back after the end is told so; who never was in learns nothing.
            raise Refusal("class_over" if ask.do == "resume" else "join_wrong")
        known = ask.do == "resume" and ask.token in classroom.pupils
        connection.token = ask.token if known else classroom.join()
        connection.role = "pupil"
        self._connections.add(connection)
        pupil = classroom.pupils[connection.token]
        mine = {"tags": pupil.tags, "choices": pupil.choices}
        connection.tell("joined", token=connection.token, mine=mine, **self._state(classroom))
        if classroom.phase is Phase.DEBRIEF:
            connection.tell_text(self._debrief())
        self._results_soon()

    def _recognise(self, connection: Connection, ask: Ask) -> None:
        if self._too_many_wrong():
            raise Refusal("join_slow")
        if not hmac.compare_digest(ask.key.encode(), self._key.encode()):
            self._wrong.append(time.monotonic())
            raise Refusal("teacher_need_link")
        connection.role = "teacher" if ask.do == "teach" else "projector"
        self._connections.add(connection)
        connection.tell("ready", engine=self.engine, address=self._address, scripts=self._listed())
        if self.classroom is not None:
            connection.tell("opened", code=self.classroom.code, **self._state(self.classroom))
            connection.tell("results", results=self.classroom.results())
            if self.classroom.phase is Phase.DEBRIEF:
                connection.tell_text(self._debrief())

    def _pupil(self, connection: Connection, ask: Ask) -> None:
        classroom = self._open_class()
        if ask.do == "tag":
            classroom.tag(connection.token, ask.at, ask.tag)
            connection.tell("tagged", at=ask.at, tag=ask.tag)
        elif ask.do == "choose" and ask.choice is not None:
            classroom.choose(connection.token, ask.choice)
            connection.tell("chose", point=classroom.point, choice=ask.choice)
        self._results_soon()

    def _teacher(self, connection: Connection, ask: Ask) -> None:
        if ask.do == "open":
            self._open(ask)
            return
        classroom = self._open_class()
        if ask.do == "start":
            classroom.start()
        elif ask.do in ("pause", "freeze"):
            classroom.pause(freeze=ask.do == "freeze")
        elif ask.do == "pace":
            classroom.set_pace(ask.value)
        elif ask.do == "next":
            self._step(classroom)
        elif ask.do == "go_on":
            self._tell_outcomes(classroom, classroom.go_on())
        elif ask.do == "look_back":
            classroom.look_back()
            self._stop_playing()
            self._tell_phase(classroom)
            self._broadcast(self._debrief())
            return
        elif ask.do == "end":
            self._end()
            return
        self._tell_phase(classroom)
        self._play()

    # -- the class -------------------------------------------------------------------------------------------------

    def _open(self, ask: Ask) -> None:
        script = self.scripts.get((ask.language, ask.script))
        if script is None:
            raise Refusal(f"there is no script {ask.script!r} in {ask.language!r}")
        self._end()
        self.classroom = Classroom(script)
        self._watch_along()
        for connection in self._leaders():
            connection.tell("opened", code=self.classroom.code, **self._state(self.classroom))
        self._tell_leaders("results", results=self.classroom.results())

    def _end(self) -> None:
        self._stop_playing()
        if self.watch is not None:
            self.watch.close()
            self.watch = None
        if self.classroom is None:
            return
        self.classroom.end()
        self._tell_all("over")
        self.classroom = None
        for connection in [each for each in self._connections if each.role == "pupil"]:
            connection.role, connection.token = "", ""
            self._connections.discard(connection)

    def _step(self, classroom: Classroom) -> None:
        index = classroom.step()
        if self.watch is not None:
            self.watch.up_to(classroom.position)
        self._tell_all("event", line=line_of(classroom.script, index))
        if classroom.phase in (Phase.CHOOSING, Phase.ENDED):
            self._tell_phase(classroom)

    def _watch_along(self) -> None:
        if self._runtime is not None and self.classroom is not None and self.watch is None:
            classroom = self.classroom
            self.watch = Watch(self._runtime, classroom.script, f"class-{classroom.code}", self._country)
            self.watch.up_to(classroom.position)

    def _play(self) -> None:
        """Show lines one after another as long as the class plays."""
        self._stop_playing()
        if self.classroom is not None and self.classroom.phase is Phase.PLAYING:
            self._playing = asyncio.get_running_loop().create_task(self._run(self.classroom))

    def _stop_playing(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None

    async def _run(self, classroom: Classroom) -> None:
        while classroom.phase is Phase.PLAYING:
            await asyncio.sleep(classroom.delay_s())
            if classroom.phase is Phase.PLAYING:
                self._step(classroom)

    # -- what everyone is told -------------------------------------------------------------------------------------

    def _state(self, classroom: Classroom) -> dict[str, Any]:
        story = classroom.script.story
        help_kinds = ("talk", "report", "images", "emergency")
        return {
            "title": story.title,
            "language": story.language,
            "intro": story.intro,
            "host": story.host,
            "tags": story.tags,
            "points": [point.ask for point in story.points],
            "lines": classroom.lines(),
            "phase": classroom.phase,
            "point": classroom.point,
            "pace": classroom.pace,
            "help": places_of(help_kinds, self._country, story.language),
        }

    def _debrief(self) -> str:
        classroom = self._open_class()
        found = compare(classroom.script, self.watch, classroom.results(), classroom.position)
        story = classroom.script.story
        results = classroom.results()
        fields = {"questions": story.debrief, "benign": story.benign, "engine": self.engine, "few": results.few}
        return _encoded("debrief", {"comparison": found, "pupils": results.pupils, **fields})

    def _listed(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "language": language, "title": script.story.title, "band": script.story.band,
             "benign": script.story.benign, "lines": len(script.steps), "intro": script.story.intro}
            for (language, name), script in self.scripts.items()
        ]  # fmt: skip

    def _tell_phase(self, classroom: Classroom) -> None:
        self._tell_all("phase", phase=classroom.phase, point=classroom.point, pace=classroom.pace)

    def _results_soon(self) -> None:
        if not self._results_due:
            self._results_due = True
            asyncio.get_running_loop().call_later(RESULTS_S, self._tell_results)

    def _tell_results(self) -> None:
        self._results_due = False
        if self.classroom is not None:
            self._tell_leaders("results", results=self.classroom.results())

    def _leaders(self) -> list[Connection]:
        return [each for each in self._connections if each.role in ("teacher", "projector")]

    def _tell_leaders(self, say: str, **fields: Any) -> None:
        text = _encoded(say, fields)
        for connection in self._leaders():
            connection.tell_text(text)

    def _tell_all(self, say: str, **fields: Any) -> None:
        self._broadcast(_encoded(say, fields))

    def _tell_outcomes(self, classroom: Classroom, point: int) -> None:
        results = classroom.results()
        outcomes = classroom.script.story.points[point].choices
        self._tell_all("then", point=point, choices=results.choices.get(point, {}), few=results.few, outcomes=outcomes)

    def _broadcast(self, text: str) -> None:
        for connection in self._connections:
            connection.tell_text(text)

    def _open_class(self) -> Classroom:
        if self.classroom is None:
            raise Refusal("class_over")
        return self.classroom

    def _too_many_wrong(self) -> bool:
        return len(self._wrong) == MOST_WRONG and time.monotonic() - self._wrong[0] < WRONG_S
