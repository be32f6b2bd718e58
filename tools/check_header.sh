#!/bin/sh
# The public header compiles alone, as C11 and as C++17, without a warning.
set -eu
cd "$(dirname "$0")/.."
for compiler in gcc clang; do
    echo '#include <mmood.h>' | $compiler -std=c11 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only -x c -
done
echo '#include <mmood.h>' | clang++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only -x c++ -
