"""RFC 3161 time-stamps from a local authority (OpenSSL's, an implementation of its own) over HTTP on loopback."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from vault_support import new_vault, sealed, settings_in

from upstander.vault import inspect, opening, package, stamps
from upstander.vault.check import Check
from upstander.vault.errors import VaultError

CONFIG = """
[req]
distinguished_name = dn
x509_extensions = ca
prompt = no
[dn]
CN = Test authority
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
authorityKeyIdentifier = keyid
[tsa_config]
serial = serial
default_policy = 1.2.3.4.1
signer_digest = sha256
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the authority of this test is OpenSSL's")


class Authority:
    """A root, a signing certificate, and an HTTP server that answers time-stamp requests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "openssl.cnf").write_text(CONFIG)
        (folder / "serial").write_text("01\n")
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "openssl.cnf"]
        self.run("req", "-x509", *new, "-days", "30", "-keyout", "ca.key", "-out", "ca.pem")
        self.run("req", *new, "-subj", "/CN=Test stamper", "-keyout", "tsa.key", "-out", "tsa.csr")
        more = ["-CAkey", "ca.key", "-CAcreateserial", "-days", "20", "-extfile", "openssl.cnf", "-extensions", "tsa"]
        self.run("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", *more, "-out", "tsa.pem")
        self.root = folder / "ca.pem"
        self.asked: list[bytes] = []
        self.before: bytes | None = None
        self.status = 200

    def run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=60)

    def answer(self, query: bytes) -> bytes:
        self.asked.append(query)
        (self.folder / "query").write_bytes(query)
        sign = ["-config", "openssl.cnf", "-section", "tsa_config", "-signer", "tsa.pem", "-inkey", "tsa.key"]
        self.run("ts", "-reply", "-queryfile", "query", *sign, "-out", "reply")
        return (self.folder / "reply").read_bytes()


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tuple[Authority, str]]:
    made = Authority(tmp_path / "authority")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["content-length"]))
            assert self.headers["content-type"] == "application/timestamp-query"
            reply = made.before if made.before is not None else made.answer(query)
            self.send_response(made.status)
            self.send_header("content-type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_time_stamp_covers_the_ledger_and_goes_with_an_export(
    tmp_path: Path, authority: tuple[Authority, str]
) -> None:
    made, url = authority
    vault, roots = new_vault(tmp_path), stamps.roots_of(made.root)
    sealed(vault, 3)
    stamped_size = vault.ledger.size()
    stamps.stamp(vault, url, roots)
    assert vault.ledger.head(stamped_size).root.encode() not in made.asked[0], "it is sent a hash of the head only"
    sealed(vault, 6)
    path = tmp_path / "case.zip"
    path.write_bytes(package.export(vault, vault.of_case("case-1")[:2], "ann", "police request"))
    found = inspect.inspect(path, vault.signer.public, roots)
    assert found.ok and len(found.stamped) == 1, found.findings
    unchecked = inspect.inspect(path, vault.signer.public)
    assert unchecked.ok and "not checked" in unchecked.notes[0]
    settings = settings_in(tmp_path)
    where = opening.folder_of(settings), opening.objects_in(settings)
    assert Check(*where, vault, roots).run().ok
    another = stamps.roots_of(Authority(tmp_path / "another").root)
    assert [f.what for f in Check(*where, vault, another).run().findings] == [f"time-stamp at {stamped_size} entries"]
    assert not inspect.inspect(path, "", another).ok


def test_an_answer_that_does_not_hold_is_refused_and_not_kept(tmp_path: Path, authority: tuple[Authority, str]) -> None:
    made, url = authority
    vault, roots = new_vault(tmp_path), stamps.roots_of(made.root)
    stamps.stamp(vault, url, roots)
    size = vault.ledger.size()
    made.before = made.folder.joinpath("reply").read_bytes()  # an old answer, for another head and nonce
    with pytest.raises(VaultError, match="does not hold"):
        stamps.stamp(vault, url, roots)
    made.before = b"no time-stamp"
    with pytest.raises(VaultError, match="does not hold"):
        stamps.stamp(vault, url, roots)
    made.status = 500
    with pytest.raises(VaultError, match="did not answer"):
        stamps.stamp(vault, url, roots)
    with pytest.raises(VaultError, match="did not answer"):
        stamps.stamp(vault, "http://127.0.0.1:1/", roots)
    assert vault.ledger.size() == size
    with pytest.raises(VaultError, match="no certificates"):
        stamps.roots_of(tmp_path / "missing.pem")
