#include "base/denormals.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace fovea {

#if defined(__x86_64__)
namespace {
constexpr uint32_t kFlush = 0x8040;  // FTZ (bit 15) and DAZ (bit 6) of MXCSR
}

void flush_denormals() { _mm_setcsr(_mm_getcsr() | kFlush); }

FlushDenormals::FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | kFlush); }
FlushDenormals::~FlushDenormals() { _mm_setcsr((_mm_getcsr() & ~kFlush) | (saved_ & kFlush)); }
#else
void flush_denormals() {}
FlushDenormals::FlushDenormals() = default;
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace fovea
