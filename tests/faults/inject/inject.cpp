// A library for LD_PRELOAD that lets one call of a program fail.
//
//   FOVEA_FAULT=KIND:N        the Nth call of the kind fails, from main() on; KIND:N+ and every later one
//   FOVEA_FAULT_COUNTS=FILE   how many calls of each kind there were, a line each, written when the program ends
//   FOVEA_CLOCK_JUMPS=S       the clock of the day jumps by S seconds forwards and back at every other look
//
// Kinds: malloc (all that allocates, operator new among it), open, write, sync, rename, mmap, thread. Where oneDNN or TBB allocate for
// themselves, a later call fails in place of that one: oneDNN does not look at what it gets, and the process ends inside it; of a task that
// TBB cannot make it waits for the end for ever.
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);
}

namespace {

enum Kind { kMalloc, kOpen, kWrite, kSync, kRename, kMmap, kThread, kKinds };
constexpr const char* kNames[] = {"malloc", "open", "write", "sync", "rename", "mmap", "thread"};

std::atomic<bool> armed{false};
std::atomic<int64_t> counts[kKinds];
int failing = -1;  // which kind
int64_t from = 0;
bool later_too = false;
const char* counts_file = nullptr;
int64_t clock_jump = 0;

// Whether one of these two is nearer than fovea among those who called.
bool called_by_others() {
  void* frames[48];
  const int count = backtrace(frames, 48);
  for (int i = 0; i < count; ++i) {
    Dl_info info;
    if (dladdr(frames[i], &info) == 0 || !info.dli_fname) continue;
    if (std::strstr(info.dli_fname, "libdnnl") || std::strstr(info.dli_fname, "libtbb")) return true;
    const char* name = std::strrchr(info.dli_fname, '/');
    name = name ? name + 1 : info.dli_fname;
    if (std::strncmp(name, "libfovea.", 9) == 0 || std::strcmp(name, "fovea") == 0) return false;
  }
  return false;
}

// Whether this call is to fail.
bool fails(Kind kind) {
  if (!armed.load(std::memory_order_relaxed)) return false;
  const int64_t number = ++counts[kind];
  if (kind != failing || number < from) return false;
  static std::atomic<bool> done{false};
  static thread_local bool looking = false;
  if (looking || (done && !later_too)) return false;
  looking = true;
  const bool here = kind != kMalloc || !called_by_others();
  looking = false;
  return here && (later_too || !done.exchange(true));
}

template <class Function>
Function next(Function& known, const char* name) {
  if (!known) known = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
  return known;
}
#define NEXT(name)                                 \
  static decltype(&::name) known_##name = nullptr; \
  const auto real = next(known_##name, #name)

void write_counts() {
  armed = false;
  if (!counts_file) return;
  const int file = static_cast<int>(::open(counts_file, O_WRONLY | O_CREAT | O_TRUNC, 0666));
  char line[64];
  for (int kind = 0; kind < kKinds; ++kind) {
    const int length = std::snprintf(line, sizeof line, "%s %lld\n", kNames[kind], static_cast<long long>(counts[kind].load()));
    (void)!::write(file, line, static_cast<size_t>(length));
  }
  ::close(file);
}

void read_orders() {
  counts_file = std::getenv("FOVEA_FAULT_COUNTS");
  if (const char* jump = std::getenv("FOVEA_CLOCK_JUMPS")) clock_jump = std::atoll(jump);
  if (const char* order = std::getenv("FOVEA_FAULT")) {
    const char* colon = std::strchr(order, ':');
    for (int kind = 0; colon && kind < kKinds; ++kind)
      if (std::strncmp(order, kNames[kind], std::strlen(kNames[kind])) == 0) failing = kind;
    if (failing >= 0) from = std::atoll(colon + 1);
    later_too = order[std::strlen(order) - 1] == '+';
  }
}

int (*real_main)(int, char**, char**);

int armed_main(int count, char** words, char** environment) {
  read_orders();
  std::atexit(write_counts);
  void* frame;
  (void)backtrace(&frame, 1);  // what it loads is loaded now
  armed = true;
  return real_main(count, words, environment);
}

bool reads_only(int flags) { return (flags & (O_WRONLY | O_RDWR | O_CREAT)) == 0; }

mode_t mode_in(int flags, va_list& rest) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? static_cast<mode_t>(va_arg(rest, int)) : 0;
}

int failed(int error) {
  errno = error;
  return -1;
}

}  // namespace

