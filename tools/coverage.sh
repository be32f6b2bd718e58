#!/bin/sh
# Which lines of src/ the tests run: a table by file, least covered first. Uses the coverage preset and gcov.
set -eu
cd "$(dirname "$0")/.."
cmake --preset coverage >/dev/null
cmake --build --preset coverage >/dev/null
find build-coverage -name '*.gcda' -delete
ctest --preset coverage -j 2 >/dev/null || echo "tests fail; the table counts what they ran" >&2
find build-coverage/src -name '*.gcda' -exec gcov -n {} + 2>/dev/null | awk '
    /^File / { file = $2; gsub(/\047/, "", file); keep = sub(/.*\/src\//, "src/", file) && file ~ /\.c$/ }
    /^Lines executed/ && keep {
        split($2, part, "[:%]"); lines = $4; run = part[2] / 100 * lines
        printf "%6.1f %% of %4d  %s\n", part[2], lines, file | "sort -n"
        all += lines; all_run += run; keep = 0
    }
    END { close("sort -n"); printf "%6.1f %% of %4d  all\n", 100 * all_run / all, all }'
