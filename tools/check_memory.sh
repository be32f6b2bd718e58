#!/bin/bash
# Memory over many pictures: `mmood score` reads a folder of 2,000 and one of 100,000 (drawings, photos and a file that
# is no picture, each under many names), answers every name with a row, and needs at most 120 bytes a picture more for the
# larger one: the list of names, which is read beforehand. Under a minute on two cores; needs 100,000 free inodes.
#   check_memory.sh BUILD [PICTURES]
set -euo pipefail
mmood=$(cd "$1" && pwd)/mmood
pictures=${2:-100000}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=$PWD/models/demo
"$mmood" build --quiet --no-cache -m "$model" --id demo/sold.txt --outliers demo/outliers.txt -o "$work/food.mmood"

mkdir "$work/sources"
i=0
while read -r source; do
    cp "$source" "$work/sources/$i.${source##*.}"
    i=$((i + 1))
done < <(find tests/data/drawings -name '*.png' | sort; find tests/data/image -name '*.jpg' | sort)
echo "not a picture" >"$work/sources/$i.png"

# fill FOLDER COUNT: hard links, since copies would take gigabytes.
fill() {
    mkdir "$work/$1"
    python3 - "$work/sources" "$work/$1" "$2" <<'PYTHON'
import os
import sys
names = sorted(os.listdir(sys.argv[1]))
for i in range(int(sys.argv[3])):
    name = names[i % len(names)]
    os.link(f"{sys.argv[1]}/{name}", f"{sys.argv[2]}/{i:06}.{name.split('.')[-1]}")
PYTHON
}

# score FOLDER: peak memory in KiB, rows, seconds.
score() {
    python3 - "$mmood" "$model" "$work/food.mmood" "$work/$1" <<'PYTHON'
import os
import subprocess
import sys
import time
mmood, model, detector, folder = sys.argv[1:]
begin = time.time()
process = subprocess.Popen([mmood, "score", "--quiet", "--no-cache", "-m", model, "--format", "json", "--top", "0", detector, folder],
                           stdout=subprocess.PIPE)
rows = sum(1 for line in process.stdout)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss, rows, f"{time.time() - begin:.0f}", os.waitstatus_to_exitcode(status))
PYTHON
}

fill few 2000
fill many "$pictures"
read -r few few_rows _ few_code < <(score few)
read -r many many_rows seconds code < <(score many)
echo "2,000 pictures: $few KiB; $pictures: $many KiB, $seconds s; exit codes $few_code and $code"
[ "$few_rows" = 2000 ] && [ "$many_rows" = "$pictures" ] ||
    { echo "rows: $few_rows and $many_rows" && exit 1; }
allowed=$((few + pictures * 120 / 1024 + 4096))
[ "$many" -le "$allowed" ] || { echo "more than $allowed KiB" && exit 1; }
