#!/usr/bin/env bash
# All tests and checks, each counted once; the last line is the tally. `make check` calls it.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0 skipped=0
logs=build/logs
mkdir -p "$logs"
# git refuses a checkout that another user owns, as containers often have it; its list of files would be empty.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$PWD

# check NAME COMMAND...: one check. Exit code 77 means that it cannot be done here.
check() {
    local name=$1 start=$SECONDS code=0
    shift
    "$@" >"$logs/$name.log" 2>&1 || code=$?
    if [ "$code" = 0 ]; then
        passed=$((passed + 1))
        printf 'ok      %-28s %4d s\n' "$name" $((SECONDS - start))
    elif [ "$code" = 77 ]; then
        skipped=$((skipped + 1))
        printf 'skipped %-28s        %s\n' "$name" "$(tail -n 1 "$logs/$name.log")"
    else
        failed=$((failed + 1))
        printf 'FAILED  %-28s %4d s   all of it: %s\n' "$name" $((SECONDS - start)) "$logs/$name.log"
        tail -n 60 "$logs/$name.log" | sed 's/^/        /'
    fi
    return $code
}

configure_and_build() {
    local folder=$1
    shift
    cmake -S . -B "$folder" -G Ninja -DMMOOD_WERROR=ON "$@" && cmake --build "$folder"
}

# suite NAME FOLDER [CTEST OPTION]...: every test of a build is counted.
suite() {
    local name=$1 folder=$2 start=$SECONDS log="$logs/$1.log" code=0
    shift 2
    ctest --test-dir "$folder" --output-on-failure -j 2 "$@" >"$log" 2>&1 || code=$?
    local all p s f
    all=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#' "$log")
    p=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#.* Passed ' "$log")
    s=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#.*\*\*\*(Skipped|Not Run \(Disabled\))' "$log")
    f=$((all - p - s))
    # ctest itself failed, or there was nothing to run
    if [ "$f" = 0 ] && { [ "$code" != 0 ] || [ "$all" = 0 ]; }; then f=1; fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-7s %-28s %4d s   %d passed, %d failed, %d skipped\n' \
        "$([ "$f" = 0 ] && echo ok || echo FAILED)" "$name" $((SECONDS - start)) "$p" "$f" "$s"
    if [ "$f" != 0 ]; then
        echo "        all of it: $log"
        tail -n 120 "$log" | sed 's/^/        /'
    fi
}

# A check that asks git for the files: skipped in an unpacked archive.
of_checkout() {
    [ -e .git ] || { echo "not a git checkout"; return 77; }
    git ls-files --error-unmatch Makefile && "$@"
}

# build NAME FOLDER [CMAKE OPTION]...: a check; its tests and others need it, so they are run only if it passes.
build() {
    local name=$1
    shift
    check "$name" configure_and_build "$@"
}

export UBSAN_OPTIONS=print_stacktrace=1
# gcc 13 and later keep locals on a second stack to find uses after return, and align 64-byte vectors to 32 there.
export ASAN_OPTIONS=detect_stack_use_after_return=0
build build build -DCMAKE_BUILD_TYPE=Release && {
    suite tests build
    if [ "$(uname -m)" = x86_64 ]; then # CPUs without AVX-512 and without AVX2; the variable also has an old name
        of_models='^(kernels|onednn|int8|golden|open_clip|golden_images|cached|team|model_errors|serve|serve_load|cli|cli_eval)$'
        ONEDNN_MAX_CPU_ISA=AVX2 suite tests-avx2 build -R "$of_models"
        ONEDNN_MAX_CPU_ISA=SSE41 suite tests-sse41 build -R "$of_models"
        DNNL_MAX_CPU_ISA=AVX2 suite tests-avx2-old-name build -R '^(onednn|golden)$'
    fi
    check valgrind tools/check_valgrind.sh build
    check symbols tools/check_symbols.sh build/libmmood.so
    check install tools/check_install.sh build
    check documents of_checkout tools/check_documents.sh build
}
build build-asan build-asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=gcc \
    -DMMOOD_SANITIZE=address,undefined && suite tests-asan build-asan
build build-tsan build-tsan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=gcc \
    -DMMOOD_SANITIZE=thread && TSAN_OPTIONS="suppressions=$PWD/tools/tsan.supp" suite tests-tsan build-tsan -L threads
build build-clang build-clang -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang && suite tests-clang build-clang
build build-fuzz build-fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang \
    -DMMOOD_FUZZ=ON -DMMOOD_BUILD_TESTS=OFF -DMMOOD_SANITIZE=address,undefined
check format of_checkout tools/check_format.sh
check layers of_checkout tools/check_layers.sh
check files of_checkout tools/check_files.sh
check header tools/check_header.sh

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
