// Pulls a stream through a decompressing filter of Boost.Iostreams. Boost's exceptions end in the files that include
// this: zstd.cpp and filters.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <boost/iostreams/categories.hpp>
#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ios>
#include <limits>
#include <span>
#include <vector>

#include "core/try.hpp"
#include "io/byte_stream.hpp"

namespace ggufkit::io {

// An error on its way through Boost, which passes exceptions on and nothing else.
struct Thrown {
    Error error;
};

// A source as Boost wants it.
class FilterSource {
  public:
    using char_type = char;
    using category = boost::iostreams::source_tag;

    explicit FilterSource(const Source& source, std::uint64_t most_without_content = max)
        : source_(&source), most_without_content_(most_without_content) {}

    // Headers are asked for byte by byte, and come from a buffer.
    std::streamsize read(char* into, std::streamsize size) {
        const std::span<char> wanted(into, static_cast<std::size_t>(size));
        if (buffered_.empty() && wanted.size() >= buffer_.size()) {
            const std::size_t got = fill(wanted);
            return ended_ ? -1 : static_cast<std::streamsize>(got);
        }
        if (buffered_.empty()) buffered_ = {0, fill(buffer_)};
        if (ended_) return -1;
        const auto part = std::span(buffer_).subspan(buffered_.begin, std::min(wanted.size(), buffered_.size()));
        std::ranges::copy(part, wanted.begin());
        buffered_.begin += part.size();
        return static_cast<std::streamsize>(part.size());
    }

    // Called when content came out of all that was read.
    void has_content() { content_ = end_; }

    // Whether the filter asked for more than there is.
    bool ended() const { return ended_; }
    std::uint64_t end() const { return end_; }    // of what was read
    std::uint64_t last() const { return last_; }  // where the last read began

  private:
    static constexpr std::uint64_t max = std::numeric_limits<std::uint64_t>::max();

    struct Buffered {
        std::size_t begin = 0, end = 0;
        bool empty() const { return begin == end; }
        std::size_t size() const { return end - begin; }
    };

    std::size_t fill(std::span<char> into) {
        const auto got = (*source_)(std::as_writable_bytes(into));
        if (!got) throw Thrown{got.error()};
        last_ = end_;
        end_ += *got;
        ended_ = *got == 0;
        if (end_ - content_ > most_without_content_) {
            throw Thrown{
                {.code = Errc::unsupported, .offset = content_, .detail = "goes on for too long without content"}};
        }
        return *got;
    }

    const Source* source_;
    std::uint64_t most_without_content_;
    std::uint64_t last_ = 0, end_ = 0, content_ = 0;
    bool ended_ = false;
    std::array<char, 4096> buffer_{};
    Buffered buffered_{};  // in buffer_
};

// Passes the content on to the sink. Throws what the filter throws, and Thrown.
template <class Filter>
Result<void> pull(Filter filter, FilterSource& source, const Sink& sink) {
    std::vector<char> content(128 << 10);
    while (true) {
        const std::streamsize size = filter.read(source, content.data(), static_cast<std::streamsize>(content.size()));
        if (size < 0) return {};
        if (size > 0) source.has_content();
        const auto bytes = std::as_bytes(std::span(content).first(static_cast<std::size_t>(size)));
        TRY(sink(bytes));
    }
}

}  // namespace ggufkit::io
