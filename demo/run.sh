#!/bin/sh
# The demo: a self-checkout that sells eleven kinds of fruit and vegetables meets other things. Judges photos with the
# shipped model, compares scores and sources of outlier labels, and writes a report.
#   demo/run.sh [PROGRAM [REPORT.html]]
# All in f32, so that any CPU prints the same digits.
set -eu
mmood=${1:-build/mmood}
case $mmood in /*) ;; *) mmood=$PWD/$mmood ;; esac
report=${2:-$(dirname "$mmood")/demo-report.html}
case $report in /*) ;; *) report=$PWD/$report ;; esac
cd "$(dirname "$0")/.."
photos=$(dirname "$mmood")/demo-photos
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MMOOD_MODEL=${MMOOD_MODEL:-models/demo}
kind=$(demo/get_photos.sh "$photos")
options="--quiet --precision f32" keep=0.95
if [ "$kind" = stamps ]; then # transparent around the things, and too few for a threshold that keeps 95 %
    options="$options --alpha white" keep=0.85
fi

# build NAME OUTLIERS: a detector for what the shop sells.
build() {
    "$mmood" build --quiet --precision f32 --id demo/sold.txt ${2:+--outliers "$2"} -o "$work/$1.mmood"
}

# A threshold from every second photo of what is sold; the photos shown below are among the others.
build outliers demo/outliers.txt
ls "$photos"/id/* | awk 'NR % 2' >"$work/calibration"
"$mmood" calibrate $options "$work/outliers.mmood" --keep $keep - <"$work/calibration" >/dev/null

echo "A self-checkout that sells $(grep -c . demo/sold.txt) kinds of fruit and vegetables. It knows their names, and $(grep -c . demo/outliers.txt) names of other"
echo "things. No photo was used to teach it; $(grep -c . "$work/calibration") photos of what is sold set its threshold. What it says of others:"
[ "$kind" = shop ] || echo "(These are a few cut-out things from Debian's archive: see demo/README.md for the photos meant to be here.)"
echo
sed "s|^|$photos/|" "demo/examples-$kind.txt" | "$mmood" score $options "$work/outliers.mmood" --format csv --top 0 - |
    awk -F, 'NR > 1 {
        n = split($1, part, "/"); set = part[n - 1]; name = part[n]; sub(/\.[a-z]*$/, "", name)
        says = $2 == "id" ? "belongs here: looks like \"" $7 "\"" : "does not belong here: nearest other thing \"" $8 "\""
        wrong = ($2 == "id") != (set == "id")
        printf "  %-9s %-15s %s%s\n", set == "id" ? "sold" : set == "unsold" ? "not sold" : set, name, says, !wrong ? "" : "  <- wrong" (set == "unsold" ? ": this small model does not tell produce from produce" : "")
    }'
demo/table.sh "$kind" "$mmood" "$photos" "$work" "$report" $options
cat <<END

The report, with curves and the most wrong photos: $report
Next: your own labels and photos, README.md, "Your first detector"; a CLIP model for everything: make demo-clip
END
