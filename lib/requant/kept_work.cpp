#include "requant/kept_work.hpp"

#include <sys/file.h>

#include "io/output_file.hpp"
#include "io/side_file.hpp"
#include "requant/journal.hpp"

namespace ggufkit::requant {

Result<void> check_nothing_kept(const std::filesystem::path& output) {
    const auto path = io::OutputFile::partial_path_of(output);
    const auto partial = io::open_side_file(path, io::SideAccess::read);
    if (!partial || !Journal::has_marks(Journal::path_of(output))) return {};
    if (::flock(partial->get(), LOCK_SH | LOCK_NB) != 0) return {};  // another run is at work, which is another error
    return fail(
        {.code = Errc::io_unfinished, .subject = path.string(), .detail = "holds unfinished work of an earlier run"});
}

}  // namespace ggufkit::requant
