#!/bin/sh
# A credential helper of git: gives GITHUB_TOKEN to the service that holds this repository, and to nobody else.
# .github/gitconfig names it; only steps that push set GITHUB_TOKEN and read that file.
[ "$1" = get ] || exit 0
while IFS='=' read -r key value; do
  case "$key" in protocol) protocol=$value ;; host) host=$value ;; esac
done
[ "$protocol://$host" = "${GITHUB_SERVER_URL:?}" ] || exit 0
printf 'username=x-access-token\npassword=%s\n' "${GITHUB_TOKEN:?}"
