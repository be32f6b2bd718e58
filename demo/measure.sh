#!/bin/sh
# Scores over the ten draws of ID classes, as lines "score set fpr95 auroc", one a draw, score and OOD set.
#   demo/measure.sh PROGRAM WORK OUTLIERS [SEED [SCORES]]
# OUTLIERS may hold {} for the number of the draw. WORK is a folder for detectors and embeddings.
set -eu
mmood=$1 work=$2 seed=${4:-0} scores=${5:-all}
for draw in demo/draws/*.txt; do
    number=$(basename "$draw" .txt)
    outliers=$(echo "$3" | sed "s/{}/$number/")
    "$mmood" build --quiet --id "$draw" --outliers "$outliers" --seed "$seed" -o "$work/$number.mmood"
    # Foods outside the draw are neither ID nor OOD. Files are named by their labels, with hyphens.
    sed "s|.*|$PWD/demo/pictures/id/&.png|; s/ /-/g" "$draw" >"$work/$number.txt"
    "$mmood" eval "$work/$number.mmood" --quiet --id "$work/$number.txt" --ood far=demo/pictures/ood-far \
        --ood near=demo/pictures/ood-near --scores "$scores" --bootstrap 0 --cache "$work/cache" --format csv |
        awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
            $at["type"] == "result" { print $at["score"], $at["set"], $at["fpr95"], $at["auroc"] }'
done
