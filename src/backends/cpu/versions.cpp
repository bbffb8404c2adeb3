#include <oneapi/dnnl/dnnl.hpp>

#include <fmt/format.h>
#include <fstream>

#include "backends/cpu/cpu.h"

namespace fovea::cpu {
namespace {

const char* to_string(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41:
      return "SSE4.1";
    case dnnl::cpu_isa::avx:
      return "AVX";
    case dnnl::cpu_isa::avx2:
      return "AVX2";
    case dnnl::cpu_isa::avx2_vnni:
    case dnnl::cpu_isa::avx2_vnni_2:
      return "AVX2 with VNNI";
    case dnnl::cpu_isa::avx512_core:
      return "AVX-512";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "AVX-512 with VNNI";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "AVX-512 with BF16";
    case dnnl::cpu_isa::avx512_core_fp16:
      return "AVX-512 with FP16";
    case dnnl::cpu_isa::avx512_core_amx:
    case dnnl::cpu_isa::avx512_core_amx_fp16:
      return "AVX-512 with AMX";
    default:
      return "other instructions";
  }
}

// What Linux calls it.
std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

Versions versions() {
  const dnnl_version_t& version = *dnnl_version();
  return {{"oneDNN", fmt::format("{}.{}.{}", version.major, version.minor, version.patch)},
          {"processor", processor()},
          {"instructions", to_string(dnnl::get_effective_cpu_isa())}};
}

}  // namespace fovea::cpu
