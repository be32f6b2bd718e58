#!/bin/bash
# The long checks, hours on two cores: full-size models and all of WordNet against Hugging Face's
# packages and open_clip, and mmood envision against a real server, in Python virtual environments of
# their own; memory over 100,000 pictures; 20,000 requests of all kinds to mmood serve; then each
# fuzz target for FUZZ_SECONDS (600). The last line is the tally.
#   check_long.sh BUILD
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
venv=$build/venv
logs=$build/logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0

# check NAME COMMAND...: output to the terminal and to a log; code 77 means that it cannot be done here.
check() {
    local name=$1 code=0
    shift
    echo "== $name"
    "$@" 2>&1 | tee "$logs/long-$name.log" || code=$?
    case $code in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *)
        failed=$((failed + 1))
        echo "FAILED: $name ($logs/long-$name.log)"
        ;;
    esac
}

# llama.cpp's server comes as source and is built here.
interop() {
    local own=$build/venv-interop
    if ! { [ -x "$own/bin/python" ] || python3 -m venv "$own"; } ||
        ! CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)} \
            "$own/bin/pip" install -q -r tools/interop/requirements.txt; then
        echo "skipped: llama-cpp-python cannot be had or built here, see tools/interop/README.md"
        return 77
    fi
    "$own/bin/python" tools/interop/check_server.py "$build"
}

# fuzz NAME: from the corpus, finding new inputs in a folder that is thrown away; what crashes stays in build/logs.
fuzz() {
    local found code=0
    found=$(mktemp -d)
    (cd fuzz && "../build-fuzz/fuzz/fuzz_$1" -max_total_time="${FUZZ_SECONDS:-600}" -timeout=20 -rss_limit_mb=2048 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix="$logs/fuzz-$1-" "$found" "corpus/$1") || code=$?
    rm -rf "$found"
    return $code
}

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q -r tools/requirements-long.txt
check tokenizer "$venv/bin/python" tools/check_tokenizer.py "$build"
check mining "$venv/bin/python" tools/check_mining.py "$build"
check model "$venv/bin/python" tools/check_model.py "$build"
check open-clip "$venv/bin/python" tools/check_open_clip.py "$build"
check interop interop
check aarch64 tools/check_aarch64.sh "$build"
check memory tools/check_memory.sh "$build"
check soak bash -c 'cmake --build "$1" --target test_serve_soak && cd tests && "$1/tests/test_serve_soak" 20000' soak "$build"
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz >/dev/null
for program in build-fuzz/fuzz/fuzz_*; do
    name=${program##*/fuzz_}
    check "fuzz-$name" fuzz "$name"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
