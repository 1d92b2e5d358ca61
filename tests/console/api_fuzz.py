"""Whatever the OpenAPI document allows, and much that it does not, sent to a service. See ``benchmarks/api.py``."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import requests
import schemathesis
from console_support import PRESSING
from hypothesis import HealthCheck, Phase, given, seed, settings
from people_support import add
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.generation import GenerationMode

from support import UPSTANDER, Served, bearer, comment, lines, make_key, started, until
from upstander.cases.desk import Desk
from upstander.cases.store import Store
from upstander.people.model import Stage
from upstander.people.permissions import Role
from upstander.people.sessions import Sessions, form_token
from upstander.people.store import People

TOML = "[cases]\nenabled = true\n[care]\nbudget = 1000000\nbreak_after = 1000000\nsecond_share = 1.0\n"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
#: Each of these hashes a password, or runs two processes: a few of them say as much as many.
SLOW = {("POST", "/people"), ("POST", "/people/{person}/reset"), ("POST", "/account/password")}
SLOW |= {("POST", "/policy/back-test"), ("GET", "/audit/check")}
FEW = 5
#: A session may ask 600 times a minute: a fresh one comes before that.
ASKED = 300
EVERYTHING = [role for role in Role if role is not Role.AUDITOR]


def prepare(folder: Path) -> None:
    """People and a vault, before the service starts."""
    people = People(folder / "data" / "people.sqlite3")
    add(people, "all", Role.MODERATOR)
    people.set_roles("all", EVERYTHING)
    add(people, "spare", Role.ADMINISTRATOR)
    add(people, "aud", Role.AUDITOR)
    people.close()
    subprocess.run([str(UPSTANDER), "vault", "init", "--data", "data"], cwd=folder, check=True, capture_output=True)


class Fuzz:
    """Sends cases to a service and counts what comes back. ``failures``: what should not have."""

    def __init__(self, served: Served, number: int = 0) -> None:
        self.served, self.url = served, served.url
        self.key = make_key(served.data)
        self.people = People(served.data / "people.sqlite3")
        self.http = requests.Session()
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self.asked, self.tokens, self.random = 0, dict[str, str](), random.Random(number)
        self.number = number
        self._press()

    def close(self) -> None:
        self.people.close()
        self.http.close()

    def _press(self) -> None:
        events = []
        for n in range(4):
            events += [started(f"s{n}", f"b{n}")]
            events += [comment(f"c{n}-{m}", text, f"b{n}", f"v{n}") for m, text in enumerate(PRESSING)]
        answer = httpx.post(f"{self.url}/v1/events", content=lines(*events), headers=bearer(self.key), timeout=60)
        assert answer.status_code == 200
        desk = until(
            lambda: (self.served.data / "cases.sqlite3").exists() and Desk(Store(self.served.data / "cases.sqlite3"))
        )
        until(lambda: len(desk.store.select("1")) >= 4, "cases")
        self.cases = [case.id for case in desk.store.select("1")]
        desk.store.close()
        told = self.send("GET", f"/cases/{self.cases[0]}/evidence").json()
        self.items = [item["address"] for item in told["items"]]

    def session(self, path: str) -> str:
        name = "aud" if path.startswith("/audit") else "all"
        if self.asked % ASKED == 0 or name not in self.tokens or not self._held(name):
            sessions = Sessions(self.people, 3_600_000, 3_600_000)
            self.tokens[name] = sessions.open(name, Stage.FULL, "192.0.2.9")
        return self.tokens[name]

    def _held(self, name: str) -> bool:
        return Sessions(self.people, 3_600_000, 3_600_000).find(self.tokens[name], used=False) is not None

    def headers(self, path: str) -> dict[str, str]:
        accept = {"Accept": "application/json"}
        if path.startswith("/v1/") or path in ("/metrics", "/healthz", "/readyz"):
            return accept | bearer(self.key)
        token = self.session(path)
        return accept | {"cookie": f"upstander_session={token}", "x-form-token": form_token(token)}

    def send(self, method: str, path: str) -> httpx.Response:
        return httpx.request(method, self.url + path, headers=self.headers(path), timeout=60)

    def run(self, cases: int) -> None:
        """So many cases, over all operations of the document alike; half of them as it says, half not."""
        schema = schemathesis.openapi.from_url(f"{self.url}/openapi.json")
        operations = [found.ok() for found in schema.get_all_operations()]
        each = -(-cases // len(operations))
        for number, operation in enumerate(operations):
            many = FEW if (operation.method.upper(), operation.path) in SLOW else each
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                self._operation(operation, mode, -(-many // 2), number)

    def _operation(self, operation: Any, mode: GenerationMode, many: int, number: int) -> None:
        try:
            strategy = operation.as_strategy(generation_mode=mode)
        except Exception:
            return  # there is no way to break an operation that takes nothing

        @seed(self.number * 1_000 + number)
        @settings(
            max_examples=many, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(strategy)
        def one(case: Any) -> None:
            self._one(operation, case)

        try:
            one()
        except Exception as error:
            if "Unsatisfiable" not in type(error).__name__:
                self.failures.append(f"{operation.label}: {type(error).__name__}: {error}"[:600])

    def _one(self, operation: Any, case: Any) -> None:
        known = {"case": self.cases, "item": self.items, "platform": ["mysite"], "broadcast": ["b0", "b1"]}
        for name in case.path_parameters or {}:
            if name in known and self.random.random() < 0.7:
                case.path_parameters[name] = self.random.choice(known[name])
        try:
            answer = case.call(session=self.http, headers=self.headers(operation.path), timeout=60)
        except (UnicodeError, requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL):
            return  # could not be sent
        self.asked += 1
        self.statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except BaseException as error:
            if len(self.failures) < 50:
                self.failures.append(f"{operation.label}: {answer.status_code}: {error}"[:900])
