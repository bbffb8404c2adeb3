// What this machine's headers expect of a newer glibc than the sysroot's.

// glibc 2.32: whether the process has a single thread. It never says so here, which costs an atomic instruction where it would have saved one.
extern "C" {
char __libc_single_threaded = 0;
}
