"""Upstander, nginx with the RTMP module and ffmpeg together: what a decision and a person's order do to a stream."""

from __future__ import annotations

import re
import secrets
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from nginx_support import TEMP, Gate, Nginx, Publisher, Upstander, ffmpeg, free_port, nginx, rtmp_module, until

from upstander.settings import load

SECRET = secrets.token_hex(16)
#: One adapter each: the usual one; one whose control interface can be down; one whose nginx has two workers.
MAIN, SHAKY, MANY = PLATFORMS = ("main", "shaky", "many")

#: Three who press, then three who try to meet the child: what a crowd does that no single one of them does.
PRESSURE = (
    ("v1", "ur so pretty do a spin and ill send a gift"),
    ("v2", "do a spin and ill send a gift"),
    ("v3", "do a spin and ill send u a gift"),
    ("v1", "are your parents home"),
    ("v4", "dont tell anyone, add me on the other app"),
    ("v4", "meet me at the park, come alone"),
    ("v5", "dont tell anyone, meet me at the park"),
    ("v6", "we should meet up in person"),
    ("v7", "meet me after school, come alone"),
    ("v8", "dont tell your mum, meet me at the park"),
)


class Servers(NamedTuple):
    """What runs: Upstander, the RTMP ports of nginx by what they are for, and the gate."""

    upstander: Upstander
    ports: dict[str, int]
    gate: Gate


Publish = Callable[..., Publisher]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    nginx(), rtmp_module(), ffmpeg()
    folder = tmp_path_factory.mktemp("nginx-rtmp")
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    control, gated, control_many = free_port(), free_port(), free_port()
    through = {MAIN: control, SHAKY: gated, MANY: control_many}
    settings = 'data = "data"\n' + "".join(
        f"""
        [[adapters]]
        name = "{platform}"
        platform = "{platform}"
        kind = "nginx_rtmp"
        secret_file = "secret"
        control_url = "http://127.0.0.1:{port}/control"
        app = "{platform}"
        """
        for platform, port in through.items()
    )
    started: list[Upstander | Nginx] = []
    gate = Gate(gated, control)
    try:
        gate.open()
        upstander = Upstander(folder, settings, PLATFORMS)
        started.append(upstander)
        ports = {name: free_port() for name in ("right", "wrong", "unreachable", "many")}
        here, nowhere = f"127.0.0.1:{upstander.port}", f"127.0.0.1:{free_port()}"
        rtmp = (
            server(ports["right"], [MAIN, SHAKY], here)
            + server(ports["wrong"], [MAIN], here, secret="wrong")
            + server(ports["unreachable"], [MAIN], nowhere)
        )
        started.append(Nginx(folder / "nginx", rtmp, control))
        many = server(ports["many"], [MANY], here, update_s=1)
        started.append(Nginx(folder / "many", many, control_many, workers=2))
        yield Servers(upstander, ports, gate)
        assert upstander.running, upstander.log.read_text()
        assert "Traceback" not in upstander.log.read_text()
        assert SECRET not in upstander.log.read_text()
    finally:
        for process in reversed(started):
            process.stop()
        gate.close()


def server(port: int, apps: list[str], upstander: str, secret: str = SECRET, update_s: int = 0) -> str:
    """A `server` block of nginx-rtmp, as docs/adapters/nginx-rtmp.md has it."""
    blocks = ""
    for app in apps:
        ask, done = (f"http://{upstander}/adapters/{app}/{what}?secret={secret}" for what in ("publish", "done"))
        update = f"notify_update_timeout {update_s}s; on_update {ask};" if update_s else ""
        blocks += f"application {app} {{ live on; on_publish {ask}; on_publish_done {done}; {update} }}\n"
    return f"server {{ listen 127.0.0.1:{port}; {blocks} }}\n"


