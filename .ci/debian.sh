#!/usr/bin/env bash
# Debian packages that some tests use; those tests are skipped, with the reason, where a package is missing.
# Quick and quiet where everything is there. Never fails: a machine without apt or rights runs the other tests.
set -uo pipefail
packages=(
  prometheus              # and promtool: alert rules and the dashboard's queries are tried on a real one
  chromium                # every page in a real browser
  fonts-nanum             # Korean pages have the width of Korean letters
  openjdk-17-jre-headless # Spark
)
# Elsewhere than on Debian that package is a snap, which takes minutes; such machines have a browser of their own.
grep -qx 'ID=debian' /etc/os-release 2>/dev/null || packages=(prometheus openjdk-17-jre-headless)
missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
note() { printf 'debian: %s; tests that need %s are skipped\n' "$1" "${missing[*]}" >&2; }
command -v apt-get >/dev/null || { note "this machine has no apt-get"; exit 0; }
as_root=()
if [ "$(id -u)" != 0 ]; then
  { [ "${CI:-}" = true ] && sudo -n true 2>/dev/null; } || { note "installing needs root"; exit 0; }
  as_root=(sudo -n)
fi

# The packages' own services stay off: a test starts what it needs, on a port of its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
log=$(mktemp)
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -yqq --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null
}
printf 'debian: installing %s\n' "${missing[*]}" >&2
install || { "${as_root[@]}" apt-get update -qq >>"$log" 2>&1 && install; } || {
  tail -n 5 "$log" >&2
  note "apt-get could not install them"
}
rm -f "$log"
