#!/bin/sh
# mmood bench: what it prints is whole and positive, and its exit codes; how fast it was decides nothing. Runs in
# tests/.
#   test_cli_bench.sh PROGRAM
set -u
. cli/lib.sh

model=golden/b32-quick
pictures=data/image
detector="$work/d \"quoted\".mmood"
printf 'cat\ndog\nhot dog\n' >"$work/id.txt"
printf 'wolf\ncar\n' >"$work/outliers.txt"
expect 0 "$mmood" build -m $model --id "$work/id.txt" --outliers "$work/outliers.txt" -o "$detector"

# bench CODE OPTION...: a short one, with the detector.
bench() {
    wanted_of_bench=$1
    shift
    expect "$wanted_of_bench" "$mmood" bench "$detector" --seconds 0.05 "$@"
}

# is_whole: one line with one object, of these members, the measured ones positive. A complete grammar, so that what
# fits it is JSON.
is_whole() {
    positive='[0-9.]*[1-9][0-9.]*(e[+-]?[0-9]+)?'
    rate="\\{\"pictures_per_second\":$positive,\"lowest\":$positive,\"highest\":$positive\\}"
    text='"[^"\\]*(\\"[^"\\]*)*"'
    checks=$((checks + 1))
    lines out 1
    grep -qxE "\\{\"detector\":$text,\"model\":$text,\"precision\":\"(f32|bf16|int8)\",\"instructions\":$text,\"kernels\":$text,\"threads\":$positive,\"batch\":$positive,\"seconds\":$positive,\"pictures\":$positive,\"failed\":[0-9]+,\"judge\":$rate,\"model_alone\":$rate,\"decode\":$rate,\"one\":\\{\"p50_ms\":$positive,\"p95_ms\":$positive,\"p99_ms\":$positive,\"count\":$positive\\}\\}" \
        "$work/out" || fail "that is not the object that was expected"
}

# ---- usage
expect 0 "$mmood" bench --help
says out "usage: mmood bench"
says out "example:"
expect 2 "$mmood" bench
says err "bench needs a detector and at least one picture"
expect 2 "$mmood" bench "$detector"
expect 2 "$mmood" bench --no-such-option
for seconds in 0 -1 0.001 601 1e9 nan inf five; do
    expect 2 "$mmood" bench "$detector" $pictures/rgb.png --seconds=$seconds
    says err "option --seconds"
done
bench 2 $pictures/rgb.png --batch 0
bench 2 $pictures/rgb.png --batch 4097
bench 2 $pictures/rgb.png --format csv
says err "table, json"
bench 2 $pictures/rgb.png --precision f64
bench 1 "$work/absent.png"
says err "absent.png: "
says err "nothing was measured"
lacks out "judge"
mkdir "$work/nothing"
bench 1 "$work/nothing"
says err "no picture found"
expect 1 "$mmood" bench $pictures/ok.jpg $pictures/rgb.png
expect 1 "$mmood" bench "$detector" $pictures/rgb.png -m golden/f16
says err "another model"

# ---- what it prints
bench 0 $pictures/rgb.png $pictures/ok.jpg
for row in "model         $model (ViT-64/32)" "precision  " "instructions" "pictures      2, in batches of" "judge  " \
    "model alone  " "decode  " "one  "; do
    says out "$row"
done
lacks out "nan"
lacks out "inf "
bench 0 $pictures/rgb.png $pictures/ok.jpg $pictures/gray.png --format json --batch 2 --threads 3 --precision f32
is_whole
says out '"precision":"f32",'
says out '"threads":3,"batch":2,"seconds":0.05,"pictures":3,"failed":0,'
says out 'd \"quoted\".mmood"'

# ---- pictures that cannot be read are left out
bench 3 $pictures/trunc.jpg $pictures/rgb.png $pictures/empty.png --format json --batch 1
is_whole
says out '"pictures":1,"failed":2,'
says err "trunc.jpg: the JPEG is truncated"
says err "empty.png: "
says err "2 of 3 pictures could not be read and are left out"
bench 3 $pictures/trunc.jpg $pictures/rgb.png --quiet
lacks err "mmood"
bench 1 $pictures/trunc.jpg $pictures/empty.png --format json
lines out 0

# ---- many are thinned out evenly; the 4100th is not taken
checks=$((checks + 1))
{ yes $pictures/rgb.png | head -n 4099; echo $pictures/absent.png; } |
    "$mmood" bench "$detector" - --seconds 0.05 --format json >"$work/out" 2>"$work/err" || fail "paths on stdin"
is_whole
says err "of 4100 pictures 4096 are used, evenly spread"
says out '"pictures":4096,"failed":0,'

# ---- patches; a threshold made with another precision
expect 0 "$mmood" build -m $model --id "$work/id.txt" --score gl-mcm -o "$work/patches.mmood"
expect 0 "$mmood" bench "$work/patches.mmood" $pictures/rgb.png --seconds 0.05 --format json
is_whole
expect 0 "$mmood" calibrate "$detector" $pictures/rgb.png $pictures/gray.png $pictures/ok.jpg $pictures/palette.png \
    --keep 0.5 --precision f32 -o "$work/calibrated.mmood"
expect 0 "$mmood" bench "$work/calibrated.mmood" $pictures/rgb.png --seconds 0.05 --precision f32
lacks err "refuse"
expect 0 "$mmood" bench "$work/calibrated.mmood" $pictures/rgb.png --seconds 0.05 --precision f32 --alpha white
says err "mmood score would refuse these settings: the threshold was made with transparent pixels"

# ---- a detector whose model is gone
cp -r $model "$work/model"
expect 0 "$mmood" build -m "$work/model" --id "$work/id.txt" -o "$work/moved.mmood"
rm -r "$work/model"
expect 1 "$mmood" bench "$work/moved.mmood" $pictures/rgb.png --seconds 0.05
says err "$work/model"
says err "-m gives another place"
expect 0 "$mmood" bench "$work/moved.mmood" $pictures/rgb.png --seconds 0.05 -m $model --format json
is_whole

# ---- results that cannot be written
if [ -e /dev/full ]; then
    checks=$((checks + 1))
    "$mmood" bench "$detector" $pictures/rgb.png --seconds 0.05 >/dev/full 2>"$work/err"
    [ $? = 1 ] || fail "exit code for a full disk"
    says err "standard output"
fi

finish
