"""API keys: what each may do, how fast a revoked one is out, and what a look at a broadcast leaves behind."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import httpx
import pytest

from support import (
    PLATFORM,
    PROBE,
    Gateway,
    asynchronous,
    bearer,
    comment,
    gateway,
    make_key,
    revoke,
    serve,
    started,
)
from upstander.gateway.keys import KeyStore, KeyStoreError, Scope

#: Every route that needs a key: method, path, the scope it needs.
ROUTES = [
    ("POST", "/v1/events", Scope.EVENTS_WRITE),
    ("POST", "/v1/hold", Scope.EVENTS_WRITE),
    ("GET", "/v1/decisions", Scope.DECISIONS_READ),
    ("GET", "/v1/broadcasts/b1", Scope.BROADCASTS_READ),
    ("POST", "/v1/broadcasts/b1/orders", Scope.ORDERS_WRITE),
    ("GET", "/v1/nudges?broadcast=b1&event=c1", Scope.DECISIONS_READ),
    ("POST", "/v1/nudges/n1", Scope.NUDGES_WRITE),
    ("GET", "/metrics", Scope.METRICS_READ),
]


async def status(g: Gateway, method: str, path: str, key: str) -> httpx.Response:
    return await g.http.request(method, path, content=json.dumps(comment("c1")).encode(), headers=bearer(key))


@asynchronous
async def test_each_route_wants_its_own_scope(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        await g.post(started())
        for method, path, needed in ROUTES:
            others = make_key(g.data, *(scope for scope in Scope if scope is not needed))
            lacking = await status(g, method, path, others)
            assert lacking.status_code == 403, path
            error = lacking.json()["error"]
            assert needed in error["reason"] and f"--scope {needed}" in error["fix"]
            alone = await status(g, method, path, make_key(g.data, needed))
            assert alone.status_code not in (401, 403), path


@asynchronous
async def test_without_a_valid_key_nothing_is_answered(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        identifier, secret = g.key.split("_", 2)[1:]
        wrong = [
            {},
            {"authorization": ""},
            {"authorization": "Bearer"},
            {"authorization": f"Basic {g.key}"},
            bearer("ups_" + identifier + "_" + "A" * 43),
            bearer("ups_" + "0" * 12 + "_" + secret),
            bearer(g.key[:-1]),
            bearer(g.key + "A"),
            bearer("ups_' OR 1=1 --"),
        ]
        for method, path, _ in ROUTES:
            for headers in wrong:
                request = g.http.build_request(method, path, content=b"{}")
                del request.headers["authorization"]
                request.headers.update(headers)
                response = await g.http.send(request)
                assert response.status_code == 401, (path, headers)
                assert response.json()["error"]["fix"]
        for path in ("/healthz", "/readyz", "/openapi.json"):
            request = g.http.build_request("GET", path)
            del request.headers["authorization"]
            assert (await g.http.send(request)).status_code == 200
        assert (await g.http.get("/v1/decisions", headers={"authorization": f"bearer {g.key}"})).status_code == 200


def test_a_revoked_key_is_out_at_once_in_a_running_service(tmp_path: Path) -> None:
    with serve(tmp_path) as served, httpx.Client(base_url=served.url) as http:
        kept, gone = make_key(served.data), make_key(served.data)
        for key in (kept, gone):
            assert http.get("/v1/decisions", headers=bearer(key)).status_code == 200
        revoke(served.data, gone)
        assert http.get("/v1/decisions", headers=bearer(gone)).status_code == 401
        assert http.get("/v1/decisions", headers=bearer(kept)).status_code == 200
        wrong = "ups_0123456789ab_" + "B" * 43
        assert http.post("/v1/events", json=started(), headers=bearer(wrong)).status_code == 401
        assert http.get("/live/events", headers=bearer(wrong)).status_code == 401
        assert http.get("/v1/decisions?key=" + wrong, headers=bearer(kept)).status_code == 200
        served.stop()
        for key in (kept, gone, wrong):
            assert key.split("_", 2)[2] not in served.log


def test_no_secret_is_kept_and_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys.sqlite")
    texts = [keys.create(PLATFORM, Scope)[0] for _ in range(3)]
    files = list(tmp_path.glob("keys.sqlite*"))
    assert len(files) > 1, "the write-ahead log is looked at, too"
    for path in files:
        content = path.read_bytes()
        assert not any(text.split("_", 2)[2].encode() in content for text in texts)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert [keys.check(text) is not None for text in texts] == [True] * 3
    keys.close()


def test_keys_that_cannot_be_made_or_revoked(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys.sqlite")
    for platform, scopes in (("My Site", [Scope.EVENTS_WRITE]), ("", [Scope.EVENTS_WRITE]), (PLATFORM, [])):
        with pytest.raises(KeyStoreError):
            keys.create(platform, scopes)
    text, key = keys.create(PLATFORM, [Scope.EVENTS_WRITE], "a note")
    assert keys.in_force(key.id) and not keys.in_force("000000000000")
    keys.revoke(key.id)
    with pytest.raises(KeyStoreError):
        keys.revoke(key.id)
    assert keys.check(text) is None and not keys.in_force(key.id)
    assert [(entry.id, bool(entry.revoked_at), entry.note) for entry in keys.entries()] == [(key.id, True, "a note")]
    keys.close()


@asynchronous
async def test_a_platform_sees_only_its_own_broadcasts_and_decisions(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        other = bearer(make_key(g.data, platform="othersite"))
        await g.post([started(), comment("c1", PROBE)])
        assert (await g.http.get("/v1/broadcasts/b1", headers=other)).status_code == 404
        assert (await g.http.get("/v1/decisions", headers=other)).json() == {"decisions": []}
        await g.http.post("/v1/events", json=[comment("t1", PROBE)], headers=other)
        mine, theirs = await g.http.get("/v1/decisions"), await g.http.get("/v1/decisions", headers=other)
        assert [d["decision"]["event"] for d in mine.json()["decisions"]] == ["c1"]
        assert [d["decision"]["event"] for d in theirs.json()["decisions"]] == ["t1"]
        view = (await g.http.get("/v1/broadcasts/b1", headers=other)).json()
        assert view["host_age_band"] == "unknown" and [d["event"] for d in view["decisions"]] == ["t1"]
        await g.http.post(
            "/v1/broadcasts/b1/orders", json={"id": "o", "do": "end", "by": "Eve", "reason": "x"}, headers=other
        )
        assert (await g.http.get("/v1/broadcasts/b1")).json()["state"] == "live"


@asynchronous
async def test_a_look_at_a_broadcast_is_noted(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        await g.post([started(broadcast="a/b c"), comment("c1", PROBE, broadcast="a/b c")])
        view = (await g.http.get("/v1/broadcasts/a/b c")).json()
        assert view["broadcast"] == "a/b c" and view["pairs"][0]["viewer"] == "v1"
        (noted,) = g.journal("audit")
        assert noted.entry.broadcast == "a/b c" and noted.entry.platform == PLATFORM
        body = json.loads(noted.entry.body)
        assert body == {"key": g.key.split("_")[1], "viewed": "broadcast"}
        assert (await g.http.get("/v1/broadcasts/unknown")).status_code == 404


@asynchronous
async def test_decisions_are_paged_by_sequence_number(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        await g.post([started(), *(comment(f"c{n}", PROBE) for n in range(7))])
        found, after = [], 0
        while page := (await g.http.get(f"/v1/decisions?after={after}&limit=3")).json()["decisions"]:
            assert len(page) <= 3
            found += page
            after = page[-1]["seq"]
        assert [each["decision"]["event"] for each in found] == [f"c{n}" for n in range(7)]
        for query in ("after=-1", "after=x", "after=²", "limit=0", "limit=1001", "limit=٣", f"limit={'9' * 5000}"):
            response = await g.http.get(f"/v1/decisions?{query}")
            assert response.status_code == 400 and response.json()["error"]["fix"]
