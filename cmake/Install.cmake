# Installs the library, the header, the pkg-config file and the CMake package.
