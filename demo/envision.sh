#!/bin/sh
# Runs the recorded exchanges again: near, text-far, far and mix from demo/cache without any call, and compares
# the outcome with demo/envisioned. Exit code 0 if all is as it was.
#   demo/envision.sh PROGRAM
# What the program asks is part of an exchange's name, so a changed prompt makes an exchange that is not in the
# cache: then the model has to be asked again, with the same options, --chat-url and without --offline.
set -eu
mmood=${1:?usage: demo/envision.sh PROGRAM}
case $mmood in /*) ;; *) mmood=$PWD/$mmood ;; esac
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# Without WordNet's test of kinds, whose outcome would depend on what is installed.
envision() {
    "$mmood" envision --quiet --id demo/foods.txt --cache demo/cache --offline --wordnet none \
        --chat-url http://localhost/v1 --chat-model recorded-multimodal-model "$@"
}

# MODE OPTION...: the file must be equal but for the version of the program.
compare() {
    mode=$1
    shift
    if ! envision --mode "$mode" "$@" -o "$work/$mode.json"; then
        failed=1
        return
    fi
    sed '/^  "mmood": /d' "$work/$mode.json" >"$work/now"
    sed '/^  "mmood": /d' "demo/envisioned/$mode.json" >"$work/then"
    if diff "$work/then" "$work/now" >"$work/diff"; then
        echo "  $mode: as in demo/envisioned/$mode.json"
    else
        echo "demo/envision.sh: $mode differs from demo/envisioned/$mode.json ('<'):" >&2
        head -n 10 "$work/diff" | cut -c 1-300 >&2
        failed=1
    fi
}

compare near --images demo/near-pictures
compare text-far -L 129
compare far -L 129 --pictures demo/far-pictures
compare mix -L 129 --images demo/near-pictures --pictures demo/far-pictures

# Categories, sketch and select were recorded too; their outcome is what demo/far-pictures are drawings of. Without
# these pictures the program gets as far as asking a generator for the first one, which it may not.
if envision --mode far -L 129 --image-url http://localhost/v1 --image-jobs 1 -o "$work/chain.json" 2>"$work/errors"; then
    echo "demo/envision.sh: far without pictures called a generator although it was offline" >&2
    failed=1
elif ! grep -q '^mmood: generate, sponge: ' "$work/errors"; then
    echo "demo/envision.sh: far without pictures does not get to the first representative, a sponge:" >&2
    cat "$work/errors" >&2
    failed=1
fi

exit $failed
