#!/bin/sh
# A calibrated detector on other CPUs: --precision auto is what its threshold was made in, and a CPU
# that lacks it refuses. Runs in tests/.
#   test_cli_precision.sh PROGRAM
set -u
. cli/lib.sh
unset ONEDNN_MAX_CPU_ISA DNNL_MAX_CPU_ISA

model=golden/b32-quick
pictures=data/image
old=ONEDNN_MAX_CPU_ISA=AVX2
printf 'cat\nhot dog\n' >"$work/id.txt"
printf 'wolf\ncar\n' >"$work/out.txt"
mkdir "$work/id" "$work/far"
cp $pictures/rgb.png $pictures/ok.jpg $pictures/gray.png $pictures/palette.png "$work/id"
cp $pictures/checker_896.png "$work/far"
expect 0 "$mmood" build -m $model --id "$work/id.txt" --outliers "$work/out.txt" -o "$work/plain.mmood"
calibrate() { # calibrate NAME OPTION...
    name=$1
    shift
    expect 0 "$mmood" calibrate "$work/plain.mmood" "$work/id" --keep 0.5 -o "$work/$name.mmood" "$@"
}

# listens OPTION...: serve starts with these detectors and options, and ends when told to.
listens() {
    checks=$((checks + 1))
    "$mmood" serve "$@" --listen 127.0.0.1:0 >"$work/out" 2>"$work/err" </dev/null &
    server=$!
    tries=0
    until grep -q "listening at" "$work/err" || [ $tries -ge 300 ] || ! kill -0 $server 2>/dev/null; do
        sleep 0.1
        tries=$((tries + 1))
    done
    grep -q "listening at" "$work/err" || fail "serve does not start: $*"
    kill $server 2>/dev/null
    wait $server
}

# ---- labels are embedded in f32 whatever the precision: the same file, to the byte
for precision in auto f32 bf16 int8; do
    "$mmood" inspect $model --precision $precision >/dev/null 2>&1 || continue
    expect 0 "$mmood" build -m $model --precision $precision --id "$work/id.txt" --outliers "$work/out.txt" -o "$work/same.mmood"
    same "$work/plain.mmood" "$work/same.mmood"
    expect 0 "$mmood" inspect $model --precision $precision --json
    says out '"text_precision":"f32"'
done
expect 0 "$mmood" inspect "$work/plain.mmood" --json
says out '"precision":"f32"'

# ---- f32 runs everywhere, whatever the CPU would choose
calibrate f32 --precision f32
expect 0 "$mmood" score "$work/f32.mmood" "$work/id" --precision f32 --format json
cp "$work/out" "$work/f32.json"
for option in "" "--precision auto"; do
    expect 0 "$mmood" score "$work/f32.mmood" "$work/id" --format json $option
    same "$work/f32.json" "$work/out"
done
expect 0 "$mmood" score "$work/f32.mmood" "$work/id" -v
says err "precision f32: the detector's threshold was made in it"
expect 0 "$mmood" eval "$work/f32.mmood" --id "$work/id" --ood "$work/far" --bootstrap 0
expect 0 "$mmood" bench "$work/f32.mmood" "$work/id" --seconds 0.01 --format json
says out '"precision":"f32"'
lacks err refuse
expect 0 "$mmood" calibrate "$work/f32.mmood" "$work/id" --keep 0.5 -o "$work/again.mmood"
same "$work/f32.mmood" "$work/again.mmood"
expect 0 env $old "$mmood" score "$work/f32.mmood" "$work/id"
listens "$work/f32.mmood"
listens "$work/plain.mmood" "$work/f32.mmood"

# ---- bf16 and int8, where this CPU has them; AVX2 has neither
for precision in bf16 int8; do
    "$mmood" inspect $model --precision $precision >/dev/null 2>&1 || continue
    calibrate $precision --precision $precision
    detector=$work/$precision.mmood
    expect 0 "$mmood" score "$detector" "$work/id" --format json
    says out '"calibrated":true'
    expect 0 "$mmood" eval "$detector" --id "$work/id" --ood "$work/far" --bootstrap 0
    expect 0 "$mmood" bench "$detector" "$work/id" --seconds 0.01 --format json
    says out "\"precision\":\"$precision\""
    listens "$detector"
    expect 1 "$mmood" score "$detector" "$work/id" --precision f32
    says err "use --precision $precision"
    lacks="made with pictures embedded in $precision, which this CPU lacks: calibrate again here"
    expect 1 env $old "$mmood" score "$detector" "$work/id"
    says err "$lacks"
    expect 1 env $old "$mmood" eval "$detector" --id "$work/id" --ood "$work/far"
    says err "$lacks"
    expect 1 env $old "$mmood" serve "$detector" --listen 127.0.0.1:0
    says err "$lacks"
    expect 0 env $old "$mmood" bench "$detector" "$work/id" --seconds 0.01 --format json
    says err "$lacks"
    says out '"precision":"f32"'
    # what the message says to do
    expect 0 env $old "$mmood" calibrate "$detector" "$work/id" --keep 0.5 -o "$work/here.mmood"
    says err "the earlier threshold was made in $precision, which this CPU lacks; the new one is made in f32"
    expect 0 env $old "$mmood" score "$work/here.mmood" "$work/id"
    expect 0 "$mmood" score "$work/here.mmood" "$work/id" --format json
    says out '"calibrated":true'
done

# ---- detectors that one server cannot serve together
if [ -e "$work/bf16.mmood" ]; then
    expect 1 "$mmood" serve "$work/f32.mmood" "$work/bf16.mmood" --listen 127.0.0.1:0
    says err "made with pictures embedded in bf16, not f32"
fi

finish
