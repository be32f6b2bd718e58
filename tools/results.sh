#!/bin/sh
# The tables of docs/results.md, in f32, from the demo's photos. Some minutes; needs wordnet-base.
#   tools/results.sh [PROGRAM]
set -eu
mmood=${1:-build/mmood}
case $mmood in /*) ;; *) mmood=$PWD/$mmood ;; esac
cd "$(dirname "$0")/.."
photos=$(dirname "$mmood")/demo-photos
[ "$(demo/get_photos.sh "$photos")" = shop ] || {
    echo "results.sh: the photos of demo/photos.tsv are needed; demo/README.md says how" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MMOOD_MODEL=${MMOOD_MODEL:-models/demo}

# rows NAME LABELS OUTLIERS ID SCORES [OPTION...]: "name | FPR95 | AUROC | ..." per score; options are of build.
rows() {
    name=$1 labels=$2 outliers=$3 id=$4 scores=$5
    shift 5
    "$mmood" build --quiet --precision f32 --id "$labels" ${outliers:+--outliers "$outliers"} "$@" -o "$work/d.mmood"
    "$mmood" eval "$work/d.mmood" --quiet --precision f32 --id "$id" --ood near="$photos/near" --ood far="$photos/far" \
        ${unsold:+--ood unsold="$photos/unsold"} --scores "$scores" --bootstrap 0 --cache "$work/cache" --format csv |
        awk -F, -v name="$name" -v wanted="$scores" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
            $at["type"] == "result" && (wanted == "all" || index("," wanted ",", "," $at["score"] ",")) {
                score = $at["score"]
                if (!(score in row)) order[++n] = score
                row[score] = row[score] sprintf(" | %.1f | %.1f", 100 * $at["fpr95"], 100 * $at["auroc"])
            }
            END { for (i = 1; i <= n; i++) print "| " (name == "" ? order[i] : name) row[order[i]] " |" }'
}

header() {
    echo
    echo "## $1"
    echo
    echo "| $2 | near FPR95 | near AUROC | far FPR95 | far AUROC |${unsold:+ unsold FPR95 | unsold AUROC |}"
    echo "|---|--:|--:|--:|--:|${unsold:+--:|--:|}"
}

sold=demo/sold.txt hand=demo/outliers.txt unsold=yes

header "Eleven kinds, all scores, labels by hand" score
rows "" $sold $hand "$photos/id" all

header "Eleven kinds, mm-ood, where labels come from" "outlier labels"
rows "none (mcm)" $sold "" "$photos/id" mcm
rows "none (energy)" $sold "" "$photos/id" energy
rows "by hand, 100" $sold $hand "$photos/id" mm-ood
for mode in text-far near far mix; do
    [ ! -f demo/envisioned/$mode.json ] || rows "$mode" $sold demo/envisioned/$mode.json "$photos/id" mm-ood
done
for mode in wordnet csp; do
    "$mmood" envision --quiet --id $sold --mode $mode --leave-out none --precision f32 -o "$work/$mode.json"
    rows "$mode" $sold "$work/$mode.json" "$photos/id" mm-ood
    rows "$mode, score neglabel" $sold "$work/$mode.json" "$photos/id" neglabel
done
awk -F '\t' '$1 == "unsold" { print $2 }' demo/photos.tsv | sort -u >"$work/produce.txt"
rows "names of the unsold produce" $sold "$work/produce.txt" "$photos/id" mm-ood
cat "$work/produce.txt" $hand >"$work/both.txt"
rows "these and those by hand" $sold "$work/both.txt" "$photos/id" mm-ood

header "Eleven kinds, mm-ood, beta" beta
for beta in 0 0.1 0.25 0.5 1; do
    rows $beta $sold $hand "$photos/id" mm-ood --beta $beta
done

header "Eleven kinds, mm-ood, how many labels by hand (every nth of the list)" labels
for step in 20 10 4 2 1; do
    awk -v step=$step 'NR % step == 0' $hand >"$work/some.txt"
    rows "$(grep -c . "$work/some.txt")" $sold "$work/some.txt" "$photos/id" mm-ood
done

# All produce that is in the photos as ID labels: many of them the model does not know.
unsold=
cat $sold "$work/produce.txt" >"$work/all.txt"
mkdir "$work/produce"
for photo in "$photos"/id/* "$photos"/unsold/*; do
    ln -s "$photo" "$work/produce/"
done
header "All $(grep -c . "$work/all.txt") kinds of produce as ID, all scores, labels by hand" score
rows "" "$work/all.txt" $hand "$work/produce" all
