"""Where encrypted items lie: a local folder, or a bucket that speaks S3, through ``obstore``.

S3 is not tested against the real server: only the local folder is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from upstander.vault.errors import Damaged, VaultError


class Objects(Protocol):
    """Bytes by address. Putting the same bytes twice, or taking away what is not there, changes nothing."""

    def put(self, address: str, data: bytes) -> None:
        """Durable once it returns."""

    def get(self, address: str) -> bytes:
        """Raises ``Damaged`` when it is not there."""

    def remove(self, address: str) -> None:
        """Gone once it returns."""

    def addresses(self) -> Iterator[str]:
        """All there are."""


def objects_of(location: str, folder: Path, options: Mapping[str, str]) -> Objects:
    """The place that the settings name: empty is ``folder``, else an address such as ``s3://bucket/prefix``.

    ``options`` are obstore's (``endpoint``, ``region``, …); credentials come from the environment (``AWS_…``).
    """
    if not location:
        return Folder(folder)
    try:
        return Bucket(from_url(location, **dict(options)), location)  # type: ignore[call-overload]
    except (BaseError, ValueError, TypeError) as error:
        fix = "Give an address such as s3://bucket/prefix, or leave `storage` out for the local folder."
        raise VaultError(f"`storage` under [vault]: {location!r} cannot be used ({_first(error)}). {fix}") from None


class Bucket:
    """Any store that obstore knows."""

    def __init__(self, store: Any, name: str) -> None:
        self._store, self._name = store, name

    def put(self, address: str, data: bytes) -> None:
        """Written whole, in one request."""
        try:
            self._store.put(_path(address), data)
        except (BaseError, OSError) as error:
            raise VaultError(f"item {address} cannot be stored in {self._name} ({_first(error)}).") from None

    def get(self, address: str) -> bytes:
        """The bytes as they lie there."""
        try:
            data: bytes = self._store.get(_path(address)).bytes().to_bytes()
        except FileNotFoundError:
            raise Damaged(f"item {address}: its stored bytes are missing in {self._name}") from None
        except (BaseError, OSError) as error:
            raise VaultError(f"item {address} cannot be read in {self._name} ({_first(error)}).") from None
        return data

    def remove(self, address: str) -> None:
        """Take it away."""
        try:
            self._store.delete(_path(address))
        except FileNotFoundError:
            pass
        except (BaseError, OSError) as error:
            raise VaultError(f"item {address} cannot be removed in {self._name} ({_first(error)}).") from None

    def addresses(self) -> Iterator[str]:
        """All there are."""
        for chunk in self._store.list():
            for found in chunk:
                yield str(found["path"]).replace("/", "")


class Folder(Bucket):
    """A local folder of mode 700. obstore does not wait for the disk, so that is done here."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise VaultError(f"the folder {folder} cannot be used ({error.strerror}). Check its rights.") from None
        super().__init__(LocalStore(folder), str(folder))
        self._folder = folder

    def put(self, address: str, data: bytes) -> None:
        """Durable: the file, its folder, and the folder's name."""
        super().put(address, data)
        file = self._folder / _path(address)
        for path in (file, file.parent, self._folder):
            _sync(path)

    def remove(self, address: str) -> None:
        """Gone from the folder, for good."""
        super().remove(address)
        parent = (self._folder / _path(address)).parent
        if parent.is_dir():
            _sync(parent)


def _path(address: str) -> str:
    return f"{address[:2]}/{address[2:]}"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _first(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
