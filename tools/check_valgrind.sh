#!/bin/sh
# Runs the tests that are quick enough under valgrind: no invalid access, no leak. Valgrind does not know
# AVX-512, which the program notices by itself. Tests that run a model are not among them: what valgrind says of the code
# that oneDNN generates changes from run to run, and the sanitizers cover ours.
#   check_valgrind.sh BUILD
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../tests"
status=0
for test in $(cat valgrind.txt); do
    echo "== $test"
    valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
        --suppressions=../tools/valgrind.supp "$build/tests/test_$test" >/dev/null || status=1
done
exit $status
