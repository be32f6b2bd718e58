#!/bin/sh
# The long checks: full-size models and all of WordNet against Hugging Face's packages, in a Python virtual
# environment of its own; then each fuzz target for ten minutes. Hours on two cores.
#   check_long.sh BUILD
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
venv=$build/venv
dpkg -s wordnet-base python3-venv >/dev/null 2>&1 || {
    echo "Install Debian's wordnet-base and python3-venv first." >&2
    exit 1
}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q -r tools/requirements-long.txt
"$venv/bin/python" tools/check_tokenizer.py "$build"
"$venv/bin/python" tools/check_model.py "$build"
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
cd fuzz
for program in ../build-fuzz/fuzz/fuzz_*; do
    name=$(basename "$program" | sed 's/^fuzz_//')
    echo "fuzzing $name"
    found=$(mktemp -d)
    "$program" -max_total_time="${FUZZ_SECONDS:-600}" -timeout=20 -print_final_stats=1 "$found" "corpus/$name" 2>&1 |
        grep -E 'number_of_executed_units|SUMMARY|ERROR' || true
    rm -rf "$found"
done
