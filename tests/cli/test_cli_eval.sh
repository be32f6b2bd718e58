#!/bin/sh
# calibrate, score --fdr and --adaptive, and eval through the program. Runs in tests/.
#   test_cli_eval.sh PROGRAM
set -u
. cli/lib.sh

model=golden/b32-quick
pictures=data/image
printf 'cat\nhot dog\n' >"$work/id.txt"
printf 'wolf\ncar\n' >"$work/out.txt"
expect 0 "$mmood" build -m $model --precision f32 --id "$work/id.txt" --outliers "$work/out.txt" -o "$work/d.mmood"
mkdir -p "$work/id/cat" "$work/id/hot_dog" "$work/far" "$work/cal"
cp $pictures/rgb.png $pictures/ok.jpg "$work/id/cat"
cp $pictures/gray.png "$work/id/hot_dog"
cp $pictures/checker_896.png $pictures/three_3x3.png "$work/far"
# 20 pictures of different content: bytes after a JPEG's end are ignored by decoders
i=0
while [ $i -lt 20 ]; do
    { cat $pictures/rgb_444.jpg; echo $i; } >"$work/cal/$i.jpg"
    i=$((i + 1))
done

# ---- calibrate
expect 2 "$mmood" calibrate "$work/d.mmood"
expect 2 "$mmood" calibrate "$work/d.mmood" "$work/cal" --keep 1
expect 1 "$mmood" calibrate "$work/d.mmood" "$work/id" --precision f32
says err "at least 19 are needed"
expect 0 "$mmood" inspect "$work/d.mmood"
says out "none: the verdict"
expect 0 "$mmood" calibrate "$work/d.mmood" "$work/cal" --precision f32 -o "$work/c.mmood"
says out "threshold"
says out "20 of the 20"
# 20 pictures for 0.95: the lowest score is the threshold
says err "no calibration score is below the threshold"
expect 0 "$mmood" inspect "$work/c.mmood"
says out "warning       no calibration score is below the threshold"
expect 0 "$mmood" inspect "$work/c.mmood" --json
says out '"calibrated":true'
says out '"calibration":{"n":20,"keep":0.9'
says out '"precision":"f32","orient":true,"alpha":"drop","fast_decode":false}'
expect 0 "$mmood" calibrate "$work/d.mmood" "$work/cal" --precision f32 --no-orient --alpha white --fast-decode -o "$work/w.mmood"
expect 0 "$mmood" inspect "$work/w.mmood" --json
says out '"precision":"f32","orient":false,"alpha":"white","fast_decode":true}'
expect 0 "$mmood" inspect "$work/w.mmood"
says out "embedded in f32, with --no-orient, with --alpha white, with --fast-decode"
cp "$work/cal/0.jpg" "$work/cal/copy.jpg"
echo notes >"$work/cal/README.md"
expect 0 "$mmood" calibrate "$work/d.mmood" "$work/cal" --precision f32 -o "$work/e.mmood"
says err "1 file skipped: not pictures"
expect 0 "$mmood" eval "$work/d.mmood" --id "$work/cal" --ood "$work/far" --precision f32 --bootstrap 0
says err "1 file skipped: not pictures"
rm "$work/cal/README.md"
cp $pictures/trunc.jpg "$work/cal/broken.jpg"
expect 3 "$mmood" calibrate "$work/d.mmood" "$work/cal" --precision f32 -o "$work/e.mmood"
says err "1 copies"
says err "1 of 22 pictures could not be read"
rm "$work/cal/copy.jpg" "$work/cal/broken.jpg"
same "$work/c.mmood" "$work/e.mmood"
# the calibration pictures themselves reach their threshold
expect 0 "$mmood" score "$work/c.mmood" "$work/cal/0.jpg" --precision f32 --format json
says out '"verdict":"id","calibrated":true'
says out '"p_value":1,'
lacks out '"threshold":null'
# settings that a threshold was not made with; int8 is refused either way, for the CPU or for the threshold
expect 1 "$mmood" score "$work/c.mmood" "$work/cal/0.jpg" --precision int8
says err "int8"
if "$mmood" inspect $model --precision int8 >/dev/null 2>&1; then
    says err "f32"
    expect 0 "$mmood" build -m $model --precision int8 --id "$work/id.txt" --outliers "$work/out.txt" -o "$work/i.mmood"
    expect 0 "$mmood" calibrate "$work/i.mmood" "$work/cal" --precision int8
    expect 0 "$mmood" score "$work/i.mmood" "$work/cal/0.jpg" --precision int8 --format json
    says out '"calibrated":true'
    expect 1 "$mmood" score "$work/i.mmood" "$work/cal/0.jpg" --precision f32
    says err "int8"