@pytest.fixture
def publish(servers: Servers, tmp_path: Path) -> Iterator[Publish]:
    """Start an encoder; whatever still runs at the end of the test is stopped."""
    started: list[Publisher] = []

    def start(name: str, app: str = MAIN, port: str = "right", seconds: float = 60) -> Publisher:
        started.append(Publisher(tmp_path, servers.ports[port], app, name, seconds))
        return started[-1]

    yield start
    for publisher in started:
        publisher.stop()


def live(upstander: Upstander, platform: str, broadcast: str, starts: int = 1) -> None:
    """Wait until Upstander knows of the broadcast, and until nginx has let the encoder in."""
    until(lambda: upstander.broadcast(platform, broadcast).get("events", 0) >= starts, what=f"{broadcast} live")
    time.sleep(0.15)


def acknowledged(upstander: Upstander, platform: str, broadcast: str, asked: str) -> dict[str, object]:
    def done() -> dict[str, object] | None:
        action = upstander.action(platform, broadcast, asked)
        return action if action.get("state") == "acknowledged" else None

    found: dict[str, object] = until(done, what=f"{asked} of {broadcast} acknowledged")
    return found


def test_publishing_starts_a_broadcast_and_stopping_ends_it(servers: Servers, publish: Publish) -> None:
    upstander = servers.upstander
    encoder = publish("plain")
    live(upstander, MAIN, "plain")
    held = upstander.broadcast(MAIN, "plain")
    assert (held["state"], held["host_age_band"]) == ("live", "unknown")
    assert held["last_event"].startswith("nginx:publish:")
    encoder.stop()
    until(lambda: upstander.broadcast(MAIN, "plain")["last_event"].startswith("nginx:done:"), what="the end noted")


@pytest.mark.parametrize("port", ["wrong", "unreachable"])
def test_no_stream_without_upstander(servers: Servers, publish: Publish, port: str) -> None:
    assert publish(f"behind-{port}", port=port).result() != 0
    assert servers.upstander.broadcast(MAIN, f"behind-{port}") == {}
    # The same where secret and address are right.
    assert publish(f"behind-{port}", seconds=0.5).result() == 0


def test_pressure_pauses_and_a_person_resumes_and_ends(servers: Servers, publish: Publish) -> None:
    upstander, name = servers.upstander, "child-1"
    encoder = publish(name)
    live(upstander, MAIN, name)
    about = {"host": "h1", "host_age_band": "10_12", "age_source": "declared"}
    upstander.event(MAIN, name, type="broadcast_started", **about)

    decisions = []
    for viewer, text in PRESSURE:
        decisions.append(upstander.event(MAIN, name, type="comment", actor=viewer, text=text))
        if any(asked["do"] == "pause" for asked in decisions[-1].get("interventions", ())):
            break
    else:
        pytest.fail(f"no pause: {[decision.get('level') for decision in decisions]}")
    assert decisions[-1]["level"] == "emergency"

    # The stream is cut off, and the outbox knows.
    assert encoder.result(5) != 0
    pause = acknowledged(upstander, MAIN, name, "pause")
    assert pause["did"] == "1 publisher dropped; publishing refused"
    assert upstander.broadcast(MAIN, name)["state"] == "paused"
    assert publish(name).result(5) != 0

    # A person looks at it and lets it go on: still as the child's broadcast that it is.
    upstander.order(MAIN, name, "resume")
    acknowledged(upstander, MAIN, name, "resume")
    before = upstander.broadcast(MAIN, name)["events"]
    encoder = publish(name)
    live(upstander, MAIN, name, before + 1)
    held = upstander.broadcast(MAIN, name)
    assert (held["state"], held["host_age_band"]) == ("live", "10_12")
    said = upstander.event(MAIN, name, type="comment", actor="h1", text="my name is robin, im 11")
    assert "stated_age" in said["exposures"]

    # A person ends it: for good.
    upstander.order(MAIN, name, "end")
    assert encoder.result(5) != 0
    acknowledged(upstander, MAIN, name, "end")
    assert publish(name).result(5) != 0
    assert upstander.broadcast(MAIN, name)["state"] == "ended"


