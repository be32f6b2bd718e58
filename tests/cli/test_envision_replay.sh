#!/bin/sh
# mmood envision without any call: exchanges that an earlier program recorded, and the labels that it made of them, which
# must be found and read as they were. The prompts are the test's own. Runs in tests/.
#   test_envision_replay.sh PROGRAM                replays
#   test_envision_replay.sh PROGRAM FAKE_MODELS    records all of it again, into data/envision
set -u
. cli/lib.sh
data=$here/data/envision
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
url=http://localhost offline=--offline
if [ $# -gt 1 ]; then
    offline=
    rm -rf "$data/cache"
    "$2" good "$work/port" "$work/log" &
    server=$!
    while [ ! -s "$work/port" ]; do sleep 0.1; done
    url=http://127.0.0.1:$(cat "$work/port")
fi

mkdir "$work/id" "$work/far"
cp data/image/gray.jpg "$work/id/cat.jpg"
cp data/image/gray.png "$work/id/dog.png"
cp data/image/exif_1.png "$work/id/polar_bear.png"
cp data/image/exif_6.png "$work/far/broom.png"
cp data/image/gray_alpha.png "$work/far/rug.png"
cd "$work" || exit 1
printf 'cat\ndog\npolar bear\n' >id.txt

# run CODE MODE OPTION...: the mode's file, in $work.
run() {
    code=$1 mode=$2
    shift 2
    expect "$code" "$mmood" envision --id id.txt --mode "$mode" --prompts "$data/prompts" --cache "$data/cache" \
        --wordnet none --chat-url "$url" --chat-model recorded --sample 2 $offline -o "$mode.json" "$@"
}

# compare MODE OPTION...: all but the settings is as it was.
compare() {
    run 0 "$@"
    sed -n '/^ "\(steps\|labels\)"/,$p' "$1.json" >now
    if [ -n "$server" ]; then cp now "$data/$1.txt"; fi
    same "$data/$1.txt" now
}

compare near --images id
compare text-near
compare text-far -L 9
compare far -L 20 --pictures far --per-turn 4
compare mix -L 12 --images id --pictures far

# Categories, sketch and select are recorded, the pictures are not.
run 1 far --draft-count 6 --representatives 3 --image-url http://127.0.0.1:1 --timeout 2
says err "mmood: generate, "

finish
