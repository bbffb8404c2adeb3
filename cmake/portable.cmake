# With FOVEA_PORTABLE what is installed runs on other distributions than this one, with nothing of theirs but glibc and libstdc++, both as of the folder
# FOVEA_SYSROOT (scripts/get_sysroot.sh) or later. Libraries with an archive are linked in, the others are installed beside fovea's (cmake/install.cmake).
set(FOVEA_SYSROOT "" CACHE PATH "Root folder with the oldest glibc and libstdc++ that a portable build shall run with")
if(NOT FOVEA_PORTABLE)
  return()
endif()
if(NOT EXISTS ${FOVEA_SYSROOT}/link/libstdc++.so)
  message(FATAL_ERROR "FOVEA_PORTABLE needs -DFOVEA_SYSROOT=DIRECTORY as scripts/get_sysroot.sh makes it; '${FOVEA_SYSROOT}' is none")
endif()
# Compiled with this machine's headers, linked with the older libraries: their symbols have the older versions.
# DT_RPATH rather than DT_RUNPATH, so that the libraries installed beside find one another too.
add_link_options(-Wl,--disable-new-dtags --sysroot=${FOVEA_SYSROOT} -L${FOVEA_SYSROOT}/link -B${FOVEA_SYSROOT}/usr/lib/x86_64-linux-gnu)
