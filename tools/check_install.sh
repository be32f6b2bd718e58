#!/bin/sh
# Installs to a temporary place, moves it (an installed tree must not know where it was), and builds and runs
# docs/library.md's example against it: by pkg-config and by CMake.
#   check_install.sh BUILD
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cmake --install "$build" --prefix "$place/first"
mv "$place/first" "$place/usr"
[ -f "$place/usr/share/mmood/suites/imagenet10-near.json" ]
[ -f "$place/usr/share/mmood/prompts/near.txt" ]
PKG_CONFIG_PATH=$(dirname "$(find "$place/usr" -name mmood.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
gcc -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror tests/install/consumer.c -o "$place/by-pkg-config" \
    $(pkg-config --cflags --libs mmood)
[ "$(pkg-config --modversion mmood)" = "$("$place/usr/bin/mmood" --version | sed 's/^mmood //; s/ .*//')" ]
cmake -S tests/install -B "$place/build" -DCMAKE_PREFIX_PATH="$place/usr" -DCMAKE_BUILD_TYPE=Release
cmake --build "$place/build"
LD_LIBRARY_PATH=$(dirname "$(find "$place/usr" -name libmmood.so)")
export LD_LIBRARY_PATH
"$place/usr/bin/mmood" build --quiet -m models/demo --id demo/sold.txt --outliers demo/outliers.txt \
    -o "$place/shop.mmood"
for program in "$place/by-pkg-config" "$place/build/consumer"; do
    "$program" "$place/shop.mmood" models/demo tests/data/drawings/*.png >"$place/verdicts"
    # the program's verdicts are the same, a picture at a time as well (rows may round by their number)
    "$place/usr/bin/mmood" score --quiet "$place/shop.mmood" tests/data/drawings/*.png --format csv --batch 1 |
        awk -F, 'NR > 1 { printf "%s: %s, score %s, most like \"%s\"\n", $1, $2, $4, $7 }' |
        diff "$place/verdicts" -
    if "$program" "$place/shop.mmood" models/demo demo/run.sh; then
        echo "a shell script was judged"
        exit 1
    fi
done
