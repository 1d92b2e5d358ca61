#!/usr/bin/env bash
# Puts Synapse, a Matrix homeserver, into .tools/synapse for the tests that start one. It is no part of Upstander
# (its licence is the AGPL), and its own environment keeps its packages apart from ours. Exit 1 when that fails.
set -uo pipefail
cd "$(dirname "$0")/.."
wanted=scripts/synapse-requirements.txt
folder=.tools/synapse
cmp -s "$wanted" "$folder/installed.txt" && exit 0
uv=.tools/bin/uv
[ -x $uv ] || uv=uv
echo "synapse: installing it into $folder (once)"
$uv venv --quiet --clear --python .venv/bin/python "$folder" \
  && $uv pip install --quiet --no-deps --python "$folder/bin/python" --requirement "$wanted" \
  && cp "$wanted" "$folder/installed.txt" && exit 0
echo "synapse: could not be installed" >&2
exit 1
