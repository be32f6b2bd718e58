# lib.sh - what the tests of the program share: running it and looking at what it said. Sourced with the
# program as $1, in tests/.
case $1 in /*) mmood=$1 ;; *) mmood=$PWD/$1 ;; esac
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MMOOD_MODEL HF_HOME HF_HUB_CACHE HF_TOKEN HF_TOKEN_PATH
export XDG_CACHE_HOME="$work/xdg"
failures=0 checks=0

fail() {
    failures=$((failures + 1))
    echo "FAILED: $1"
    sed 's/^/    out: /' "$work/out" | head -n 8
    sed 's/^/    err: /' "$work/err" | head -n 8
}

# expect CODE COMMAND...: runs it, output to $work/out and $work/err.
expect() {
    wanted=$1
    shift
    checks=$((checks + 1))
    "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    [ "$code" = "$wanted" ] || fail "exit code $code, expected $wanted: $*"
}

# says out|err TEXT: the last command said it.
says() {
    checks=$((checks + 1))
    grep -qF -- "$2" "$work/$1" || fail "\"$2\" is not in $1"
}

lacks() {
    checks=$((checks + 1))
    if grep -qF -- "$2" "$work/$1"; then fail "\"$2\" is in $1"; fi
}

same() {
    checks=$((checks + 1))
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

lines() {
    checks=$((checks + 1))
    [ "$(wc -l <"$work/$1")" = "$2" ] || fail "$1 has $(wc -l <"$work/$1") lines, expected $2"
}

# The last line of a test.
finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" = 0 ]
}
