# hub.sh - what the tests of mmood pull share: a hub, played by fake_hub, that has $root/NAME as OWNER/NAME, and
# looking at what it was asked for. Sourced after lib.sh with fake_hub as $2.
case $2 in /*) program=$2 ;; *) program=$PWD/$2 ;; esac
unset HF_TOKEN HF_ENDPOINT
root=$work/root
mkdir "$root"
"$program" "$root" "$work/port" "$work/log" &
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT
until [ -s "$work/port" ] || ! kill -0 "$server" 2>/dev/null; do sleep 0.1; done
HF_ENDPOINT=http://127.0.0.1:$(cat "$work/port")
export HF_ENDPOINT

# pull CODE ARGUMENT...: its log has this run's requests only.
pull() {
    want=$1
    shift
    : >"$work/log"
    expect "$want" "$mmood" pull --no-cache "$@"
}

# logs TEXT, logs_no TEXT: what the hub was asked for.
logs() {
    checks=$((checks + 1))
    grep -qF -- "$1" "$work/log" || fail "\"$1\" is not in the hub's log"
}

logs_no() {
    checks=$((checks + 1))
    if grep -qF -- "$1" "$work/log"; then fail "\"$1\" is in the hub's log"; fi
}

gone() {
    checks=$((checks + 1))
    [ ! -e "$1" ] || fail "$1 is there"
}

# holds DIR NAME FILE...: DIR has these files, as golden/NAME has them, and no others.
holds() {
    holder=$1 model=$2
    shift 2
    for file in "$@"; do same "$holder/$file" "golden/$model/$file"; done
    checks=$((checks + 1))
    # shellcheck disable=SC2012 # plain names
    [ "$(ls -A "$holder" | wc -l)" = $# ] || fail "$holder has other files: $(ls -A "$holder")"
}
