#!/bin/bash
# mmood on AArch64: builds it with a cross compiler against Debian's arm64 packages, unpacked into a folder of their own, and
# runs the tests under qemu-user: the library's, the server's and the corpora. Tests that start programs stay out, since
# qemu-user runs one program, and the load on the server, whose deadlines are too short for an emulator. Code 77 where
# compiler, qemu or packages cannot be had. Some 10 minutes on two cores.
#   check_aarch64.sh BUILD
set -euo pipefail
mkdir -p "$1/aarch64"
work=$(cd "$1/aarch64" && pwd)
cd "$(dirname "$0")/.."
for program in aarch64-linux-gnu-gcc qemu-aarch64-static apt-get; do
    command -v "$program" >/dev/null || { echo "skipped: no $program (tools/install_packages.sh long)" && exit 77; }
done

# apt-get as on an arm64 machine with nothing installed: a state of its own, the system's sources.
arm64() {
    apt-get -q -o Dir::State="$work/state" -o Dir::State::status="$work/state/status" -o Dir::Cache="$work/cache" \
        -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root -o Debug::NoLocking=true "$@"
}

# The libraries that tools/packages.txt lists, and what they need.
unpack() {
    local libraries package
    mapfile -t libraries < <(awk '/^\[/ { on = $0 ~ /build|check/; next } on && /^lib.*-dev$/ && !/clang/' tools/packages.txt)
    mkdir -p "$work"/state/lists/partial "$work"/cache/archives/partial "$work/root"
    : >"$work/state/status"
    arm64 update
    arm64 install -y --no-install-recommends --download-only "${libraries[@]}"
    for package in "$work"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$work/root"
    done
    touch "$work/complete"
}
[ -e "$work/complete" ] || unpack >"$work/unpack.log" 2>&1 ||
    { tail -n 3 "$work/unpack.log" && echo "skipped: no arm64 packages to be had" && exit 77; }

# -O2: gcc 12 ends with an internal error on a test's loop at -O3.
cmake -S . -B "$work/build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64.cmake" -DMMOOD_SYSROOT="$work/root" \
    -DMMOOD_WERROR=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo
cmake --build "$work/build"
emulator=(qemu-aarch64-static -L "$work/root")
"${emulator[@]}" "$work/build/mmood" inspect models/demo
ctest --test-dir "$work/build" --output-on-failure -j 2 \
    -E '^(cached|serve_load|serve_program|serve_soak|page|cli|cli_bench|cli_eval|cli_open_clip|cli_precision|hub_cache|pull|pull_layouts|demo|envision|envision_chat|envision_replay)$'
