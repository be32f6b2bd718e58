#!/bin/sh
# The demo: builds a detector for 30 foods with the shipped model, judges pictures of a style the model
# never saw, measures all scores over ten draws of the ID classes, compares sources of outlier labels,
# and writes a report.
#   demo/run.sh [PROGRAM [REPORT.html]]
set -eu
mmood=${1:-build/mmood}
case $mmood in /*) ;; *) mmood=$PWD/$mmood ;; esac
report=${2:-$(dirname "$mmood")/demo-report.html}
case $report in /*) ;; *) report=$PWD/$report ;; esac
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MMOOD_MODEL=models/demo

echo "The model: $MMOOD_MODEL"
"$mmood" inspect "$MMOOD_MODEL" | head -n 3
echo
echo "A detector for 30 foods, with $(grep -c . demo/outliers.txt) hand-written outlier labels (demo/outliers.txt):"
"$mmood" build --quiet --id demo/draws/00.txt --outliers demo/outliers.txt -o "$work/food.mmood"
cd demo/pictures
MMOOD_MODEL=../../models/demo "$mmood" score "$work/food.mmood" --top 0 id/pizza.png id/hamburger.png id/sushi.png \
    id/doughnut.png ood-far/helicopter.png ood-far/tractor.png ood-far/hammer.png ood-near/banana.png ood-near/tulip.png
cd ../..

echo
echo "Ten draws of 30 foods out of $(find demo/pictures/id -name '*.png' | wc -l); FPR95 (definition: nearest) and AUROC in %, mean +-"
echo "standard deviation over the draws. Foods outside a draw are left out of it."
echo
demo/measure.sh "$mmood" "$work" demo/outliers.txt >"$work/all"
awk -f demo/table.awk "$work/all"

echo
echo "The first draw alone, with 95 % bootstrap intervals:"
echo
"$mmood" eval "$work/00.mmood" --quiet --id "$work/00.txt" --ood far=demo/pictures/ood-far \
    --ood near=demo/pictures/ood-near --scores all --cache "$work/cache" --report "$report" --format csv |
    awk -f demo/intervals.awk

echo
echo "Where outlier labels come from: mcm needs none; the others are mm-ood with labels written by hand (108), envisioned"
echo "from recorded exchanges with a multimodal model (129 each; text-far is EOE's way, near, far and mix are MM-OOD's),"
echo "or mined from WordNet. Envisioned again from the records, without any call:"
echo
demo/envision.sh "$mmood"
echo
demo/sources.sh "$mmood" "$work"
cat <<END

The hand-written labels share their categories (vehicles, tools, buildings) with the far pictures, and some are their
very names: that favours all scores that look at outlier labels; demo/README.md lists which, and tells what the model
of the recorded exchanges knew. A difference smaller than the spread says nothing. docs/results.md has more.

The report, with curves and the most wrong pictures: $report
Next: your own detector, with a real CLIP model. README.md, "Your first detector".
END
