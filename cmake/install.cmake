# Installs the command, the library, its headers, a CMake package, and oneDNN where it is not the system's.
include(CMakePackageConfigHelpers)

set(FOVEA_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/fovea)
file(RELATIVE_PATH FOVEA_BIN_TO_LIB ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
set_target_properties(fovea PROPERTIES INSTALL_RPATH "$ORIGIN")
set_target_properties(fovea_command PROPERTIES INSTALL_RPATH "$ORIGIN/${FOVEA_BIN_TO_LIB}")

# What is installed is stripped, but for debug builds.
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  install(CODE "set(CMAKE_INSTALL_DO_STRIP TRUE)")
endif()
install(TARGETS fovea EXPORT fovea-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS fovea_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/fovea DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/fovea)

# A oneDNN outside the system's folders would not be found by the loader, so it comes along under the name that the loader asks for.
if(NOT FOVEA_DNNL_LIBRARY MATCHES "^/(usr/)?lib")
  get_filename_component(dnnl_real ${FOVEA_DNNL_LIBRARY} REALPATH)
  get_filename_component(dnnl_root ${FOVEA_DNNL_LIBRARY} DIRECTORY)
  get_filename_component(dnnl_root ${dnnl_root} DIRECTORY)
  install(PROGRAMS ${dnnl_real} DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME libdnnl.so.3)
  install(DIRECTORY ${dnnl_root}/share/doc/onednn DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/fovea OPTIONAL)
endif()

install(EXPORT fovea-targets NAMESPACE fovea:: DESTINATION ${FOVEA_CMAKE_DIR})
configure_package_config_file(cmake/fovea-config.cmake.in ${PROJECT_BINARY_DIR}/fovea-config.cmake INSTALL_DESTINATION ${FOVEA_CMAKE_DIR})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fovea-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/fovea-config.cmake ${PROJECT_BINARY_DIR}/fovea-config-version.cmake DESTINATION ${FOVEA_CMAKE_DIR})
