#!/bin/sh
# mmood envision against a fake endpoint that answers after DELAY ms: a picture and one exchange a class, 200 and then
# COUNT classes, JOBS at a time. Says which share of the ideal throughput (JOBS exchanges a DELAY) was reached, and the peak
# of memory. The cache's disk, and both programs' work on the same cores, count.
#   bench/bench_envision.sh BUILD [COUNT] [JOBS] [DELAY]
set -eu
cd "$(dirname "$0")/.."
build=$(cd "${1:-build}" && pwd)
count=${2:-1000} jobs=${3:-16} delay=${4:-200}
cmake --build "$build" --target mmood_cli fake_models bench_measure >/dev/null
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT

(cd tests && exec "$build/tests/fake_models" bench "$work/port" "$work/log" "$delay") &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -s "$work/port" ] && break
    sleep 0.2
done
mkdir "$work/pictures"
for n in 200 "$count"; do
    seq 10000 $((9999 + n)) | tr 0-9 a-j | sed 's/^/item /' >"$work/id.txt"
    sed 's/ /_/' "$work/id.txt" | while read -r name; do
        ln -f tests/data/image/syn_640x427.png "$work/pictures/$name.png" 2>/dev/null ||
            cp tests/data/image/syn_640x427.png "$work/pictures/$name.png"
    done
    : >"$work/log"
    "$build/bench/bench_measure" "$work/measured" "$build/mmood" envision --quiet --mode near --no-probe -L 1K \
        --id "$work/id.txt" --images "$work/pictures" --jobs "$jobs" --wordnet none --chat-url "localhost:$(cat "$work/port")" \
        --cache "$work/cache-$n" -o "$work/outliers.json"
    awk -v calls="$(wc -l <"$work/log")" -v jobs="$jobs" -v delay="$delay" '{
        printf "%d exchanges, %d at a time, %d ms each: %.2f s, %.1f a second, %.1f %% of the ideal; %.1f ms of CPU each, peak %.1f MiB\n",
            calls, jobs, delay, $1, calls / $1, 100 * calls / $1 / (jobs * 1000 / delay), 1000 * $2 / calls, $3 / 1024
    }' "$work/measured"
done
