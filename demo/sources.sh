#!/bin/sh
# Where outlier labels come from: mm-ood with the labels of each source beside mcm, which needs none. Prints a table
# over the ten draws, the differences from text-far draw by draw, and bootstrap intervals of the first draw.
#   demo/sources.sh PROGRAM WORK
# Each source made its labels once, for all 43 foods. wordnet takes part where /usr/share/wordnet is. WORK is a folder
# for detectors and embeddings; MMOOD_MODEL names the model.
set -eu
mmood=$1 work=$2
sources="hand-written text-far near far mix"
if [ -f /usr/share/wordnet/data.noun ]; then
    "$mmood" envision --quiet --id demo/foods.txt --mode wordnet -o "$work/wordnet.json"
    sources="$sources wordnet"
fi

# rows-SOURCE: lines as measure.sh has them, with the source in place of the score. mcm does not look at outlier
# labels, so that it is taken from the first measuring.
for source in $sources; do
    case $source in
    hand-written) labels=demo/outliers.txt ;;
    wordnet) labels=$work/wordnet.json ;;
    *) labels=demo/envisioned/$source.json ;;
    esac
    demo/measure.sh "$mmood" "$work" "$labels" 0 mm-ood,mcm >"$work/measured"
    "$mmood" eval "$work/00.mmood" --quiet --id "$work/00.txt" --ood far=demo/pictures/ood-far \
        --ood near=demo/pictures/ood-near --scores mm-ood,mcm --cache "$work/cache" --format csv >"$work/first"
    if [ "$source" = hand-written ]; then
        grep '^mcm ' "$work/measured" >"$work/rows-mcm"
        awk -v first=labels -v only=mcm -f demo/intervals.awk "$work/first" >"$work/intervals"
    fi
    sed -n "s/^mm-ood /$source /p" "$work/measured" >"$work/rows-$source"
    awk -v only=mm-ood -v name="$source" -v bare=1 -f demo/intervals.awk "$work/first" >>"$work/intervals"
done

for source in mcm $sources; do
    cat "$work/rows-$source"
done | awk -v first=labels -f demo/table.awk
echo
echo "What each has more than text-far in the same draw, in points:"
echo
for source in mcm $sources; do
    paste -d ' ' "$work/rows-text-far" "$work/rows-$source"
done | awk '$5 != "text-far" { print $5, $6, $7 - $3, $8 - $4 }' | awk -v first=labels -f demo/table.awk
echo
echo "The first draw alone, with 95 % bootstrap intervals:"
echo
cat "$work/intervals"
