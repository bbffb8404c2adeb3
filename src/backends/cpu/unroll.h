// Loops over arrays of vectors that have to stay in registers.
#pragma once

// Of a few turns each, nested; and of as many as a tile has.
#ifdef __clang__
#define FOVEA_UNROLL _Pragma("unroll")
#define FOVEA_UNROLL_WHOLLY _Pragma("unroll")
#else
#define FOVEA_UNROLL _Pragma("GCC unroll 8")
#define FOVEA_UNROLL_WHOLLY _Pragma("GCC unroll 32")
#endif
