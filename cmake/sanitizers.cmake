# What a build is instrumented with. FOVEA_SANITIZE is empty, "address" (the address and the undefined-behaviour sanitizer) or "thread" (ThreadSanitizer). Gives
# fovea_sanitizers, an INTERFACE target with the flags, and FOVEA_SANITIZER_OPTIONS, what the environment of a program that is run must hold.
include_guard(GLOBAL)

if(FOVEA_SANITIZE AND NOT FOVEA_SANITIZE MATCHES "^(address|thread)$")
  message(FATAL_ERROR "FOVEA_SANITIZE is \"${FOVEA_SANITIZE}\": \"address\", \"thread\" or nothing expected")
endif()

# fovea_not_watched(SOURCE...): sources whose code is not instrumented under ThreadSanitizer.
function(fovea_not_watched)
  if(FOVEA_SANITIZE STREQUAL "thread")
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -fno-sanitize=thread SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()

# fovea_checked_before(SOURCE...): sources with functions that base/checked_memory.h keeps the address sanitizer out of. g++ would let what is inlined into them
# mark the memory of variables whose scope has ended, and never take the marks off again.
function(fovea_checked_before)
  if(FOVEA_SANITIZE STREQUAL "address")
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -fno-sanitize-address-use-after-scope)
  endif()
endfunction()

add_library(fovea_sanitizers INTERFACE)
set(FOVEA_SANITIZER_OPTIONS)
if(NOT FOVEA_SANITIZE)
  return()
endif()

set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")
target_compile_definitions(fovea_sanitizers INTERFACE FOVEA_SANITIZED)
# g++ 12 takes parts of an instrumented std::regex for uninitialized.
target_compile_options(fovea_sanitizers INTERFACE -fno-omit-frame-pointer $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
# This build runs here alone: kernels that this processor cannot run are not compiled.
if(EXISTS /proc/cpuinfo)
  file(STRINGS /proc/cpuinfo avx512 REGEX " avx512f " LIMIT_COUNT 1)
endif()

if(FOVEA_SANITIZE STREQUAL "address")
  # A null pointer ends the program without its check too, and no class here is reached through a wrong type: without these two the build takes two thirds
  # of the time.
  target_compile_options(fovea_sanitizers INTERFACE -fsanitize=address,undefined -fno-sanitize=null,vptr -fno-sanitize-recover=undefined)
  target_link_options(fovea_sanitizers INTERFACE -fsanitize=address,undefined)
  if(EXISTS /proc/cpuinfo AND NOT avx512)
    target_compile_definitions(fovea_sanitizers INTERFACE FOVEA_WITHOUT_AVX512)
  endif()
else()
  # How kernels share their work out does not depend on the length of vectors: those of AVX-512 are left out, whatever this processor has.
  target_compile_options(fovea_sanitizers INTERFACE -fsanitize=thread)
  target_link_options(fovea_sanitizers INTERFACE -fsanitize=thread)
  target_compile_definitions(fovea_sanitizers INTERFACE FOVEA_THREAD_SANITIZED FOVEA_WITHOUT_AVX512)
  set(FOVEA_SANITIZER_OPTIONS "TSAN_OPTIONS=suppressions=${CMAKE_CURRENT_LIST_DIR}/thread_sanitizer.supp:halt_on_error=0:second_deadlock_stack=1")
endif()
