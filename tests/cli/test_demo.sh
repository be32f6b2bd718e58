#!/bin/bash
# The demo's first screen, with drawings in place of photos: a new user reads what the shop sells, verdicts in words with
# their reasons, which of them are wrong, one table, and where to go next.
#   test_demo.sh PROGRAM
set -euo pipefail
mmood=$1
repository=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

ln -s "$mmood" "$work/mmood"
photos=$work/demo-photos
mkdir -p "$photos"/{id,near,far,unsold}
touch "$photos/.of-stamps" # nothing is downloaded
drawing() { cp "$repository/tests/data/drawings/$1.png" "$photos/$2.png"; }
eaten=(bread doughnut cake pie pizza cookie candy bacon hamburger) # calibration counts equal ones once
i=0
while IFS='	' read -r set _ name _; do
    case $set in
    id) drawing "${eaten[i++ % 9]}" "$set/${name%.png}" ;;
    near) drawing sushi "$set/${name%.png}" ;;
    far) drawing axe "$set/${name%.png}" ;;
    *) drawing pizza "$set/${name%.png}" ;;
    esac
done <"$repository/demo/stamps.tsv"

XDG_CACHE_HOME=$work/cache "$repository/demo/run.sh" "$work/mmood" "$work/report.html" >"$work/out"
says() {
    grep -qE "$1" "$work/out" || { echo "FAILED: the demo does not say: $1" && failed=1; }
}
says '^A self-checkout that sells 11 kinds of fruit and vegetables\. It knows their names, and 100 names of other$'
says '^things\. No photo was used to teach it; 10 photos of what is sold set its threshold\.'
says '^  sold      apple-02 +(belongs here: looks like|does not belong here: nearest other thing) "[a-z -]+"'
says '^  far       truck +(belongs here: looks like "[a-z ]+"  <- wrong|does not belong here: nearest other thing "[A-Za-z ]+")$'
[ "$(grep -cE '^  (sold|near|far|not sold) ' "$work/out")" = 8 ] || { echo "FAILED: not eight verdicts" && failed=1; }
says '^19 photos of what is sold, against 41 near, 57 far and 28 of unsold produce\. FPR95 \(definition: nearest\)'
says '^mcm +[0-9. ]+\['
says '^energy +[0-9. ]+\['
says '^mm-ood, hand-written +[0-9. ]+\['
says '^Next: your own labels and photos, README\.md, "Your first detector"; a CLIP model for everything: make demo-clip$'
[ "$(awk '{ if (length > most) most = length } END { print most }' "$work/out")" -le 160 ] || {
    echo "FAILED: lines of more than 160 columns" && failed=1
}
grep -q '<html' "$work/report.html" || { echo "FAILED: no report" && failed=1; }
[ $failed = 0 ] || cat "$work/out"
exit $failed
