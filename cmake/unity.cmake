# Compiles the sources of a folder together, a few to a translation unit, so that what their headers cost is paid once. Names in unnamed namespaces are
# therefore unique within a folder. -DCMAKE_UNITY_BUILD=OFF compiles every file by itself.
include_guard(GLOBAL)

set(FOVEA_COMPILES_TOGETHER ON)
if(DEFINED CMAKE_UNITY_BUILD)
  set(FOVEA_COMPILES_TOGETHER ${CMAKE_UNITY_BUILD})
endif()

# fovea_compile_together(TARGET FILES_EACH SOURCE...): files named *_simd.cpp include themselves once for every instruction set, and so stay alone.
function(fovea_compile_together target files_each)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${FOVEA_COMPILES_TOGETHER} UNITY_BUILD_MODE GROUP)
  foreach(source IN LISTS ARGN)
    if(source MATCHES "_simd\\.cpp$")
      continue()
    endif()
    get_filename_component(folder ${source} DIRECTORY)
    file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${folder})
    string(MAKE_C_IDENTIFIER ${folder} folder)
    if(NOT DEFINED count_${folder})
      set(count_${folder} 0)
    endif()
    math(EXPR batch "${count_${folder}} / ${files_each}")
    math(EXPR count_${folder} "${count_${folder}} + 1")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder}_${batch})
  endforeach()
endfunction()