fi
expect 1 "$mmood" score "$work/c.mmood" "$work/cal/0.jpg" --precision f32 --alpha white
says err "--alpha drop"
expect 1 "$mmood" score "$work/c.mmood" "$work/cal/0.jpg" --precision f32 --no-orient
says err "--no-orient"
expect 1 "$mmood" score "$work/c.mmood" "$work/cal/0.jpg" --precision f32 --fast-decode
says err "without --fast-decode"
expect 0 "$mmood" calibrate "$work/d.mmood" "$work/cal" --precision f32 --fast-decode -o "$work/f.mmood"
expect 1 "$mmood" score "$work/f.mmood" "$work/cal/0.jpg" --precision f32
says err "with --fast-decode"
expect 0 "$mmood" score "$work/f.mmood" "$work/cal/0.jpg" --precision f32 --fast-decode --format json
says out '"calibrated":true'
expect 1 "$mmood" eval "$work/f.mmood" --id "$work/id" --ood "$work/far" --precision f32
says err "with --fast-decode"

# ---- score --fdr and --adaptive
expect 2 "$mmood" score "$work/d.mmood" "$work/far" --precision f32 --fdr 0.1
says err "calibrate"
expect 2 "$mmood" score "$work/c.mmood" "$work/far" --precision f32 --fdr 2
expect 0 "$mmood" score "$work/c.mmood" "$work/far" "$work/cal" --precision f32 --fdr 0 --format json
lacks out '"verdict":"ood"'
says out '"fdr":0,'
expect 0 "$mmood" score "$work/c.mmood" "$work/far" "$work/cal" --precision f32 --fdr 1 --format json
lacks out '"verdict":"id"'
expect 3 "$mmood" score "$work/c.mmood" "$work/far" $pictures/trunc.png --precision f32 --fdr 0.5
expect 2 "$mmood" score "$work/d.mmood" "$work/far" --adaptive
says err "neglabel"
expect 0 "$mmood" score "$work/c.mmood" "$work/far" --precision f32 --adaptive --scores neglabel --format json
says out '"calibrated":false'
says err "threshold does not apply"
expect 0 "$mmood" score "$work/d.mmood" "$work/far" --precision f32
says out "looks m"

# the reason in words, with where the outlier label came from
printf '{"format":"mmood-outliers/1","settings":{},"labels":[{"label":"wolf","source":"near branch, from '"'husky'"'"}],"dropped":[]}' \
    >"$work/near.json"
expect 0 "$mmood" build -m $model --id "$work/id.txt" --outliers "$work/near.json" -o "$work/near.mmood"
expect 0 "$mmood" score "$work/near.mmood" "$work/far" --top 0
says out "'wolf' (outlier, near branch, from 'husky': "

# ---- a detector without outliers
expect 0 "$mmood" build -m $model --id "$work/id.txt" --score mcm -o "$work/plain.mmood"
expect 0 "$mmood" score "$work/plain.mmood" "$work/far" --scores all --format json
says err "neglabel is left out"
lacks out neglabel
expect 2 "$mmood" score "$work/plain.mmood" "$work/far" --scores neglabel
expect 2 "$mmood" build -m $model --id "$work/id.txt" --score neglabel -o "$work/x.mmood"
says err "outlier labels"

