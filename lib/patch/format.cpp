#include "patch/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/bytes.hpp"
#include "core/cursor.hpp"
#include "core/hasher.hpp"
#include "core/try.hpp"
#include "io/zstd.hpp"

namespace ggufkit::patch {

namespace {

constexpr std::uint32_t version = 1;
constexpr Encoding little{.order = ByteOrder::little, .version = 3};

tl::unexpected<Error> damaged(std::uint64_t offset, std::string detail) {
    return fail({.code = Errc::bad_patch, .offset = offset, .detail = std::move(detail)});
}

class Writer {
  public:
    template <std::unsigned_integral T>
    Writer& add(T number) {
        append(bytes, number, ByteOrder::little);
        return *this;
    }
    Writer& add(const PatchedFile& file) { return add(file.bytes).add(file.digest); }
    Writer& add(const Digest& digest) { return add(digest.high).add(digest.low); }

    std::vector<std::byte> bytes;
};

// Of what is known to be there.
class Reader {
  public:
    Reader(std::span<const std::byte> bytes, std::size_t at) : cursor_(bytes, little, at) {}
    template <std::unsigned_integral T>
    T number() {
        T value{};
        cursor_.read(value);
        return value;
    }
    Digest digest() {
        const auto high = number<std::uint64_t>();
        return {.high = high, .low = number<std::uint64_t>()};
    }
    PatchedFile file() {
        const auto bytes = number<std::uint64_t>();
        return {.bytes = bytes, .digest = digest()};
    }

  private:
    Cursor cursor_;
};

Result<Head> read_head(std::span<const std::byte> bytes) {
    if (bytes.size() < patch_magic.size() || std::memcmp(bytes.data(), patch_magic.data(), patch_magic.size()) != 0) {
        return damaged(0, "is no ggufpatch");
    }
    if (bytes.size() < head_bytes) return damaged(bytes.size(), "ends within its head");
    Reader reader(bytes, patch_magic.size());
    if (const auto found = reader.number<std::uint32_t>(); found != version) {
        return damaged(patch_magic.size(),
                       fmt::format("is of version {}; this program knows version {}", found, version));
    }
    reader.number<std::uint32_t>();
    Head head;
    head.old_file = reader.file();
    head.new_file = reader.file();
    head.steps = reader.number<std::uint64_t>();
    head.steps_digest = reader.digest();
    constexpr std::size_t at = head_bytes - sizeof(std::uint64_t);
    if (reader.number<std::uint64_t>() != hash64(bytes.first(at))) return damaged(at, "has a damaged head");
    return head;
}

Step read_step(std::span<const std::byte> bytes, std::size_t at) {
    Reader reader(bytes, at);
    Step step{};
    step.kind = Step::Kind{reader.number<std::uint32_t>()};
    step.frame_bytes = reader.number<std::uint32_t>();
    step.length = reader.number<std::uint64_t>();
    step.old_offset = reader.number<std::uint64_t>();
    step.old_length = reader.number<std::uint64_t>();
    return step;
}

// What is wrong with a step by itself.
std::string_view fault_in(const Step& step, const Head& head) {
    using enum Step::Kind;
    if (step.kind > changes) return "is of an unknown kind";
    if (step.length == 0) return "adds nothing";
    if (step.old_offset > head.old_file.bytes || step.old_length > head.old_file.bytes - step.old_offset) {
        return "reads past the end of the old file";
    }
    if (step.kind != frame && step.old_length != step.length) return "takes more or fewer bytes than it adds";
    if (step.kind == copy) return step.frame_bytes == 0 ? "" : "is a copy with a frame";
    if (step.length > most_content) return "adds more than a frame holds";
    if (step.kind == frame && step.old_length > most_prefix) return "refers to more of the old file than it may";
    return "";
}

}  // namespace

std::vector<std::byte> encode(const Head& head) {
    Writer writer;
    for (const char c : patch_magic) writer.add(static_cast<std::uint8_t>(c));
    writer.add(version).add(std::uint32_t{0});
    writer.add(head.old_file).add(head.new_file).add(head.steps).add(head.steps_digest);
    writer.add(hash64(writer.bytes));
    return std::move(writer.bytes);
}

std::vector<std::byte> encode(std::span<const Step> steps) {
    Writer writer;
    for (const Step& step : steps) {
        writer.add(static_cast<std::uint32_t>(step.kind)).add(step.frame_bytes);
        writer.add(step.length).add(step.old_offset).add(step.old_length);
    }
    return std::move(writer.bytes);
}

Result<Patch> parse(std::span<const std::byte> bytes) {
    TRY_LET(const auto head, read_head(bytes));
    if (head.steps > (bytes.size() - head_bytes) / step_bytes) return damaged(bytes.size(), "is cut short");
    const std::size_t begin = bytes.size() - static_cast<std::size_t>(head.steps) * step_bytes;
    if (hash128(bytes.subspan(begin)) != head.steps_digest)
        return damaged(begin, "is cut short, or its steps are damaged");

    Patch patch{.head = head, .steps = {}, .frames = bytes.subspan(head_bytes, begin - head_bytes)};
    patch.steps.reserve(static_cast<std::size_t>(head.steps));
    std::uint64_t made = 0, framed = 0;
    for (std::size_t at = begin; at < bytes.size(); at += step_bytes) {
        const Step step = read_step(bytes, at);
        if (const auto fault = fault_in(step, head); !fault.empty())
            return damaged(at, fmt::format("has a step that {}", fault));
        if (step.length > head.new_file.bytes - made) return damaged(at, "makes more than the new file");
        if (step.frame_bytes > patch.frames.size() - framed) return damaged(at, "has a step without its frame");
        made += step.length;
        framed += step.frame_bytes;
        patch.steps.push_back(step);
    }
    if (made != head.new_file.bytes) return damaged(begin, "makes less than the new file");
    if (framed != patch.frames.size()) return damaged(head_bytes + framed, "has bytes that belong to no step");
    return patch;
}

std::uint64_t Patch::copied() const {
    std::uint64_t sum = 0;
    for (const Step& step : steps) sum += step.kind == Step::Kind::copy ? step.length : 0;
    return sum;
}

bool Patch::in_place() const {
    std::uint64_t at = 0;
    for (const Step& step : steps) {
        if (step.kind == Step::Kind::copy && step.old_offset != at) return false;
        at += step.length;
    }
    return head.old_file.bytes == head.new_file.bytes;
}

PatchSummary summary_of(const Patch& patch, std::uint64_t bytes) {
    return {.old_file = patch.head.old_file,
            .new_file = patch.head.new_file,
            .bytes = bytes,
            .copied = patch.copied(),
            .in_place = patch.in_place()};
}

Result<void> carry_out(const Step& step, std::span<const std::byte> frame, std::span<const std::byte> old_file,
                       std::vector<std::byte>& content) {
    const auto old_bytes =
        old_file.subspan(static_cast<std::size_t>(step.old_offset), static_cast<std::size_t>(step.old_length));
    content.resize(static_cast<std::size_t>(step.length));
    const auto prefix = step.kind == Step::Kind::frame ? old_bytes : std::span<const std::byte>{};
    if (auto done = io::decompress_frames(frame, content, prefix); !done) {
        if (done.error().code == Errc::unsupported || done.error().code == Errc::no_memory) return done;
        return fail({.code = Errc::bad_patch, .detail = "has a damaged frame"});
    }
    if (step.kind == Step::Kind::changes) {
        std::ranges::transform(content, old_bytes, content.begin(), [](std::byte a, std::byte b) { return a ^ b; });
    }
    return {};
}

}  // namespace ggufkit::patch
