# Finds the Debian packages that mmood is built on; README.md gives each one's reason. All are required but
# cmocka, without which there are no tests (MMOOD_TESTS), and libmicrohttpd, without which there is no server.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(JPEG REQUIRED)
pkg_check_modules(SPNG REQUIRED IMPORTED_TARGET spng)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp libwebpdemux)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.66)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
find_package(GIF REQUIRED)

# oneDNN by header and library: the CMake package of Debian's build wants OpenCL's development files, for a part
# that is not used here.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl_version.h)
find_library(DNNL_LIBRARY dnnl)
if(NOT DNNL_INCLUDE_DIR OR NOT DNNL_LIBRARY)
  message(FATAL_ERROR "oneDNN was not found (Debian: libdnnl-dev). Elsewhere: -DCMAKE_PREFIX_PATH=its prefix.")
endif()
file(STRINGS ${DNNL_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h numbers REGEX "VERSION_(MAJOR|MINOR|PATCH) +[0-9]")
string(REGEX REPLACE "[^0-9]+" "." DNNL_VERSION "${numbers}")
string(REGEX REPLACE "^\\.|\\.$" "" DNNL_VERSION "${DNNL_VERSION}")
if(DNNL_VERSION VERSION_LESS 2.6)
  message(FATAL_ERROR "oneDNN ${DNNL_VERSION} at ${DNNL_LIBRARY} is too old: 2.6 or later is needed")
endif()
add_library(DNNL::dnnl UNKNOWN IMPORTED)
set_target_properties(DNNL::dnnl PROPERTIES
  IMPORTED_LOCATION ${DNNL_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE_DIR})

# gomp is the OpenMP runtime that Debian's oneDNN uses: workers tell it to stay on their thread.
set(MMOOD_LIBRARIES
    DNNL::dnnl gomp PkgConfig::SPNG PkgConfig::WEBP PkgConfig::JANSSON PkgConfig::UTF8PROC
    PkgConfig::CURL     JPEG::JPEG GIF::GIF Threads::Threads m)

set(MMOOD_TESTS OFF)
if(MMOOD_BUILD_TESTS)
  pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
  set(MMOOD_TESTS ${CMOCKA_FOUND})
endif()

# The server suspends connections while the model works, which 0.9.71 and later do without faults.
pkg_check_modules(MICROHTTPD IMPORTED_TARGET libmicrohttpd>=0.9.71)
set(MMOOD_SERVE ${MICROHTTPD_FOUND})
