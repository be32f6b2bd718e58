#!/usr/bin/env bash
# All tests and checks, each counted once; the last line is the tally. `make check` calls it.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0 skipped=0
logs=build/logs
mkdir -p "$logs"

# check NAME COMMAND...: one check.
check() {
    local name=$1 start=$SECONDS
    shift
    if "$@" >"$logs/$name.log" 2>&1; then
        passed=$((passed + 1))
        printf 'ok      %-28s %4d s\n' "$name" $((SECONDS - start))
    else
        failed=$((failed + 1))
        printf 'FAILED  %-28s %4d s\n' "$name" $((SECONDS - start))
        tail -n 60 "$logs/$name.log" | sed 's/^/        /'
    fi
}

configure_and_build() {
    local folder=$1
    shift
    cmake -S . -B "$folder" -G Ninja -DMMOOD_WERROR=ON "$@" && cmake --build "$folder"
}

# suite NAME FOLDER [CTEST OPTION]...: every test of a build is counted.
suite() {
    local name=$1 folder=$2 start=$SECONDS log="$logs/$1.log"
    shift 2
    ctest --test-dir "$folder" --output-on-failure -j 2 "$@" >"$log" 2>&1
    local p f s
    p=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#.* Passed ' "$log")
    s=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#.*\*\*\*Skipped' "$log")
    f=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#.*\*\*\*(Failed|Timeout|Exception|Not Run)' "$log")
    [ $((p + f + s)) -gt 0 ] || f=1
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-7s %-28s %4d s   %d passed, %d failed, %d skipped\n' \
        "$([ "$f" = 0 ] && echo ok || echo FAILED)" "$name" $((SECONDS - start)) "$p" "$f" "$s"
    [ "$f" = 0 ] || tail -n 120 "$log" | sed 's/^/        /'
}

check build configure_and_build build -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc
suite tests build
check build-asan configure_and_build build-asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=gcc \
    -DMMOOD_SANITIZE=address,undefined
export UBSAN_OPTIONS=print_stacktrace=1
suite tests-asan build-asan
check build-tsan configure_and_build build-tsan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=gcc \
    -DMMOOD_SANITIZE=thread
TSAN_OPTIONS="suppressions=$PWD/tools/tsan.supp" suite tests-tsan build-tsan -L threads
check build-clang configure_and_build build-clang -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang
suite tests-clang build-clang
check build-fuzz configure_and_build build-fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_COMPILER=clang -DMMOOD_FUZZ=ON -DMMOOD_BUILD_TESTS=OFF -DMMOOD_SANITIZE=address,undefined
check valgrind tools/check_valgrind.sh build
check format tools/check_format.sh
check layers tools/check_layers.sh
check files tools/check_files.sh
check symbols tools/check_symbols.sh build/libmmood.so
check header tools/check_header.sh
check install tools/check_install.sh build

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
