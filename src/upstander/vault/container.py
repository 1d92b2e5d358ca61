"""A package's file: a ZIP archive that can be written in one way only, so that no byte of it is without a meaning."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping

from upstander.vault.errors import Damaged

MAX_BYTES = 2_000_000_000


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files, sorted by name: not compressed, no times."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o600 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """The files of an archive and what is wrong with it, as ``(what, wrong)``: a file in it, or the container itself.

    Raises ``Damaged`` when it cannot be read at all.
    """
    wrong: list[tuple[str, str]] = []
    files: dict[str, bytes] = {}
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, UnicodeDecodeError) as error:
        raise Damaged(f"the package's list of files (at its end) cannot be read ({error})") from None
    for info in infos:
        if info.file_size > MAX_BYTES or info.compress_type != zipfile.ZIP_STORED:
            wrong.append((info.filename, "is not stored as a package stores its files"))
            continue
        try:
            files[info.filename] = archive.read(info)
        except (
            zipfile.BadZipFile,
            zlib.error,
            ValueError,
            OSError,
            RuntimeError,
            NotImplementedError,
            EOFError,
        ) as error:
            wrong.append((info.filename, f"cannot be read from the package ({error})"))
    if not wrong:
        again = pack(files)
        if again != data:
            at = next((i for i, (a, b) in enumerate(zip(again, data, strict=False)) if a != b), len(again))
            before = [info.filename for info in infos if info.header_offset <= at < archive.start_dir]
            where = before[-1] if before else "the list of files"
            wrong.append(("package file", f"byte {at:,} (in the header of {where}) was changed or added"))
    return files, wrong