# ---- eval
expect 2 "$mmood" eval
expect 2 "$mmood" eval "$work/d.mmood" --id "$work/id"
expect 2 "$mmood" eval "$work/d.mmood" --id "$work/id" --ood "$work/id"
says err "earlier set"
expect 1 "$mmood" eval "$work/d.mmood" --id "$work/id" --ood "$work/absent"
run() {
    "$mmood" eval "$work/d.mmood" --id "$work/id" --ood "$work/far/" --ood near="$work/cal" --bootstrap 50 --precision f32 "$@"
}
expect 0 run --scores all --format json --report "$work/report.html"
says out '"set":"far"'
says out '"set":"near"'
says out '"set":"mean"'
says out '"score":"gl-mcm"'
says out '"accuracy_count":3'
checks=$((checks + 1))
[ "$(grep -c '"type":"result"' "$work/out")" = 24 ] || fail "12 scores against 2 sets are 24 rows"
checks=$((checks + 1))
grep -q '</html>' "$work/report.html" || fail "the report is no page"
cp "$work/out" "$work/first"
expect 0 run --scores all --format json --fast-decode # not out of the cache
checks=$((checks + 1))
[ "$(ls "$work/xdg/mmood"/embeddings-*.cache | wc -l)" = 2 ] || fail "--fast-decode has no cache of its own"
expect 0 run --scores all --format json # out of the cache
same "$work/first" "$work/out"
expect 0 run --scores all --format json --no-cache --threads 1
same "$work/first" "$work/out"
checks=$((checks + 1))
ls "$work/xdg/mmood"/embeddings-*.cache >/dev/null || fail "no cache where caches belong"
expect 0 run --format csv
lines out 4
expect 0 run --format markdown
expect 0 run --fpr ood-positive
says out "ood-positive"
# bad pictures are counted and listed, leaks told
cp $pictures/trunc.png "$work/far"
cp $pictures/rgb.png "$work/far/again.png"
mkdir "$work/far/Hot-Dog"
cp $pictures/gray.jpg "$work/far/Hot-Dog"
expect 3 run
says err "trunc.png: "
says err 'both in "id" and in "far"'
says err '"Hot-Dog"'
printf 'cat\tLion\n' >"$work/names.txt"
expect 3 run --class-names "$work/names.txt" --format json
says out '"accuracy_count":1'
expect 3 "$mmood" eval "$work/c.mmood" --id "$work/cal" --ood "$work/far" --precision f32 --bootstrap 0
says err "took part in the detector's calibration"
says err "no calibration score is below the threshold"
# with one ID label max is always 1: a threshold there flags nothing
printf 'cat\n' >"$work/one.txt"
expect 0 "$mmood" build -m $model --precision f32 --id "$work/one.txt" --outliers "$work/out.txt" --score max -o "$work/max.mmood"
expect 0 "$mmood" calibrate "$work/max.mmood" "$work/cal" --precision f32
says err "the threshold, 1, is the lowest score that max can have with 1 ID labels: no picture can be flagged"
expect 0 "$mmood" inspect "$work/max.mmood"
says out "no picture can be flagged"
expect 3 "$mmood" eval "$work/max.mmood" --id "$work/cal" --ood "$work/far" --precision f32 --bootstrap 0
says err "no picture can be flagged"
says err "flags none of the"
printf 'cat/rgb.png\tcat\nhot_dog/gray.png\n' >"$work/id/list.txt"
expect 3 "$mmood" eval "$work/d.mmood" --id "$work/id/list.txt" --ood "$work/far" --format json
says out '"n_id":2'

# ---- suites: without the data it says what to put where; with a tiny tree of the layout it runs
export MMOOD_SUITES=../suites
expect 2 "$mmood" eval --suite imagenet10-near -m $model
says out "ImageNet/val"
says err "--data DIR"
mkdir "$work/nothing"
expect 1 "$mmood" eval --suite imagenet10-near --data "$work/nothing" -m $model
says err "missing"
expect 1 "$mmood" eval --suite imagenet11 --data "$work" -m $model
says err "imagenet10-near"
tree=$(dirname "$mmood")/tests/make_suite_tree
expect 0 "$tree" ../suites/imagenet10-near.json "$work/tree" $pictures/rgb.png $pictures/gray.png $pictures/palette.png
expect 0 "$mmood" eval --suite imagenet10-near --data "$work/tree" -m $model --outliers "$work/out.txt" --bootstrap 0
says out "ImageNet-10 against ImageNet-20"
says out "ImageNet-20"
says out "EOE"
says err "the suite's protocol has 30 outlier labels, here there are 2"
expect 0 "$mmood" eval --suite imagenet10-near --data "$work/tree" -m $model --format json --bootstrap 0 --scores mcm
says out '"accuracy_count":20'
expect 1 "$mmood" eval "$work/d.mmood" --suite imagenet10-near --data "$work/tree" --precision f32
says err "brambling bird"
expect 2 "$mmood" eval "$work/d.mmood" --suite imagenet10-near --data "$work/tree" --id "$work/id"

finish
