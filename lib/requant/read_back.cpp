#include "requant/read_back.hpp"

#include <algorithm>
#include <string>

#include "core/try.hpp"

namespace ggufkit::requant {

namespace {

Result<void> read_back(const WrittenFile& file) {
    const auto wrong = [&](const std::string& detail) {
        return fail({.code = Errc::io_write, .subject = file.path.string(), .detail = "does not read back: " + detail});
    };
    const auto written = Model::open(file.path, {.follow_shards = false, .header_only = true});
    if (!written) return wrong(written.error().message());
    const auto bytes = written->header().file();
    const auto& planned = file.planned->header;
    if (bytes.size() != file.planned->file_bytes || !std::ranges::equal(bytes.first(planned.size()), planned)) {
        return wrong("another header or size than planned");
    }
    return {};
}

}  // namespace

Result<void> check_written(const Model& source, std::span<const WrittenFile> files, const std::stop_token& stop) {
    TRY(source.check_unchanged());
    for (const WrittenFile& file : files) {
        TRY(read_back(file));
    }
    if (stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
    return {};
}

}  // namespace ggufkit::requant
