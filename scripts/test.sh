#!/usr/bin/env bash
# Installs what the tests need beside Python packages, then runs them, a process for each core; each file's tests stay
# together. Arguments go to pytest (`-n0` runs them in one process, to debug; `--cov` measures what they reach, in
# processes that they start too, and makes them take twice as long: `make coverage`).
set -euo pipefail
cd "$(dirname "$0")/.."

# The patterns are compiled for this machine meanwhile, with all its cores: not by each process of the tests.
.venv/bin/python -c "from upstander import runtime; runtime.current().detector()" &
patterns=$!

packages=(openssl nginx libnginx-mod-rtmp ffmpeg chromium fonts-dejavu-core prosody prosody-modules espeak-ng libchromaprint1 libseccomp2 srt-tools)
if ! scripts/apt.sh "${packages[@]}"; then
  if [ "${CI:-}" = true ]; then
    echo "test: packages are missing and CI must not skip" >&2
    exit 1
  fi
  echo "test: going on without them; the tests that need them are skipped (each says so below)" >&2
fi
if ! scripts/synapse.sh; then
  if [ "${CI:-}" = true ]; then
    echo "test: Synapse is missing and CI must not skip" >&2
    exit 1
  fi
  echo "test: going on without Synapse; the tests that need it are skipped (each says so below)" >&2
fi
if ! scripts/pdq_vectors.sh; then
  if [ "${CI:-}" = true ]; then
    echo "test: the pictures of PDQ's test vectors are missing and CI must not skip" >&2
    exit 1
  fi
  echo "test: going on without the pictures of PDQ's test vectors; that test is skipped" >&2
fi
wait "$patterns"
exec .venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations=40 --durations-min=5 "$@"
