# Finds what fovea stands on and gathers it in one INTERFACE target, fovea_dependencies.
include_guard(GLOBAL)

include(${CMAKE_CURRENT_LIST_DIR}/libraries.cmake)
find_package(nlohmann_json QUIET CONFIG)
find_package(CLI11 QUIET CONFIG)
find_path(FOVEA_STB_INCLUDE_DIR stb/stb_image.h)
find_path(FOVEA_PROTOZERO_INCLUDE_DIR protozero/pbf_builder.hpp)
find_path(FOVEA_EIGEN_INCLUDE_DIR eigen3/Eigen/Dense)

# oneDNN 3: the system's where it is new enough, else the copy that scripts/get_onednn.sh puts below the build folder. -Ddnnl_DIR=... goes before both.
find_package(dnnl 3 QUIET CONFIG)
if(NOT dnnl_FOUND)
  find_package(dnnl 3 QUIET CONFIG NO_DEFAULT_PATH PATHS ${PROJECT_BINARY_DIR}/onednn ${PROJECT_SOURCE_DIR}/build/onednn)
endif()

fovea_need(FOVEA_STB_INCLUDE_DIR "stb" libstb-dev)
fovea_need(FOVEA_PROTOZERO_INCLUDE_DIR "protozero" libprotozero-dev)
fovea_need(FOVEA_EIGEN_INCLUDE_DIR "Eigen 3" libeigen3-dev)
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
if(FOVEA_PORTABLE)
  # What the library needs lies in the sysroot or, failing that, here.
  get_filename_component(dnnl_folder ${FOVEA_DNNL_LIBRARY} DIRECTORY)
  set(below ${CMAKE_LIBRARY_ARCHITECTURE})
  add_link_options(-Wl,-rpath-link,${FOVEA_SYSROOT}/usr/lib/${below}:${FOVEA_SYSROOT}/lib/${below}:${dnnl_folder}:/usr/lib/${below})
endif()

add_library(fovea_dependencies INTERFACE)
target_include_directories(fovea_dependencies SYSTEM INTERFACE ${FOVEA_STB_INCLUDE_DIR} ${FOVEA_PROTOZERO_INCLUDE_DIR} ${FOVEA_EIGEN_INCLUDE_DIR})
target_link_libraries(fovea_dependencies INTERFACE DNNL::dnnl ${fovea_libraries} nlohmann_json::nlohmann_json)