extern "C" {

int __libc_start_main(int (*main)(int, char**, char**), int argc, char** argv, void (*init)(), void (*fini)(), void (*rtld_fini)(),
                      void* stack_end) {
  using Start = int (*)(int (*)(int, char**, char**), int, char**, void (*)(), void (*)(), void (*)(), void*);
  real_main = main;
  return reinterpret_cast<Start>(dlsym(RTLD_NEXT, "__libc_start_main"))(armed_main, argc, argv, init, fini, rtld_fini, stack_end);
}

void* malloc(size_t bytes) {
  if (!fails(kMalloc)) return __libc_malloc(bytes);
  errno = ENOMEM;
  return nullptr;
}

void* calloc(size_t count, size_t bytes) {
  if (!fails(kMalloc)) return __libc_calloc(count, bytes);
  errno = ENOMEM;
  return nullptr;
}

void* realloc(void* memory, size_t bytes) {
  if (bytes == 0 || !fails(kMalloc)) return __libc_realloc(memory, bytes);
  errno = ENOMEM;
  return nullptr;
}

int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  *memory = fails(kMalloc) ? nullptr : __libc_memalign(alignment, bytes);
  return *memory ? 0 : ENOMEM;
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  if (!fails(kMalloc)) return __libc_memalign(alignment, bytes);
  errno = ENOMEM;
  return nullptr;
}

void* memalign(size_t alignment, size_t bytes) { return aligned_alloc(alignment, bytes); }

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  if (fails(kOpen)) return failed(reads_only(flags) ? EIO : EACCES);
  NEXT(open);
  return real(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return open(path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  if (fails(kOpen)) return failed(reads_only(flags) ? EIO : EACCES);
  NEXT(openat);
  return real(folder, path, flags, mode);
}

int openat64(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return openat(folder, path, flags, mode);
}

FILE* fopen(const char* path, const char* mode) {
  if (fails(kOpen)) return failed(EIO), nullptr;
  NEXT(fopen);
  return real(path, mode);
}

FILE* fopen64(const char* path, const char* mode) { return fopen(path, mode); }

ssize_t write(int file, const void* data, size_t bytes) {
  if (fails(kWrite)) return failed(ENOSPC);
  NEXT(write);
  return real(file, data, bytes);
}

ssize_t pwrite(int file, const void* data, size_t bytes, off_t at) {
  if (fails(kWrite)) return failed(ENOSPC);
  NEXT(pwrite);
  return real(file, data, bytes, at);
}

ssize_t pwrite64(int file, const void* data, size_t bytes, off64_t at) { return pwrite(file, data, bytes, at); }

ssize_t writev(int file, const iovec* parts, int count) {
  if (fails(kWrite)) return failed(ENOSPC);
  NEXT(writev);
  return real(file, parts, count);
}

int fsync(int file) {
  if (fails(kSync)) return failed(EIO);
  NEXT(fsync);
  return real(file);
}

int fdatasync(int file) {
  if (fails(kSync)) return failed(EIO);
  NEXT(fdatasync);
  return real(file);
}

int rename(const char* from_path, const char* to) {
  if (fails(kRename)) return failed(EIO);
  NEXT(rename);
  return real(from_path, to);
}

int renameat(int from_folder, const char* from_path, int to_folder, const char* to) {
  if (fails(kRename)) return failed(EIO);
  NEXT(renameat);
  return real(from_folder, from_path, to_folder, to);
}

int renameat2(int from_folder, const char* from_path, int to_folder, const char* to, unsigned int flags) {
  if (fails(kRename)) return failed(EIO);
  NEXT(renameat2);
  return real(from_folder, from_path, to_folder, to, flags);
}

int linkat(int from_folder, const char* from_path, int to_folder, const char* to, int flags) {
  if (fails(kRename)) return failed(EIO);
  NEXT(linkat);
  return real(from_folder, from_path, to_folder, to, flags);
}

void* mmap(void* where, size_t bytes, int protection, int flags, int file, off_t at) {
  if (fails(kMmap)) return failed(ENOMEM), MAP_FAILED;
  NEXT(mmap);
  return real(where, bytes, protection, flags, file, at);
}

void* mmap64(void* where, size_t bytes, int protection, int flags, int file, off64_t at) {
  return mmap(where, bytes, protection, flags, file, at);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
  if (fails(kThread)) return EAGAIN;
  NEXT(pthread_create);
  return real(thread, attributes, body, argument);
}

int clock_gettime(clockid_t clock, timespec* now) {
  NEXT(clock_gettime);
  const int result = real(clock, now);
  static std::atomic<unsigned> looks{0};
  if (clock == CLOCK_REALTIME && clock_jump != 0 && looks++ % 2 == 1) now->tv_sec += clock_jump;
  return result;
}

time_t time(time_t* out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
