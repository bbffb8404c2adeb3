# Installs the command, the shared library and the static one, their headers, a CMake package, a pkg-config file, and oneDNN where it is not the system's. The
# folder may be moved afterwards: nothing in it knows where it is.
include(CMakePackageConfigHelpers)

set(FOVEA_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/fovea)
file(RELATIVE_PATH FOVEA_BIN_TO_LIB ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
set_target_properties(fovea PROPERTIES INSTALL_RPATH "$ORIGIN" EXPORT_NAME shared)
set_target_properties(fovea_static PROPERTIES EXPORT_NAME static)
set_target_properties(fovea_command PROPERTIES INSTALL_RPATH "$ORIGIN/${FOVEA_BIN_TO_LIB}")

# What is installed is stripped, but for debug builds.
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  install(CODE "set(CMAKE_INSTALL_DO_STRIP TRUE)")
endif()
install(TARGETS fovea_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS fovea EXPORT fovea-shared RUNTIME_DEPENDENCY_SET fovea_loaded LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT fovea-shared FILE fovea-shared.cmake NAMESPACE fovea:: DESTINATION ${FOVEA_CMAKE_DIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/fovea DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/fovea)

# A oneDNN outside the system's folders, and its runtime, would not be found by the loader, so they come along under the names that the loader asks for.
function(fovea_install_along library name file)
  set(${file} "" PARENT_SCOPE)
  if(NOT library MATCHES "^/(usr/)?lib")
    set(${file} ${name} PARENT_SCOPE)
    file(REAL_PATH ${library} real)
    install(PROGRAMS ${real} DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME ${name})
  endif()
endfunction()
fovea_install_along(${FOVEA_DNNL_LIBRARY} libdnnl.so.3 FOVEA_DNNL_FILE)
if(FOVEA_RUNTIME STREQUAL "TBB")
  get_target_property(tbb_library TBB::tbb IMPORTED_LOCATION_RELEASE)
  fovea_install_along(${tbb_library} libtbb.so.12 FOVEA_TBB_FILE)
endif()
if(FOVEA_DNNL_FILE)
  get_filename_component(dnnl_root ${FOVEA_DNNL_LIBRARY} DIRECTORY)
  get_filename_component(dnnl_root ${dnnl_root} DIRECTORY)
  install(DIRECTORY ${dnnl_root}/share/doc/ DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/fovea OPTIONAL)
endif()

# The static library is for those who build on this distribution; a portable build leaves it out, and takes what else is loaded along.
if(FOVEA_PORTABLE)
  install(RUNTIME_DEPENDENCY_SET fovea_loaded
    PRE_EXCLUDE_REGEXES "^lib(c|m|dl|rt|pthread|stdc\\+\\+|gcc_s|tbb|dnnl)\\.so" "^ld-linux"
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
else()
  install(TARGETS fovea_static EXPORT fovea-static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT fovea-static FILE fovea-static.cmake NAMESPACE fovea:: DESTINATION ${FOVEA_CMAKE_DIR})
  install(FILES cmake/libraries.cmake DESTINATION ${FOVEA_CMAKE_DIR} RENAME fovea-libraries.cmake)
endif()

configure_package_config_file(cmake/fovea-config.cmake.in ${PROJECT_BINARY_DIR}/fovea-config.cmake
  INSTALL_DESTINATION ${FOVEA_CMAKE_DIR} PATH_VARS CMAKE_INSTALL_LIBDIR)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fovea-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/fovea-config.cmake ${PROJECT_BINARY_DIR}/fovea-config-version.cmake DESTINATION ${FOVEA_CMAKE_DIR})

# pkg-config: the private line is for the static library. It names libraries, not packages, whose own private lines would demand more, and which pkg-config wants
# to see installed for the shared library too.
set(FOVEA_PC_LIBRARIES "-ldnnl")
if(FOVEA_DNNL_FILE)
  set(FOVEA_PC_LIBRARIES "-l:${FOVEA_DNNL_FILE}")
endif()
if(FOVEA_RUNTIME STREQUAL "OMP")
  string(APPEND FOVEA_PC_LIBRARIES " -lgomp")
elseif(FOVEA_TBB_FILE)
  string(APPEND FOVEA_PC_LIBRARIES " -l:${FOVEA_TBB_FILE}")
else()
  string(APPEND FOVEA_PC_LIBRARIES " -ltbb")
endif()
string(APPEND FOVEA_PC_LIBRARIES " -lhwy -ljpeg -lspng -lwebpdemux -lwebp -lgif -lminizip -lz -lnettle -llbfgs -lfmt")
if(FOVEA_FETCH)
  string(APPEND FOVEA_PC_LIBRARIES " -lcurl")
endif()
foreach(decoder IN ITEMS TIFF:tiff HEIF:heif JPEG2000:openjp2 JPEGXL:jxl)
  string(REPLACE ":" ";" decoder ${decoder})
  list(POP_FRONT decoder name library)
  if(FOVEA_HAS_${name})
    string(APPEND FOVEA_PC_LIBRARIES " -l${library}")
  endif()
endforeach()
file(RELATIVE_PATH FOVEA_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/fovea.pc.in ${PROJECT_BINARY_DIR}/fovea.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/fovea.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
