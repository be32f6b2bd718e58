#!/bin/sh
# Installs what is missing of some groups of tools/packages.txt, with apt-get.
#   install_packages.sh GROUP...
set -eu
cd "$(dirname "$0")/.."
missing=
for group in "$@"; do
    for package in $(awk -v group="[$group]" '/^\[/ { on = $0 == group; next } on && !/^#/' tools/packages.txt); do
        if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
            missing="$missing $package"
        fi
    done
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "These packages are needed, by the names Debian gives them:$missing" >&2
    echo "There is no apt-get here: install them in this system's way, then run cmake (see CONTRIBUTING.md)." >&2
    exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || {
        echo "These packages are missing:$missing" >&2
        echo "Neither root nor sudo: have them installed with: apt-get install$missing" >&2
        exit 1
    }
fi
echo "Installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        echo "apt-get $* failed" >&2
        exit 1
    }
}
quietly update
# shellcheck disable=SC2086
quietly install -y --no-install-recommends $missing
