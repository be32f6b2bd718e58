#!/bin/sh
# The tables of docs/results.md: all scores over the demo's ten draws, with banks of outlier labels from several sources,
# and three seeds where seeds matter. Some minutes; needs wordnet-base.
#   tools/results.sh [PROGRAM]
set -eu
mmood=${1:-build/mmood}
case $mmood in /*) ;; *) mmood=$PWD/$mmood ;; esac
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MMOOD_MODEL=models/demo

echo "## Hand-written outlier labels (demo/outliers.txt)"
demo/measure.sh "$mmood" "$work" demo/outliers.txt >"$work/hand"
awk -f demo/table.awk "$work/hand"

echo
echo "## Where outlier labels come from"
demo/sources.sh "$mmood" "$work"

echo
echo "## The same without labels that are the name of an OOD picture"
awk -F '\t' '$3 != "id" { print $2 }' demo/pictures.tsv >"$work/names"
for mode in text-far near far mix; do
    sed -n '/^ "dropped"/q; s/^  {"label": "\([^"]*\)".*/\1/p' "demo/envisioned/$mode.json" |
        grep -vixFf "$work/names" >"$work/$mode.txt"
    demo/measure.sh "$mmood" "$work" "$work/$mode.txt" 0 mm-ood | sed "s/^mm-ood/$mode/"
done >"$work/unnamed"
awk -v first=labels -f demo/table.awk "$work/unnamed"

# The words mined from WordNet depend on the ID labels: a bank a draw. --leave-out none: by default the banks leave
# out food and animals, as NegLabel's published list does, which suits ImageNet.
for mode in wordnet csp; do
    for seed in 0 1 2; do
        for draw in demo/draws/*.txt; do
            bank="$work/$mode-$seed-$(basename "$draw" .txt).json"
            if [ "$mode" = wordnet ] && [ $seed != 0 ]; then # mining has no seed, dealing the groups has
                ln -sf "$work/$mode-0-$(basename "$draw" .txt).json" "$bank"
                continue
            fi
            "$mmood" envision --quiet --id "$draw" --mode $mode --seed $seed -o "$bank"
        done
        echo
        echo "## Words mined from WordNet (--mode $mode), seed $seed"
        demo/measure.sh "$mmood" "$work" "$work/$mode-$seed-{}.json" $seed >"$work/$mode"
        awk -f demo/table.awk "$work/$mode"
    done
done
