// XXH3 in vectors of 32 bytes.
//
// xxHash's header works with the vectors of the unit that it is compiled in, 16 bytes where any x86-64 will do. One unit
// is compiled for AVX2; its states, and so its hashes, are those of any other.
#pragma once

#include <hwy/base.h>

#include <cstddef>

namespace ggufkit::inspect {

#if HWY_ARCH_X86
// XXH3_128bits_update(); only where the processor has AVX2. The state is an XXH3_state_t.
void xxh3_add_avx2(void* state, const std::byte* bytes, std::size_t size);
#endif

}  // namespace ggufkit::inspect
