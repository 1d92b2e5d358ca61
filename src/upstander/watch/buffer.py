"""The last seconds of a stream, encrypted in memory, where keeping them is allowed. Sealing them is in ``keep``."""

from __future__ import annotations

import secrets
import threading
from collections import deque

import msgspec

from upstander.watch.errors import WatchError
from upstander.watch.messages import Clip

#: However long the seconds: no more than this of one broadcast.
MAX_BYTES = 256 * 1024 * 1024
_NONCE = 12


class Buffer:
    """Clips of one broadcast: those of the last ``seconds``, under a key that lives and dies with this object."""

    def __init__(self, seconds: int) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            raise WatchError("keeping media needs packages. Run: pip install 'upstander[console]'") from None
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._most_ms = seconds * 1000
        self._held: deque[tuple[Clip, bytes]] = deque()
        self._lock = threading.Lock()

    def add(self, clip: Clip) -> None:
        """Hold one clip; what is too old is gone."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, clip.matroska, None)
        with self._lock:
            self._held.append((msgspec.structs.replace(clip, matroska=b""), sealed))
            while len(self._held) > 1 and (
                clip.at_ms - self._held[1][0].at_ms + clip.to_ms - clip.from_ms >= self._most_ms
                or sum(len(each) for _, each in self._held) > MAX_BYTES
            ):
                self._held.popleft()

    def clips(self) -> list[Clip]:
        """What is held now, oldest first."""
        with self._lock:
            held = list(self._held)
        return [
            msgspec.structs.replace(clip, matroska=self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None))
            for clip, sealed in held
        ]
