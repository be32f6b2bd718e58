#!/bin/sh
# mmood beside the other ways to run CLIP on a CPU: onnxruntime, openvino, PyTorch with transformers, clip.cpp. Sets them up
# in a virtual environment, makes models of real shapes with random weights, runs the same work in turns on the same
# cores, and writes FOLDER/results.md, results.csv and chart.svg. docs/performance.md says what is measured and how.
#   bench/compare.sh BUILD [FOLDER] [--quick] [--threads N] [--models b32,b16,l14,lite0,mci0] [--parts images,texts,end-to-end,cold-start]
#                    [--rounds N] [--seconds S]
# FOLDER (default BUILD/compare) grows to some 20 GB; what is there is used again. A full run takes hours, --quick half
# an hour at first. Needs g++ and wordnet-base (tools/install_packages.sh long).
set -eu
cd "$(dirname "$0")/.."
build=${1:?usage: bench/compare.sh BUILD [FOLDER] [OPTION]...}
shift
folder=$build/compare
case ${1:-} in '' | -*) ;; *) folder=$1 && shift ;; esac
mkdir -p "$folder/models"
folder=$(cd "$folder" && pwd)

models=b32,b16,l14,lite0,mci0
previous=
for argument in "$@"; do
    [ "$argument" != --quick ] || models=b32
done
for argument in "$@"; do
    [ "$previous" != --models ] || models=$argument
    previous=$argument
done
models=$(echo "$models" | tr , ' ')

[ -e "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
python=$folder/venv/bin/python
if ! cmp -s bench/compare/requirements.txt "$folder/installed.txt"; then
    "$python" -m pip install --quiet --disable-pip-version-check -r bench/compare/requirements.txt
    cp bench/compare/requirements.txt "$folder/installed.txt"
fi
cmake --build "$build" --target mmood_installed bench_worker bench_peaks bench_make_model >/dev/null
for model in $models; do
    case $model in lite0 | mci0) continue ;; esac # prepare.py's
    [ -e "$folder/models/$model/model.safetensors" ] ||
        "$build/bench/bench_make_model" "$model" models/demo/tokenizer.json "$folder/models/$model"
done
if [ ! -e "$folder/clip_cpp/worker" ]; then
    bench/compare/clip_cpp.sh "$folder/clip_cpp" >"$folder/clip_cpp.log" 2>&1 ||
        echo "clip.cpp is left out: $(tail -n 1 "$folder/clip_cpp.log")"
fi
# shellcheck disable=SC2086
"$python" bench/compare/prepare.py "$folder" $models 2>"$folder/prepare.log" || {
    tail -n 5 "$folder/prepare.log"
    exit 1
}
grep '^left out: ' "$folder/prepare.log" || true
exec "$python" bench/compare/run.py "$build" "$folder" "$@"
