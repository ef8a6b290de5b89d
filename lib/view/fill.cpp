#include "view/fill.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "core/parallel.hpp"
#include "io/free_memory.hpp"
#include "io/write_at.hpp"
#include "requant/meter.hpp"
#include "requant/workers.hpp"

namespace ggufkit::requant {

namespace {

Result<void> reserve(int fd, std::uint64_t bytes) {
    if (bytes == 0) return {};
    if (const auto free = io::free_memory(fd); free && bytes > *free) {
        return fail({.code = Errc::io_no_space,
                     .detail = fmt::format("needs {} bytes of memory, and {} are free", bytes, *free)});
    }
    int result = 0;
    do {
        result = ::fallocate(fd, 0, 0, static_cast<off_t>(bytes));
    } while (result != 0 && errno == EINTR);
    if (result == 0) return {};
    return fail({.code = errno == ENOSPC || errno == ENOMEM ? Errc::io_no_space : Errc::io_write,
                 .detail = fmt::format("cannot reserve {} bytes of memory: {}", bytes,
                                       std::generic_category().message(errno))});
}

}  // namespace

Result<void> prepare(const Pieces& pieces, int fd) {
    if (auto reserved = reserve(fd, pieces.file_bytes()); !reserved) return reserved;
    return io::write_at(fd, 0, pieces.header());
}

Result<void> fill(const Pieces& pieces, int fd, const FillOptions& options) {
    const auto workers = choose_workers(pieces.jobs(), pieces.count(), options.threads);
    if (!workers) return fail(workers.error());
    std::vector<Tile> tiles(*workers, Tile(pieces.jobs()));
    Meter meter(options.progress, pieces.plan().bytes_in(), Meter::Interval(0));
    meter.report();
    const auto make = [&](std::size_t number, unsigned worker) -> Result<void> {
        if (options.is_ready(number)) {
            meter.add(pieces.bytes_in(number));
            return {};
        }
        const auto piece = pieces.make_piece(number, tiles[worker]);
        if (!piece) return fail(piece.error());
        if (auto written = io::write_at(fd, piece->offset, piece->bytes); !written) return written;
        options.ready(number);
        meter.add(piece->bytes_in);
        return {};
    };
    if (auto made = parallel_for(pieces.count(), *workers, options.stop, make); !made) return made;
    meter.report();
    return {};
}

}  // namespace ggufkit::requant
