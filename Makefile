# The front door. CMake does the work; these are the commands that the README names.
BUILD ?= build
CMAKE_FLAGS ?=

.PHONY: help demo check check-long build bench install format packages clean

help:
	@echo "make demo        install packages, build, and judge real pictures with the shipped model"
	@echo "make check       install packages, build, and run all tests and checks"
	@echo "make build       build only: $(BUILD)/mmood"
	@echo "make install     install the program, library, header, pkg-config file and CMake package"
	@echo "make bench       build the benchmarks and run them (minutes)"
	@echo "make check-long  comparisons with transformers at full size, long fuzzing (an hour)"
	@echo "make format      clang-format over all C files"

packages:
	@tools/install_packages.sh

$(BUILD)/CMakeCache.txt:
	cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS)

build: packages $(BUILD)/CMakeCache.txt
	cmake --build $(BUILD)

demo: build
	demo/run.sh $(BUILD)/mmood

check: packages
	tools/check.sh

check-long: build
	tools/check_long.sh $(BUILD)

bench: build
	bench/run.sh $(BUILD)

install: build
	cmake --install $(BUILD)

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build build-*
