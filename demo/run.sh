#!/bin/sh
# The demo: builds a detector for 30 foods with the shipped model, judges pictures of a style the model
# never saw, and measures four scores over ten draws of the ID classes.
#   demo/run.sh [PROGRAM]
set -eu
mmood=${1:-build/mmood}
case $mmood in /*) ;; *) mmood=$PWD/$mmood ;; esac
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MMOOD_MODEL=models/demo

echo "The model: $MMOOD_MODEL"
"$mmood" inspect "$MMOOD_MODEL" | head -n 3
echo
echo "A detector for 30 foods, with $(grep -c . demo/outliers.txt) hand-written outlier labels (demo/outliers.txt):"
"$mmood" build --quiet --id demo/draws/00.txt --outliers demo/outliers.txt -o "$work/food.mmood"
"$mmood" score "$work/food.mmood" --top 2 \
    demo/pictures/id/pizza.png demo/pictures/id/hamburger.png demo/pictures/id/sushi.png \
    demo/pictures/id/doughnut.png demo/pictures/ood-far/helicopter.png demo/pictures/ood-far/tractor.png \
    demo/pictures/ood-far/hammer.png demo/pictures/ood-near/banana.png demo/pictures/ood-near/tulip.png |
    sed 's|demo/pictures/||'

echo
echo "Ten draws of 30 foods out of $(ls demo/pictures/id | wc -l); FPR95 (definition: nearest) and AUROC in %, mean +- standard"
echo "deviation over the draws. Foods outside a draw are left out of it."
: >"$work/all.csv"
for draw in demo/draws/*.txt; do
    number=$(basename "$draw" .txt)
    "$mmood" build --quiet --id "$draw" --outliers demo/outliers.txt -o "$work/$number.mmood"
    "$mmood" score "$work/$number.mmood" --quiet --format csv --scores all --top 0 demo/pictures >"$work/scores.csv"
    for score in mcm energy max-logit mm-ood; do
        # The pictures' file names are their labels with hyphens for spaces.
        awk -F, -v name="$score" '
            NR == FNR { gsub(/ /, "-"); drawn[$0] = 1; next }
            FNR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i; print "set,score"; next }
            {
                parts = split($1, part, "/"); label = part[parts]; sub(/\.png$/, "", label)
                group = part[parts - 1]
                if (group == "id" && label in drawn) print "id," $column
                if (group != "id") print group "," $column
            }' "$draw" "$work/scores.csv" >"$work/table.csv"
        "$mmood" eval --from-csv "$work/table.csv" | awk -v score="$score" '/^ood-/ { print score, $1, $2, $3 }' >>"$work/all.csv"
    done
done
awk '
    { key = $1 " " $2; n[key]++; f[key] += $3; ff[key] += $3 * $3; a[key] += $4; aa[key] += $4 * $4 }
    function spread(sum, squares, n) { v = (squares - sum * sum / n) / (n - 1); return v > 0 ? sqrt(v) : 0 }
    function cell(sum, squares, n) { return sprintf("%5.1f +- %4.1f", 100 * sum / n, 100 * spread(sum, squares, n)) }
    END {
        printf "\n%-10s  %-28s  %-28s\n", "", "far: vehicles, tools, buildings", "near: fruits, plants, drinks, dishes"
        printf "%-10s  %-13s  %-13s  %-13s  %-13s\n", "score", "FPR95", "AUROC", "FPR95", "AUROC"
        split("mcm energy max-logit mm-ood", scores, " ")
        for (i = 1; i <= 4; i++) {
            k = scores[i] " ood-far"; m = scores[i] " ood-near"
            printf "%-10s  %s  %s  %s  %s\n", scores[i], cell(f[k], ff[k], n[k]), cell(a[k], aa[k], n[k]), \
                cell(f[m], ff[m], n[m]), cell(a[m], aa[m], n[m])
        }
    }' "$work/all.csv"
cat <<'END'

mm-ood is favoured on the far pictures: outlier labels share their categories (vehicles, tools,
buildings), and some are their very names; demo/README.md lists which. A difference smaller than the
spread says nothing.

Next: your own detector, with a real CLIP model. README.md, "Your first detector".
END
