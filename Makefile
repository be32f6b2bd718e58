# The front door. CMake does the work; these are the commands that the README names.
BUILD ?= build
CMAKE_FLAGS ?=

.PHONY: help demo demo-clip check check-long build bench install format packages clean

help:
	@echo "make demo        install packages, build, and judge real photos with the shipped model"
	@echo "make demo-clip   the same photos with a CLIP model from Hugging Face's hub (MODEL=...)"
	@echo "make check       install packages, build, and run all tests and checks (some minutes)"
	@echo "make build       build only: $(BUILD)/mmood and $(BUILD)/libmmood.so"
	@echo "make install     install the program, library, header, pkg-config file and CMake package"
	@echo "make bench       build the benchmarks and run them (minutes)"
	@echo "make check-long  comparisons with transformers at full size, long fuzzing (hours)"
	@echo "make format      clang-format over all C files"
	@echo "make clean       remove build and build-*"
	@echo
	@echo "BUILD=folder and CMAKE_FLAGS=... change where and how make build works."

packages:
	@tools/install_packages.sh build

build: packages
	@cmake -S . -B $(BUILD) -G Ninja $(CMAKE_FLAGS)
	@cmake --build $(BUILD) --target mmood_installed

demo:
	@tools/install_packages.sh build demo
	@tools/quiet_build.sh $(BUILD) $(CMAKE_FLAGS)
	@demo/run.sh $(BUILD)/mmood

demo-clip:
	@tools/install_packages.sh build demo
	@tools/quiet_build.sh $(BUILD) $(CMAKE_FLAGS)
	@demo/run_clip.sh $(BUILD)/mmood "$(or $(MODEL),openai/clip-vit-base-patch32)"

check:
	@tools/install_packages.sh build check
	@tools/check.sh

check-long: build
	@tools/install_packages.sh check long
	tools/check_long.sh $(BUILD)

bench: build
	bench/run.sh $(BUILD)

install: build
	cmake --install $(BUILD)

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build build-*
