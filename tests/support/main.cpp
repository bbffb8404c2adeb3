// Runs a program's tests. FOVEA_TEST_INSTRUCTIONS=avx2 or =baseline takes from fovea's kernels what a processor without AVX-512, or without AVX2, has not;
// oneDNN's are bounded by its own ONEDNN_MAX_CPU_ISA.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

// False for a name that is none.
bool bound_instructions(std::string_view most) {
  constexpr int64_t kAvx512 = HWY_AVX3 | HWY_AVX3_DL, kAvx2 = HWY_AVX2, kSse4 = HWY_SSE4 | HWY_SSSE3;
  if (most == "avx2")
    hwy::DisableTargets(kAvx512);
  else if (most == "baseline")
    hwy::DisableTargets(kAvx512 | kAvx2 | kSse4);
  else
    return false;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const char* const most = std::getenv("FOVEA_TEST_INSTRUCTIONS");
  if (most && !bound_instructions(most)) {
    std::fprintf(stderr, "FOVEA_TEST_INSTRUCTIONS is %s: avx2 or baseline expected\n", most);
    return 2;
  }
  return RUN_ALL_TESTS();
}
