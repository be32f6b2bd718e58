#!/bin/sh
# Runs the benchmarks: ViT-B/32 and B/16 with random weights, f32 and, where the CPU has them, bf16 and int8; decoding
# and preprocessing apart. Minutes; about 1.2 GB of disk in the build folder.
#   bench/run.sh BUILD [THREADS] [SECONDS]
set -eu
build=${1:-build}
threads=${2:-$(nproc)}
seconds=${3:-6}
cd "$(dirname "$0")/.."
cmake --build "$build" --target bench_clip bench_make_model >/dev/null
for size in b32 b16; do
    model="$build/bench/$size"
    [ -e "$model/model.safetensors" ] || "$build/bench/bench_make_model" $size models/demo/tokenizer.json "$model"
    for precision in f32 bf16 int8; do
        case $precision in
        bf16) grep -q avx512_bf16 /proc/cpuinfo || continue ;;
        int8) grep -q avx512_vnni /proc/cpuinfo || continue ;;
        esac
        pictures=
        [ "$size-$precision" != b16-f32 ] || pictures="tests/data/image/ok.jpg tests/data/image/progressive.jpg tests/data/image/syn_640x427.png tests/data/image/lossy.webp"
        # shellcheck disable=SC2086
        "$build/bench/bench_clip" "$model" --threads "$threads" --batch 16 --seconds "$seconds" \
            --precision $precision $pictures
    done
done
