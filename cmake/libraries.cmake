# Finds the libraries that fovea is linked with, oneDNN excepted: for the build, and from fovea's CMake package for programs that link the static library.
# Takes FOVEA_FETCH and FOVEA_PORTABLE, gives fovea_libraries, and in fovea_missing what was not found. Everything is looked for before anything is reported,
# so that one message lists all that is missing.
set(fovea_missing "")
function(fovea_need found what debian_package)
  if(NOT ${found})
    list(APPEND fovea_missing "${what} (Debian: ${debian_package})")
    set(fovea_missing "${fovea_missing}" PARENT_SCOPE)
  endif()
endfunction()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads QUIET)
# GNU's OpenMP runtime, whatever the compiler: oneDNN runs on it, and a process with two runtimes has twice the threads, which wait for each other's cores.
# The compilers' own switch, find_package(OpenMP), would bring LLVM's under clang. That one can stand in for GNU's, but only where it is loaded before it,
# which a program that links fovea decides, and it does not know GOMP_SPINCOUNT. So fovea calls the one runtime by its functions (src/base/openmp.h).
find_library(FOVEA_GOMP_LIBRARY gomp HINTS ${CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES})
if(FOVEA_FETCH)
  find_package(CURL QUIET)
endif()
find_package(fmt QUIET CONFIG)
find_package(PkgConfig QUIET)

find_package(JPEG QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(FOVEA_HWY QUIET IMPORTED_TARGET libhwy)
  pkg_check_modules(FOVEA_SPNG QUIET IMPORTED_TARGET spng)
  pkg_check_modules(FOVEA_NETTLE QUIET IMPORTED_TARGET nettle<4)
endif()
# Of the others a portable build takes the archives. Highway and libspng have none, libjpeg's is not position-independent, and Nettle's licence, the LGPL, wants
# that it can be exchanged.
set(fovea_suffixes ${CMAKE_FIND_LIBRARY_SUFFIXES})
if(FOVEA_PORTABLE)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a .so)
endif()
find_package(GIF QUIET)
find_library(FOVEA_LBFGS_LIBRARY lbfgs)
if(PkgConfig_FOUND)
  pkg_check_modules(FOVEA_WEBP QUIET IMPORTED_TARGET libwebpdemux libwebp)
  pkg_check_modules(FOVEA_MINIZIP QUIET IMPORTED_TARGET minizip zlib)
endif()
set(CMAKE_FIND_LIBRARY_SUFFIXES ${fovea_suffixes})

fovea_need(PkgConfig_FOUND "pkg-config" pkg-config)
fovea_need(Threads_FOUND "POSIX threads" libc6-dev)
fovea_need(FOVEA_GOMP_LIBRARY "GNU's OpenMP runtime, libgomp" g++)
fovea_need(JPEG_FOUND "libjpeg" libjpeg-dev)
fovea_need(FOVEA_SPNG_FOUND "libspng" libspng-dev)
fovea_need(FOVEA_WEBP_FOUND "libwebp and libwebpdemux" libwebp-dev)
fovea_need(GIF_FOUND "giflib" libgif-dev)
fovea_need(FOVEA_MINIZIP_FOUND "minizip" libminizip-dev)
fovea_need(FOVEA_NETTLE_FOUND "Nettle 3" nettle-dev)
fovea_need(FOVEA_HWY_FOUND "Highway" libhwy-dev)
fovea_need(FOVEA_LBFGS_LIBRARY "libLBFGS" liblbfgs-dev)
fovea_need(fmt_FOUND "{fmt}" libfmt-dev)
if(FOVEA_FETCH)
  fovea_need(CURL_FOUND "libcurl" libcurl4-openssl-dev)
endif()

set(fovea_libraries
  ${FOVEA_GOMP_LIBRARY} Threads::Threads PkgConfig::FOVEA_HWY JPEG::JPEG PkgConfig::FOVEA_SPNG PkgConfig::FOVEA_WEBP GIF::GIF
  PkgConfig::FOVEA_MINIZIP PkgConfig::FOVEA_NETTLE ${FOVEA_LBFGS_LIBRARY})
if(FOVEA_PORTABLE)
  list(APPEND fovea_libraries portable_fmt $<$<BOOL:${FOVEA_FETCH}>:portable_curl>)
else()
  list(APPEND fovea_libraries fmt::fmt $<$<BOOL:${FOVEA_FETCH}>:CURL::libcurl>)
endif()
