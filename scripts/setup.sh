#!/usr/bin/env bash
# Installs what the tests need, by apt when it can; says plainly what is missing when it cannot.
set -euo pipefail

missing=()
# The same program is the sentinel: `redis-server --sentinel`.
command -v redis-server >/dev/null || missing+=(redis-server)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || missing+=(postgresql)
# Not the builtin of this shell: the program of that name.
{ type -P kill && type -P pgrep; } >/dev/null || missing+=(procps)
command -v openssl >/dev/null || missing+=(openssl)
command -v cc >/dev/null || missing+=(build-essential)
[ ${#missing[@]} -eq 0 ] && exit 0

give_up() {
    echo "make setup: the tests need: ${missing[*]}" >&2
    echo "make setup: $1" >&2
    exit 1
}

command -v apt-get >/dev/null || give_up "there is no apt-get here; install these with your system's package manager"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || give_up "not root and no sudo; run as root: apt-get install ${missing[*]}"
    as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q || give_up "apt-get update failed"
"${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" || give_up "apt-get install failed"
