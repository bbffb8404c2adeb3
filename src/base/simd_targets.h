// The instruction sets that kernels are compiled for, beside the plainest that every processor has: AVX2 and AVX-512, NEON on Arm. A file
// that is compiled for each of them includes this before Highway.
#pragma once

// Every processor with SSE4 and without AVX2 is older than 2013 or the smallest of its time. Vectors whose length is not known at compile
// time cannot be members of arrays, as kernels' sums are.
#ifdef FOVEA_WITHOUT_AVX512
#define FOVEA_DISABLED_AVX512 (HWY_AVX3 | HWY_AVX3_DL)
#else
#define FOVEA_DISABLED_AVX512 0
#endif
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | FOVEA_DISABLED_AVX512)
