# Installs the program, the shared library, the header, suites, prompts, a pkg-config file and a CMake package.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS mmood EXPORT mmoodTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS mmood_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${PROJECT_SOURCE_DIR}/include/mmood.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/prompts DESTINATION ${CMAKE_INSTALL_DATADIR}/mmood FILES_MATCHING PATTERN "*.txt")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/suites DESTINATION ${CMAKE_INSTALL_DATADIR}/mmood FILES_MATCHING PATTERN "*.json")

# The way from the pkg-config file's folder back to the prefix, so that the tree can be moved.
file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
set(MMOOD_PC_PREFIX "\${pcfiledir}/${up}")
configure_file(${CMAKE_CURRENT_LIST_DIR}/mmood.pc.in ${PROJECT_BINARY_DIR}/mmood.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mmood.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/mmood)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mmoodConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/mmoodConfig.cmake.in ${PROJECT_BINARY_DIR}/mmoodConfig.cmake
  INSTALL_DESTINATION ${package_folder})
install(EXPORT mmoodTargets NAMESPACE mmood:: DESTINATION ${package_folder})
install(FILES ${PROJECT_BINARY_DIR}/mmoodConfig.cmake ${PROJECT_BINARY_DIR}/mmoodConfigVersion.cmake
  DESTINATION ${package_folder})
