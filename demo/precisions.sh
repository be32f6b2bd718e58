#!/bin/sh
# What a precision costs in quality: verdicts on the demo's photos by detectors that are built, calibrated and scored
# with one --precision (labels are embedded in f32 in any case), against those in f32.
#   demo/precisions.sh [PROGRAM [PRECISION...]]
# $MMOOD_MODEL may name another model directory than models/demo. A verdict is that of the detector as it was built (the
# most similar label is an outlier), and that by a threshold that keeps 95 % of every second photo of what is sold.
set -eu
mmood=${1:-build/mmood}
case $mmood in /*) ;; *) mmood=$PWD/$mmood ;; esac
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- bf16 int8
cd "$(dirname "$0")/.."
photos=$(dirname "$mmood")/demo-photos
demo/get_photos.sh "$photos" >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MMOOD_MODEL="${MMOOD_MODEL:-models/demo}"

# verdicts PRECISION: "verdict score" per photo, as built and calibrated.
verdicts() {
    "$mmood" build --quiet --precision "$1" --id demo/sold.txt --outliers demo/outliers.txt -o "$work/d.mmood"
    ls "$photos"/id/* | awk 'NR % 2' |
        "$mmood" calibrate --quiet "$work/d.mmood" --precision "$1" - -o "$work/c.mmood" >/dev/null
    for detector in d c; do
        "$mmood" score --quiet --precision "$1" "$work/$detector.mmood" "$photos/id" "$photos/near" "$photos/far" \
            "$photos/unsold" --format csv --top 0 | awk -F, -v d=$detector 'NR > 1 { print d, $2, $4 }'
    done >"$work/$1"
}

verdicts f32
echo "precision  photos  verdicts changed  by the threshold  score changed by at most"
for precision in "$@"; do
    verdicts "$precision"
    paste -d ' ' "$work/f32" "$work/$precision" | awk -v name="$precision" '
        { n[$1]++; flips[$1] += $2 != $5; off = $3 > $6 ? $3 - $6 : $6 - $3; if (off > most) most = off }
        END { printf "%-9s  %6d  %7d (%.2f %%)  %7d (%.2f %%)  %.2g\n", name, n["d"], flips["d"],
              100 * flips["d"] / n["d"], flips["c"], 100 * flips["c"] / n["c"], most }'
done