def test_an_action_waits_for_a_control_interface_that_is_down(servers: Servers, publish: Publish) -> None:
    upstander = servers.upstander
    encoder = publish("s1", app=SHAKY)
    live(upstander, SHAKY, "s1")
    servers.gate.close()
    upstander.order(SHAKY, "s1", "pause")

    waiting = until(lambda: (a := upstander.action(SHAKY, "s1", "pause")).get("attempts", 0) >= 2 and a)
    assert waiting["state"] in ("pending", "sent")
    assert "ConnectError" in waiting["did"] or waiting["state"] == "sent"
    assert encoder.running
    # What can be done without it is done: a second encoder is refused already.
    assert publish("s1", app=SHAKY).result(5) != 0

    servers.gate.open()
    assert encoder.result(8) != 0
    assert acknowledged(upstander, SHAKY, "s1", "pause")["did"] == "1 publisher dropped; publishing refused"


def test_a_second_encoder_that_nginx_turns_away_does_not_end_the_broadcast(servers: Servers, publish: Publish) -> None:
    upstander = servers.upstander
    first = publish("twice")
    live(upstander, MAIN, "twice")
    assert publish("twice").result(5) != 0  # "Already publishing"
    live(upstander, MAIN, "twice", 2)
    assert upstander.broadcast(MAIN, "twice")["last_event"].startswith("nginx:publish:")
    first.stop()
    until(lambda: upstander.broadcast(MAIN, "twice")["last_event"].startswith("nginx:done:"), what="the end noted")
    assert upstander.broadcast(MAIN, "twice")["events"] == 3


def test_what_stands_behind_a_stream_s_name_cannot_pose_as_another_stream(servers: Servers, publish: Publish) -> None:
    upstander = servers.upstander
    assert publish("barred", seconds=0.5).result() == 0
    upstander.order(MAIN, "barred", "end")
    acknowledged(upstander, MAIN, "barred", "end")
    assert publish("barred?name=other", seconds=0.5).result(5) != 0
    assert publish("barred?a=1&%6eame=other", seconds=0.5).result(5) != 0
    assert upstander.broadcast(MAIN, "other") == {}
    assert publish("welcome?token=a&token=b", seconds=0.5).result() == 0


def test_odd_names_are_dropped_or_never_published(servers: Servers, publish: Publish) -> None:
    upstander, odd = servers.upstander, "a/b:c+d%20e=f;g@h~(i)"
    encoder = publish(odd)
    live(upstander, MAIN, odd)
    upstander.order(MAIN, odd, "pause")
    assert encoder.result(5) != 0
    assert acknowledged(upstander, MAIN, odd, "pause")["did"] == "1 publisher dropped; publishing refused"
    for name in ("a b", "a&b", "a#b", "zoë"):
        assert publish(name).result(5) != 0, name


def test_two_workers_need_on_update(servers: Servers, publish: Publish) -> None:
    """A drop reaches one worker only; `on_update` (here every second) cuts off what it misses."""
    upstander, names = servers.upstander, [f"m{number}" for number in range(6)]
    encoders = [publish(name, app=MANY, port="many") for name in names]
    for name in names:
        live(upstander, MANY, name)
    for name in names:
        upstander.order(MANY, name, "pause")
    for encoder in encoders:
        assert encoder.result(6) != 0
    for name in names:
        acknowledged(upstander, MANY, name, "pause")


def test_on_update_cuts_off_a_paused_stream_and_lets_the_others_go_on(servers: Servers) -> None:
    upstander = servers.upstander

    def ask(call: str, client: int = 7) -> int:
        body = f"app={MAIN}&clientid={client}&call={call}&name=updated"
        return upstander.callback(MAIN, SECRET, "publish", body)

    # It may be the first that Upstander hears of a stream: it was down when that was over, or lost its data.
    assert ask("update_publish") == 200
    assert upstander.broadcast(MAIN, "updated")["events"] == 1
    assert ask("update_publish") == 200
    assert upstander.broadcast(MAIN, "updated")["events"] == 1
    upstander.order(MAIN, "updated", "pause")
    assert ask("update_publish") == 403
    assert ask("update_play") == 200
    # nginx drops nobody though it announced a publisher: not done until that has gone.
    until(lambda: "announced" in upstander.action(MAIN, "updated", "pause")["did"], what="the pause found wanting")
    body = f"app={MAIN}&clientid=7&call=publish_done&name=updated"
    assert upstander.callback(MAIN, SECRET, "done", body) == 200
    acknowledged(upstander, MAIN, "updated", "pause")


