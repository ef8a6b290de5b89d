#include "patch/opened.hpp"

#include "core/try.hpp"

namespace ggufkit::patch {

Result<Opened> Opened::open(const std::filesystem::path& path) {
    TRY_LET(auto file, io::MappedFile::open(path));
    auto patch = parse(file.bytes());
    if (!patch) {
        patch.error().subject = path.string();
        return fail(std::move(patch).error());
    }
    return Opened(std::move(file), *std::move(patch));
}

Result<void> Opened::carry_out(std::span<const std::byte> old_file, const Take& take) const {
    std::vector<std::byte> memory;
    std::uint64_t at = 0;
    std::size_t framed = 0;
    for (const Step& step : patch_.steps) {
        std::span<const std::byte> content;
        if (step.kind == Step::Kind::copy) {
            content =
                old_file.subspan(static_cast<std::size_t>(step.old_offset), static_cast<std::size_t>(step.length));
        } else {
            auto made = patch::carry_out(step, patch_.frames.subspan(framed, step.frame_bytes), old_file, memory);
            if (!made) {
                made.error().subject = file_.path().string();
                made.error().offset = head_bytes + framed;
                return made;
            }
            content = memory;
        }
        TRY(take(at, step, content));
        framed += step.frame_bytes;
        at += step.length;
    }
    return {};
}

Error Opened::error(std::string detail) const {
    return {.code = Errc::bad_patch, .subject = file_.path().string(), .detail = std::move(detail)};
}

}  // namespace ggufkit::patch
