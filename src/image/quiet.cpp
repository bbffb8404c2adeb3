// libjxl is built by Debian without NDEBUG, so that each step of a failure is printed by fprintf(stderr, ...), and dav1d prints what it
// skips unless its caller, here libheif, takes its messages; no function turns that off. Closing or exchanging the process's stderr would
// take it from every other thread. A shared library finds stderr, which is a variable of libc, through a slot in its own table of
// addresses, which the loader fills; here that one slot gets the address of another variable.
#include "image/quiet.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace fovea::image {
namespace {

#if defined(__x86_64__)
constexpr unsigned address_of_variable = R_X86_64_GLOB_DAT;
#elif defined(__aarch64__)
constexpr unsigned address_of_variable = R_AARCH64_GLOB_DAT;
#else
constexpr unsigned address_of_variable = ~0u;
#endif

ssize_t swallow(void*, const char*, size_t size) { return static_cast<ssize_t>(size); }

std::FILE* nowhere = nullptr;

void turn(void** slot) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  void* const begin = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(slot) / page * page);
  // The loader made the table read-only once it was filled.
  if (mprotect(begin, page, PROT_READ | PROT_WRITE) != 0) return;
  std::atomic_ref(*slot).store(&nowhere);
  mprotect(begin, page, PROT_READ);
}

int look(dl_phdr_info* info, size_t, void* wanted) {
  const std::string_view path = info->dlpi_name, name = path.substr(path.find_last_of('/') + 1);
  const auto& libraries = *static_cast<const std::initializer_list<const char*>*>(wanted);
  if (std::ranges::none_of(libraries, [&](const char* beginning) { return name.starts_with(beginning); })) return 0;
  const ElfW(Dyn)* dynamic = nullptr;
  for (int i = 0; i < info->dlpi_phnum; ++i)
    if (info->dlpi_phdr[i].p_type == PT_DYNAMIC) dynamic = reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
  const ElfW(Rela)* relocations = nullptr;
  size_t bytes = 0;
  const ElfW(Sym)* symbols = nullptr;
  const char* names = nullptr;
  for (; dynamic && dynamic->d_tag != DT_NULL; ++dynamic) {
    if (dynamic->d_tag == DT_RELA) relocations = reinterpret_cast<const ElfW(Rela)*>(dynamic->d_un.d_ptr);
    if (dynamic->d_tag == DT_RELASZ) bytes = dynamic->d_un.d_val;
    if (dynamic->d_tag == DT_SYMTAB) symbols = reinterpret_cast<const ElfW(Sym)*>(dynamic->d_un.d_ptr);
    if (dynamic->d_tag == DT_STRTAB) names = reinterpret_cast<const char*>(dynamic->d_un.d_ptr);
  }
  for (size_t i = 0; relocations && symbols && names && i < bytes / sizeof(ElfW(Rela)); ++i) {
    const ElfW(Rela)& one = relocations[i];
    if (ELF64_R_TYPE(one.r_info) != address_of_variable) continue;
    if (std::strcmp(names + symbols[ELF64_R_SYM(one.r_info)].st_name, "stderr") == 0)
      turn(reinterpret_cast<void**>(info->dlpi_addr + one.r_offset));
  }
  return 0;
}

}  // namespace

bool keep_quiet(std::initializer_list<const char*> libraries) {
  static const bool opened = [] {
    const cookie_io_functions_t functions{nullptr, swallow, nullptr, nullptr};
    nowhere = fopencookie(nullptr, "w", functions);
    return nowhere != nullptr;
  }();
  if (opened) dl_iterate_phdr(look, &libraries);
  return opened;
}

}  // namespace fovea::image
