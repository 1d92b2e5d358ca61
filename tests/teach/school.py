"""A school's server in the process of the tests."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import uvicorn

from support import until
from upstander.teach.server import create_app

KEY = "a-teacher-key-of-tests"


class School:
    """A server in this process."""

    def __init__(self, language: str = "en") -> None:
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.app = create_app(KEY, language, "GB", f"http://{self.host}")
        config = uvicorn.Config(self.app, access_log=False, log_level="warning", ws="websockets-sansio")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        asyncio.run(self.server.serve(sockets=[self.listener]))

    @property
    def room(self) -> Any:
        return self.app.state.room

    def __enter__(self) -> School:
        self.thread.start()
        until(lambda: self.server.started, "the school's server")
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=20)
