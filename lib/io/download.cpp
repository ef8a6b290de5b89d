#include "io/download.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/try.hpp"
#include "io/compression.hpp"
#include "io/frames.hpp"
#include "io/spool_file.hpp"

namespace ggufkit::io {

namespace {

constexpr std::uint64_t first_part = 64 << 10;

class Download {
  public:
    Download(std::shared_ptr<RemoteFile> file, Spool spool) : file_(std::move(file)), spool_(std::move(spool)) {}

    // What is enough, or all. Whatever fills the rest needs this one to stay.
    static Result<Input> run(const std::shared_ptr<Download>& download, const HeaderCache& cache,
                             const SpoolOptions& options) {
        auto fetched = options.enough ? download->fetch_header(cache, options) : download->fetch_all(options);
        if (!fetched) return fail(download->about(std::move(fetched).error()));
        if (const auto digest = download->file_->identity()->digest()) download->spool_.stamp(*digest);
        TRY_LET(auto mapped, download->spool_.map(download->file_->name()));
        if (compression_of(mapped.bytes()) != Compression::none) {
            return options.enough ? download->unpack_parts(options) : unpack_input(std::move(mapped), options);
        }
        Input input{.file = std::move(mapped)};
        if (!download->complete_) {
            input.fill = [download](std::uint64_t begin, std::uint64_t end) {
                return download->fetch(begin, end).map_error([&](Error error) {
                    return download->about(std::move(error));
                });
            };
        }
        return input;
    }

  private:
    Error about(Error error) const {
        error.subject = file_->name();
        return error;
    }

    RemoteFile::Take to_spool() const {
        return [this](std::uint64_t offset, std::span<const std::byte> bytes) { return spool_.write(offset, bytes); };
    }
    Result<void> fetch(std::uint64_t begin, std::uint64_t end) const { return file_->read(begin, end, to_spool()); }

    Result<void> fetch_header(const HeaderCache& cache, const SpoolOptions& options) {
        const auto known = cache.find(file_->url());
        const auto same = known ? file_->read_unless(known->identity, first_part, to_spool())
                                : fetch(0, first_part).map([] { return false; });
        if (!same) return fail(same.error());
        const std::uint64_t size = file_->size();
        TRY(spool_.resize(size));
        if (*same) {
            TRY(spool_.write(0, known->header));
        }
        std::uint64_t there = *same ? known->header.size() : std::min(first_part, size);
        while (true) {
            TRY_LET(const auto so_far, spool_.map(file_->name()));
            const auto bytes = so_far.bytes().first(there);
            complete_ = there == size;
            if (complete_ || !may_be_gguf(bytes)) return {};
            if (options.enough(bytes)) {
                const bool kept_already = *same && there == known->header.size();
                if (there > first_part && !kept_already) cache.keep(file_->url(), *file_->identity(), bytes);
                return {};
            }
            if (there >= options.most) return fail(options.too_much());
            const std::uint64_t end = std::min({2 * there, options.most, size});
            TRY(fetch(there, end));
            there = end;
        }
    }

    // From front to back, as long as it may be a model.
    Result<void> fetch_all(const SpoolOptions& options) {
        std::array<std::byte, longest_magic> beginning{};
        bool no_model = false;
        const auto take = [&](std::uint64_t offset, std::span<const std::byte> bytes) -> Result<void> {
            if (offset == 0) {
                TRY(spool_.expect(file_->size()));
            }
            for (std::size_t i = 0; i < bytes.size() && offset + i < beginning.size(); ++i) {
                beginning[offset + i] = bytes[i];
            }
            TRY(spool_.write(offset, bytes));
            const std::uint64_t there = offset + bytes.size();
            if (options.work.progress) options.work.progress({there, file_->size()});
            no_model = there >= std::min<std::uint64_t>(recognized_bytes, file_->size()) && !may_be_gguf(beginning) &&
                       compression_of(beginning) == Compression::none;
            return no_model ? fail({.code = Errc::bad_magic}) : Result<void>{};
        };
        auto read = file_->read(0, HttpRequest{}.end, take);
        complete_ = true;  // what is no model is all that will be looked at
        return no_model ? Result<void>{} : read;
    }

    // The header of a compressed file, by its seek table.
    Result<Input> unpack_parts(const SpoolOptions& options) const {
        const auto read = [file = file_](std::uint64_t offset, std::span<std::byte> into) {
            return file->read(offset, offset + into.size(), [&](std::uint64_t at, std::span<const std::byte> bytes) {
                std::ranges::copy(bytes, into.begin() + static_cast<std::ptrdiff_t>(at - offset));
                return Result<void>{};
            });
        };
        auto frames = Frames::open(read, file_->size());
        if (!frames) return fail(about(std::move(frames).error()));
        if (*frames) return unpack_frames(*std::move(frames), file_->name(), options);
        return fail(about(
            {.code = Errc::unsupported,
             .detail = "is compressed without a seek table, so that its header cannot be had alone: download it"}));
    }

    std::shared_ptr<RemoteFile> file_;
    Spool spool_;
    bool complete_ = false;
};

}  // namespace

Result<Input> fetch_input(std::shared_ptr<RemoteFile> file, const HeaderCache& cache, const SpoolOptions& options) {
    const std::string name = file->name();
    auto spool = Spool::create();
    if (!spool) {
        spool.error().subject = name;
        return fail(std::move(spool).error());
    }
    return Download::run(std::make_shared<Download>(std::move(file), *std::move(spool)), cache, options);
}

}  // namespace ggufkit::io
