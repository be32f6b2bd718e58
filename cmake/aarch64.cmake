# Cross-building for AArch64 Linux with Debian's gcc-aarch64-linux-gnu; tests run under qemu-user.
#   cmake -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake -DMMOOD_SYSROOT=FOLDER ...
# FOLDER holds arm64 packages unpacked: tools/check_aarch64.sh makes it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MMOOD_SYSROOT)

set(CMAKE_SYSROOT ${MMOOD_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${MMOOD_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${MMOOD_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${MMOOD_SYSROOT}/usr/share/pkgconfig)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${MMOOD_SYSROOT})
