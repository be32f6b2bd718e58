#!/bin/sh
# Installs what tools/packages.txt lists and is not there yet, with apt-get.
set -eu
cd "$(dirname "$0")/.."
missing=
for package in $(grep -v '^#' tools/packages.txt); do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "These packages are needed, by the names Debian gives them:$missing" >&2
    echo "There is no apt-get here: install them by hand, then run cmake directly." >&2
    exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || { echo "Run as root, or install by hand:$missing" >&2; exit 1; }
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
