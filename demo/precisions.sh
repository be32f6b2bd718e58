#!/bin/sh
# What a precision costs in quality: verdicts, AUROC and FPR95 of the demo's ten detectors, each built and scored
# wholly in one precision, against those in f32.
#   demo/precisions.sh [PROGRAM [PRECISION...]]
# $MMOOD_MODEL may name another model directory than models/demo.
# A verdict is judged by the detector's own rule without calibration (the most similar label is an outlier), and by a
# threshold that keeps 95 % of the draw's pictures.
set -eu
mmood=${1:-build/mmood}
case $mmood in /*) ;; *) mmood=$PWD/$mmood ;; esac
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- bf16 int8
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MMOOD_MODEL="${MMOOD_MODEL:-models/demo}"

# rows PRECISION DRAW: "path verdict score", first as built, then calibrated
rows() {
    number=$(basename "$2" .txt)
    "$mmood" build --quiet --precision "$1" --id "$2" --outliers demo/outliers.txt -o "$work/d.mmood"
    sed "s|.*|$PWD/demo/pictures/id/&.png|; s/ /-/g" "$2" >"$work/id"
    "$mmood" calibrate --quiet "$work/d.mmood" --precision "$1" - -o "$work/c.mmood" <"$work/id" >/dev/null
    for detector in d c; do
        "$mmood" score --quiet --precision "$1" "$work/$detector.mmood" demo/pictures --format json --top 0 |
            sed "s/.*\"path\":\"\([^\"]*\)\",\"verdict\":\"\([a-z]*\)\".*\"score\":\([-0-9.e]*\),.*/$number-$detector \1 \2 \3/"
    done
    "$mmood" eval "$work/d.mmood" --quiet --precision "$1" --id "$work/id" --ood far=demo/pictures/ood-far \
        --ood near=demo/pictures/ood-near --bootstrap 0 --cache "$work/cache" --format csv |
        awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
            $at["type"] == "result" { print $at["set"], $at["fpr95"], $at["auroc"] }' >>"$work/metrics-$1"
}

all() {
    for draw in demo/draws/*.txt; do
        rows "$1" "$draw"
    done >"$work/rows-$1"
}

all f32
printf '%-6s %8s %14s %16s %12s' "" verdicts "flips (as built)" "flips (threshold)" "score, most"
printf ' %10s %10s %10s %10s\n' "far FPR95" "far AUROC" "near FPR95" "near AUROC"
for precision in f32 "$@"; do
    [ "$precision" = f32 ] || all "$precision"
    paste -d ' ' "$work/rows-f32" "$work/rows-$precision" | awk -v name="$precision" '
        { kind = substr($1, length($1)); n[kind]++; flips[kind] += $3 != $7
          off = $4 > $8 ? $4 - $8 : $8 - $4; if (off > most) most = off }
        END { printf "%-6s %8d %8d %6.2f %% %9d %6.2f %% %12.2g", name, n["d"], flips["d"], 100 * flips["d"] / n["d"],
              flips["c"], 100 * flips["c"] / n["c"], most }'
    awk '{ n[$1]++; fpr[$1] += $2; auroc[$1] += $3 }
        END { printf " %10.2f %10.2f %10.2f %10.2f\n", 100 * fpr["far"] / n["far"], 100 * auroc["far"] / n["far"],
              100 * fpr["near"] / n["near"], 100 * auroc["near"] / n["near"] }' "$work/metrics-$precision"
done