def test_callbacks_that_are_not_in_order_are_refused(servers: Servers) -> None:
    upstander = servers.upstander
    good = f"app={MAIN}&clientid=1&call=publish&name=byhand"
    refused = (
        good.replace(f"app={MAIN}", "app=another"),
        good.replace("name=byhand", "name="),
        good.replace("name=byhand", "name=%ff%fe"),
        good.replace("publish", "play"),
        good + "&name=",
        good + "&clientid=2",
        good + "&app=x",
        b"\xff\xfe",
        b"",
    )
    for body in refused:
        assert upstander.callback(MAIN, SECRET, "publish", body) == 403, body
    assert upstander.callback(MAIN, "", "publish", good) == 403
    assert upstander.callback("nobody", SECRET, "publish", good) == 403
    assert upstander.callback(MAIN, "wrong", "done", good) == 403
    assert upstander.broadcast(MAIN, "byhand") == {}
    # Twice in one millisecond, and without the connection's number: two events all the same.
    for body in (good, good, good.replace("clientid=1&", ""), good.replace("clientid=1&", "")):
        assert upstander.callback(MAIN, SECRET, "publish", body) == 200
    assert upstander.broadcast(MAIN, "byhand")["events"] == 4


def test_from_order_to_drop(servers: Servers, publish: Publish, record_property: Callable[[str, object], None]) -> None:
    """Measured until the encoder has noticed (it writes a frame every 40 ms) and has exited."""
    upstander, took = servers.upstander, []
    for turn in range(5):
        encoder = publish("timed")
        live(upstander, MAIN, "timed", 2 * turn + 1)
        began = time.perf_counter()
        upstander.order(MAIN, "timed", "pause")
        encoder.result(5)
        took.append(round((time.perf_counter() - began) * 1000))
        acknowledged(upstander, MAIN, "timed", "pause")
        until(lambda turn=turn: upstander.broadcast(MAIN, "timed")["events"] >= 2 * turn + 2)
        upstander.order(MAIN, "timed", "resume")
    record_property("order_to_drop_ms", took)
    print(f"\nfrom the order to the encoder's exit: median {statistics.median(took)} ms of {took}")
    assert max(took) < 2_000


def test_the_configuration_in_the_documentation_works(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/adapters/nginx-rtmp.md").read_text()
    blocks = dict(re.findall(r"```(nginx|toml)\n(.*?)```", page, re.DOTALL))
    (tmp_path / "callbacks").write_text("on_publish http://127.0.0.1:1/publish?secret=a;")
    config = blocks["nginx"].replace("/etc/nginx/upstander-callbacks.conf", f"{tmp_path}/callbacks")
    config = re.sub("include /etc/nginx/modules-enabled/.*;", f"load_module {rtmp_module()};", config)
    config = re.sub("user www-data;|error_log .*;", "", config).replace("/run/nginx.pid", f"{tmp_path}/pid")
    temp = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in TEMP)
    (tmp_path / "nginx.conf").write_text(config.replace("http {", "http { " + temp))
    command = [nginx(), "-t", "-p", str(tmp_path), "-e", f"{tmp_path}/log", "-c", f"{tmp_path}/nginx.conf"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr

    (tmp_path / "upstander.toml").write_text(blocks["toml"])
    adapter = load(tmp_path / "upstander.toml").adapters[0]
    assert f"{adapter.control_url.removeprefix('http://').partition('/')[0]};" in config
    assert f"/adapters/{adapter.name} secret=" in page
    assert f"application {adapter.app} {{" in config
