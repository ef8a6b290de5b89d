#include "patch/rebuild.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/hasher.hpp"
#include "core/try.hpp"

namespace ggufkit::patch {

namespace {

// What is read or written between two looks at whether to stop.
constexpr std::uint64_t stretch = 16 << 20;

}  // namespace

Result<Rebuild::Found> Rebuild::identify() {
    const auto other_file = [&](std::string detail) {
        return fail({.code = Errc::bad_patch,
                     .subject = old_.path().string(),
                     .detail = "is not the file that the patch was made for: " + std::move(detail)});
    };
    const auto bytes = old_.bytes();
    const bool as_old = bytes.size() == head_.old_file.bytes, as_new = bytes.size() == head_.new_file.bytes;
    if (!as_old && !as_new) {
        return other_file(fmt::format("it has {} bytes, not {}", bytes.size(), head_.old_file.bytes));
    }
    Hasher hasher;
    for (std::uint64_t at = 0; at < bytes.size(); at += stretch) {
        const auto part = bytes.subspan(at, std::min<std::uint64_t>(stretch, bytes.size() - at));
        hasher.add(part);
        old_.advise(at, part.size(), Access::dont_need);  // models are larger than memory
        TRY(advance(part.size()));
    }
    if (as_old && hasher.digest() == head_.old_file.digest) return Found::old_one;
    if (as_new && hasher.digest() == head_.new_file.digest) return Found::new_one;
    return other_file("its bytes differ");
}

Result<void> Rebuild::run(const std::function<Result<void>(const Part&)>& take) {
    Hasher hasher;
    auto done = opened_.carry_out(
        old_.bytes(), [&](std::uint64_t at, const Step& step, std::span<const std::byte> content) -> Result<void> {
            for (std::uint64_t from = 0; from < content.size(); from += stretch) {
                Part part{.offset = at + from,
                          .bytes = content.subspan(from, std::min<std::uint64_t>(stretch, content.size() - from)),
                          .source = {}};
                if (step.kind == Step::Kind::copy) part.source = step.old_offset + from;
                hasher.add(part.bytes);
                auto taken = take(part);
                if (part.source) old_.advise(*part.source, part.bytes.size(), Access::dont_need);
                if (taken) taken = advance(part.bytes.size());
                if (!taken) return taken;
            }
            return {};
        });
    if (done) done = old_.check_unchanged();
    if (done && hasher.digest() != head_.new_file.digest) {
        return fail(opened_.error("does not make the file that it says it makes"));
    }
    return done;
}

Result<void> Rebuild::advance(std::uint64_t bytes) {
    done_ += bytes;
    if (options_.work.progress) options_.work.progress({done_, head_.old_file.bytes + head_.new_file.bytes});
    if (!options_.work.stop.stop_requested()) return {};
    return fail({.code = Errc::cancelled, .detail = "stopped on request"});
}

}  // namespace ggufkit::patch
