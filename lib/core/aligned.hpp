// Memory that begins where a cache line does.
//
// Kernels store vectors of as much as a line: one that lies in two lines costs as much as two, and where the first one does
// so do all that follow. Decoders are three times as fast into such memory.
#pragma once

#include <boost/align/aligned_allocator.hpp>
#include <cstddef>
#include <vector>

namespace ggufkit {

inline constexpr std::size_t cache_line = 64;

template <class T>
using AlignedVector = std::vector<T, boost::alignment::aligned_allocator<T, cache_line>>;

}  // namespace ggufkit
