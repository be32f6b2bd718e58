#!/bin/sh
# Makes the files of envisioned/ again from the recorded exchanges, without any call, and compares.
#   DEMO_PHOTOS=FOLDER demo/envision.sh PROGRAM
# An exchange's name depends on the picture that was shown, so the pictures of shown.tsv are needed: FOLDER has checkouts
# of GroceryStoreDataset and imagenet-sample-images, and stamps, the folder of that name in tuxpaint-stamps-default.
set -eu
mmood=${1:?usage: DEMO_PHOTOS=FOLDER demo/envision.sh PROGRAM}
case $mmood in /*) ;; *) mmood=$PWD/$mmood ;; esac
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

mkdir "$work/near" "$work/far"
cp -r demo/sold.txt demo/cache "$work"
while IFS='	' read -r set _ name source path _; do
    case $source in
    grocery) folder=GroceryStoreDataset ;;
    imagenet) folder=imagenet-sample-images ;;
    *) folder=stamps ;;
    esac
    cp "$DEMO_PHOTOS/$folder/$path" "$work/$set/$name"
done <demo/shown.tsv
awk -F '\t' '{ print $6 "  " $1 "/" $3 }' demo/shown.tsv >"$work/sums"
(cd "$work" && sha256sum --quiet --check sums)

# compare MODE OPTION...: the file must be equal but for the version of the program.
compare() {
    mode=$1
    shift
    # from there, since the files name the pictures' paths
    (cd "$work" && "$mmood" envision --quiet --id sold.txt --cache cache --offline --wordnet none -L 132 --mode "$mode" \
        --chat-url http://127.0.0.1:8765/v1 --chat-model recorded-multimodal-model "$@" -o "$mode.json") || failed=1
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

compare near --images near
compare text-far
compare far --pictures far
compare mix --images near --pictures far
exit $failed
