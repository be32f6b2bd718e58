#!/bin/sh
# Builds monatis/clip.cpp with its ggml, at pinned commits, and the worker that drives it, in FOLDER. Sources that
# are in FOLDER/src already are used as they are, so a machine that cannot reach GitHub can be given them.
#   bench/compare/clip_cpp.sh FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
if [ ! -e src/clip.cpp ] || [ ! -e src/ggml/CMakeLists.txt ]; then
    rm -rf src
    git clone -q https://github.com/monatis/clip.cpp src
    git -C src checkout -q 3484ffc405b7c7409d095bcaaea39d0bb2534823
    git -C src submodule -q update --init ggml
fi
cmake -S src -B build -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DCLIP_NATIVE=ON -DCLIP_BUILD_TESTS=OFF \
    -DCLIP_BUILD_EXAMPLES=OFF
cmake --build build -j 2 --target clip quantize
cc -O2 -std=gnu11 -I src -I src/ggml/include -I "$here" "$here/clip_cpp_worker.c" "$here/worker.c" build/libclip.a build/ggml/src/libggml.a \
    -lstdc++ -lm -lpthread -o worker
