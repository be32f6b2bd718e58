#!/bin/sh
# Installs to a temporary place and builds a small program against it, by pkg-config and by CMake.
#   check_install.sh BUILD
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cmake --install "$build" --prefix "$place/usr"
PKG_CONFIG_PATH=$(dirname "$(find "$place/usr" -name mmood.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
gcc -std=c11 -Wall -Werror tests/install/consumer.c -o "$place/by-pkg-config" \
    $(pkg-config --cflags --libs mmood)
cmake -S tests/install -B "$place/build" -DCMAKE_PREFIX_PATH="$place/usr" -DCMAKE_BUILD_TYPE=Release
cmake --build "$place/build"
LD_LIBRARY_PATH=$(dirname "$(find "$place/usr" -name libmmood.so)")
export LD_LIBRARY_PATH
"$place/by-pkg-config"
"$place/build/consumer"
"$place/usr/bin/mmood" --version
