# Finds the Debian packages that mmood is built on; README.md gives each one's reason. All are required but
# cmocka: without it there are no tests (MMOOD_TESTS).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(JPEG REQUIRED)
pkg_check_modules(SPNG REQUIRED IMPORTED_TARGET spng)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp libwebpdemux)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
find_package(GIF REQUIRED)
find_package(dnnl REQUIRED)

# gomp is the OpenMP runtime that Debian's oneDNN uses: workers tell it to stay on their thread.
set(MMOOD_LIBRARIES
    DNNL::dnnl gomp PkgConfig::SPNG PkgConfig::WEBP PkgConfig::JANSSON PkgConfig::UTF8PROC
    JPEG::JPEG GIF::GIF Threads::Threads m)

set(MMOOD_TESTS OFF)
if(MMOOD_BUILD_TESTS)
  pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
  set(MMOOD_TESTS ${CMOCKA_FOUND})
endif()
