# Finds what fovea stands on and gathers it in one INTERFACE target, fovea_dependencies.
# Everything is looked for before anything is reported, so that one message lists all that is missing.
include_guard(GLOBAL)

set(fovea_missing "")
function(fovea_need found what debian_package)
  if(NOT ${found})
    list(APPEND fovea_missing "${what} (Debian: ${debian_package})")
    set(fovea_missing "${fovea_missing}" PARENT_SCOPE)
  endif()
endfunction()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads QUIET)
find_package(JPEG QUIET)
find_package(GIF QUIET)
find_package(OpenSSL QUIET)
find_package(CURL QUIET)
find_package(fmt QUIET CONFIG)
find_package(nlohmann_json QUIET CONFIG)
find_package(CLI11 QUIET CONFIG)
find_path(FOVEA_STB_INCLUDE_DIR stb/stb_image.h)
find_path(FOVEA_PROTOZERO_INCLUDE_DIR protozero/pbf_builder.hpp)
find_path(FOVEA_EIGEN_INCLUDE_DIR eigen3/Eigen/Dense)
find_library(FOVEA_LBFGS_LIBRARY lbfgs)
# GNU's OpenMP runtime, whatever the compiler: oneDNN runs on it, and a process with two runtimes has twice the threads, which wait for each other's cores.
# The compilers' own switch, find_package(OpenMP), would bring LLVM's under clang. That one can stand in for GNU's, but only where it is loaded before it,
# which a program that links fovea decides, and it does not know GOMP_SPINCOUNT. So fovea calls the one runtime by its functions (src/base/openmp.h).
find_library(FOVEA_GOMP_LIBRARY gomp HINTS ${CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES})

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(HWY QUIET IMPORTED_TARGET libhwy)
  pkg_check_modules(SPNG QUIET IMPORTED_TARGET spng)
  pkg_check_modules(WEBP QUIET IMPORTED_TARGET libwebp libwebpdemux)
  pkg_check_modules(MINIZIP QUIET IMPORTED_TARGET minizip)
endif()

# oneDNN 3: the system's where it is new enough, else the copy that scripts/get_onednn.sh puts below the build folder. -Ddnnl_DIR=... goes before both.
find_package(dnnl 3 QUIET CONFIG)
if(NOT dnnl_FOUND)
  find_package(dnnl 3 QUIET CONFIG NO_DEFAULT_PATH PATHS ${PROJECT_BINARY_DIR}/onednn ${PROJECT_SOURCE_DIR}/build/onednn)
endif()

fovea_need(PkgConfig_FOUND "pkg-config" pkg-config)
fovea_need(Threads_FOUND "POSIX threads" libc6-dev)
fovea_need(FOVEA_GOMP_LIBRARY "GNU's OpenMP runtime, libgomp" g++)
fovea_need(JPEG_FOUND "libjpeg" libjpeg-dev)
fovea_need(SPNG_FOUND "libspng" libspng-dev)
fovea_need(WEBP_FOUND "libwebp and libwebpdemux" libwebp-dev)
fovea_need(GIF_FOUND "giflib" libgif-dev)
fovea_need(FOVEA_STB_INCLUDE_DIR "stb" libstb-dev)
fovea_need(FOVEA_PROTOZERO_INCLUDE_DIR "protozero" libprotozero-dev)
fovea_need(MINIZIP_FOUND "minizip" libminizip-dev)
fovea_need(CURL_FOUND "libcurl" libcurl4-openssl-dev)
fovea_need(OpenSSL_FOUND "OpenSSL" libssl-dev)
fovea_need(HWY_FOUND "Highway" libhwy-dev)
fovea_need(FOVEA_EIGEN_INCLUDE_DIR "Eigen 3" libeigen3-dev)
fovea_need(FOVEA_LBFGS_LIBRARY "libLBFGS" liblbfgs-dev)
fovea_need(fmt_FOUND "{fmt}" libfmt-dev)
fovea_need(nlohmann_json_FOUND "nlohmann-json" nlohmann-json3-dev)
fovea_need(CLI11_FOUND "CLI11" libcli11-dev)
fovea_need(dnnl_FOUND "oneDNN 3" "libdnnl-dev from Debian 13 on, before that scripts/get_onednn.sh")
if(FOVEA_BUILD_TESTS)
  find_package(GTest QUIET CONFIG)
  find_package(benchmark QUIET CONFIG)
  fovea_need(GTest_FOUND "GoogleTest" "libgtest-dev libgmock-dev")
  fovea_need(benchmark_FOUND "Google Benchmark" libbenchmark-dev)
endif()

if(fovea_missing)
  list(JOIN fovea_missing "\n  " fovea_missing_text)
  message(FATAL_ERROR "Not found:\n  ${fovea_missing_text}\nscripts/install_dependencies.sh installs the packages, scripts/get_onednn.sh gets oneDNN.")
endif()

get_target_property(FOVEA_DNNL_LIBRARY DNNL::dnnl IMPORTED_LOCATION_RELEASE)
if(NOT FOVEA_DNNL_LIBRARY)
  get_target_property(FOVEA_DNNL_LIBRARY DNNL::dnnl LOCATION)
endif()
message(STATUS "oneDNN ${dnnl_VERSION}: ${FOVEA_DNNL_LIBRARY}")

add_library(fovea_dependencies INTERFACE)
target_include_directories(fovea_dependencies SYSTEM INTERFACE ${FOVEA_STB_INCLUDE_DIR} ${FOVEA_PROTOZERO_INCLUDE_DIR} ${FOVEA_EIGEN_INCLUDE_DIR})
target_link_libraries(fovea_dependencies INTERFACE
  DNNL::dnnl PkgConfig::HWY ${FOVEA_GOMP_LIBRARY} Threads::Threads
  JPEG::JPEG PkgConfig::SPNG PkgConfig::WEBP GIF::GIF
  PkgConfig::MINIZIP ${FOVEA_LBFGS_LIBRARY} CURL::libcurl OpenSSL::Crypto fmt::fmt nlohmann_json::nlohmann_json)
