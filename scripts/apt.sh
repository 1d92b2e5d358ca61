#!/usr/bin/env bash
# Installs the named Debian packages if this user can (root or password-less sudo). Exit 1 when it cannot.
set -uo pipefail
missing=()
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
command -v apt-get >/dev/null || { echo "apt: this is not a Debian system; missing: ${missing[*]}" >&2; exit 1; }
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo=(sudo -n); else
    echo "apt: not root and no password-less sudo; missing: ${missing[*]}" >&2; exit 1
  fi
fi
echo "apt: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# policy-rc.d stops a freshly installed server (nginx) from being started on its default port.
policy=/usr/sbin/policy-rc.d made=0
if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy >/dev/null && "${sudo[@]}" chmod +x $policy && made=1; fi
"${sudo[@]}" apt-get update -qq && "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
status=$?
[ $made = 1 ] && "${sudo[@]}" rm -f $policy
exit $status
