#!/usr/bin/env bash
# Creates .venv from uv.lock. Needs only Python 3.11 or newer; safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
UV_VERSION=0.13.9

# Every extra: a leaner install (`pip install upstander[...]`) leaves out what it does not need.
groups=()
for extra in paraphrase train evaluate xmpp console reports study teach watch whep fingerprint; do groups+=(--extra "$extra"); done
[ "${1:-}" = --dev ] && groups+=(--group dev --group docs --group bench)

python=""
for candidate in python3.11 python3.12 python3.13 python3; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
  echo "setup: Python 3.11 or newer is needed and was not found. On Debian: apt-get install python3 python3-venv" >&2
  exit 1
fi

# One package of the extra `captures` (pdqhash) comes as source.
can_compile() {
  command -v c++ >/dev/null && "$python" -c 'import pathlib, sysconfig, sys; sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())'
}
if can_compile || scripts/apt.sh g++ python3-dev && can_compile; then
  groups+=(--extra captures)
elif [ "${CI:-}" = true ]; then
  echo "setup: a C++ compiler is missing and CI must not go without" >&2
  exit 1
else
  echo "setup: going on without the extra \`captures\`: it needs a C++ compiler. On Debian: apt-get install g++ python3-dev" >&2
fi

if [ -x .tools/bin/uv ] && [ "$(.tools/bin/uv --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ]; then
  uv=.tools/bin/uv
elif command -v uv >/dev/null && [ "$(uv --version | cut -d' ' -f2)" = "$UV_VERSION" ]; then
  uv=uv
else
  echo "setup: fetching the package installer (uv $UV_VERSION)"
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    scripts/apt.sh python3-venv || { echo "setup: Python's venv module is missing. On Debian: apt-get install python3-venv" >&2; exit 1; }
  fi
  "$python" -m venv --clear .tools
  .tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
  uv=.tools/bin/uv
fi

[ -x .venv/bin/upstander ] || echo "setup: installing the packages in uv.lock into .venv (once; about a minute)"
quiet=(--quiet)
[ -t 2 ] && [ ! -x .venv/bin/upstander ] && quiet=()   # a person at a terminal sees uv's own progress bars
compile=()
[ -x .venv/bin/upstander ] || compile=(--compile-bytecode)   # once: every command starts half a second sooner
# --inexact: a plain `make setup` after `make setup-dev` keeps the developer's tools.
"$uv" sync --frozen --inexact "${compile[@]}" "${quiet[@]}" --python "$python" "${groups[@]}"
