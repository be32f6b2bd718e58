#!/bin/sh
# One table: FPR95 and AUROC of scores and of sources of outlier labels, for each set of photos of other things.
#   demo/table.sh KIND PROGRAM PHOTOS WORK REPORT OPTION...
# KIND is what get_photos.sh printed: shop or stamps.
# PHOTOS has a folder a set; WORK is a folder for detectors and embeddings; $MMOOD_MODEL names the model.
set -eu
kind=$1 mmood=$2 photos=$3 work=$4 report=$5
shift 5

# measure SCORES NAME OUTLIERS [OPTION...]: rows "name set fpr95 low high auroc low high"
measure() {
    scores=$1 name=$2 outliers=$3
    shift 3
    "$mmood" build --quiet --precision f32 --id demo/sold.txt ${outliers:+--outliers "$outliers"} -o "$work/row.mmood"
    "$mmood" eval "$work/row.mmood" --id "$photos/id" --ood near="$photos/near" --ood far="$photos/far" \
        --ood unsold="$photos/unsold" --scores "$scores" --cache "$work/cache" --format csv "$@" |
        awk -F, -v name="$name" -v wanted="$scores" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
            $at["type"] == "result" && index("," wanted ",", "," $at["score"] ",") {
                print (name == "" ? $at["score"] : name) "\t" $at["set"] "\t" $at["fpr95"] "\t" $at["fpr95_low"] "\t" \
                    $at["fpr95_high"] "\t" $at["auroc"] "\t" $at["auroc_low"] "\t" $at["auroc_high"] }'
}

{
    measure mcm,energy "" "" "$@"
    measure mm-ood "mm-ood, hand-written" demo/outliers.txt --report "$report" "$@"
    for mode in text-far near far mix; do
        [ ! -f demo/envisioned/$mode.json ] || measure mm-ood "mm-ood, $mode" demo/envisioned/$mode.json "$@"
    done
    if [ -f /usr/share/wordnet/data.noun ]; then
        "$mmood" envision --quiet --id demo/sold.txt --mode wordnet --leave-out none --precision f32 --cache "$work/cache" -o "$work/wordnet.json"
        measure mm-ood "mm-ood, wordnet" "$work/wordnet.json" "$@"
    fi
} >"$work/rows"

if [ "$kind" = shop ]; then
    near_title="near: packages, same shelves" far_title="far: clothes"
else
    near_title="near: household things, nuts" far_title="far: vehicles, sports, clothes"
fi
count() { find "$photos/$1" -type f | wc -l; }
awk -F '\t' -v kind="$kind" -v model="$MMOOD_MODEL" -v near_title="$near_title" -v far_title="$far_title" -v id="$(count id)" -v near="$(count near)" -v far="$(count far)" -v unsold="$(count unsold)" '
    { if (!($1 in seen)) { seen[$1] = 1; order[++n] = $1 }
      cell[$1, $2] = sprintf("%5.1f [%4.1f, %5.1f]  %5.1f [%4.1f, %5.1f]", 100 * $3, 100 * $4, 100 * $5, 100 * $6, 100 * $7, 100 * $8)
      passes[$1, $2] = 100 * $3
      short[$1, $2] = sprintf("%5.1f  %5.1f", 100 * $3, 100 * $6) }
    END {
        printf "\n%d photos of what is sold, against %d near, %d far and %d of unsold produce. FPR95 (definition: nearest) and\n", id, near, far, unsold
        printf "AUROC in %%, with 95 %% bootstrap intervals. FPR95 is the share of other things that pass: less is better.\n\n"
        printf "%-21s %-40s   %-40s   %s\n", "", near_title, far_title, "unsold produce"
        printf "%-21s %-20s %-19s   %-20s %-19s   %s\n", "score, labels", "FPR95", "AUROC", "FPR95", "AUROC", "FPR95  AUROC"
        for (i = 1; i <= n; i++)
            printf "%-21s %s   %s   %s\n", order[i], cell[order[i], "near"], cell[order[i], "far"], short[order[i], "unsold"]
        if (kind != "shop")
            printf "\nWith so few photos of what is sold, FPR95 hangs on one or two of them, as its intervals say.\n"
        if (kind != "shop" || model != "models/demo")
            exit
        best = "mm-ood, hand-written"
        printf "\nNames of other things tell other things: with 100 written by hand %.1f %% of the packages and %.1f %% of the clothes\n", passes[best, "near"], passes[best, "far"]
        printf "pass, without them %.1f and %.1f %% (mcm) or %.1f and %.1f %% (energy). Produce that the shop does not sell passes\n", passes["mcm", "near"], passes["mcm", "far"], passes["energy", "near"], passes["energy", "far"]
        printf "with any score (%.0f %%): for that this small model is not good enough, and only a better one helps.\n", passes[best, "unsold"]
    }' "$work/rows"
