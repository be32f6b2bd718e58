#!/bin/sh
# Builds what is installed, and says nothing unless it fails.
#   tools/quiet_build.sh FOLDER [CMAKE-OPTION...]
set -eu
build=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
[ -x "$build/mmood" ] || echo "Building mmood (a minute on two cores) ..." >&2
if ! { cmake -S . -B "$build" -G Ninja "$@" && cmake --build "$build" --target mmood_installed; } >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
