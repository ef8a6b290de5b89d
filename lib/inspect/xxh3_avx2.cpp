// The only unit whose xxHash is compiled for AVX2: see xxh3_avx2.hpp.
#include <hwy/base.h>

#include "inspect/xxh3_avx2.hpp"

#if HWY_ARCH_X86
// Whatever xxhash.h includes, before the attributes that are for it alone.
#include <immintrin.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#define XXH_VECTOR 2  // XXH_AVX2
#define XXH_INLINE_ALL
HWY_PUSH_ATTRIBUTES("avx2")
#include <xxhash.h>

namespace ggufkit::inspect {

void xxh3_add_avx2(void* state, const std::byte* bytes, std::size_t size) {
    XXH3_128bits_update(static_cast<XXH3_state_t*>(state), bytes, size);
}

}  // namespace ggufkit::inspect
HWY_POP_ATTRIBUTES
#endif
