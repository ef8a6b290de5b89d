// A file on a server as a model's input.
#pragma once

#include <ggufkit/error.hpp>
#include <memory>

#include "io/header_cache.hpp"
#include "io/remote_file.hpp"
#include "io/spool.hpp"

namespace ggufkit::io {

// Fetches the file into a spool; its content if it is compressed. Where there is something that is enough, no
// more is fetched: in growing parts from the first bytes on, or what the cache has of them; Input::fill fetches more.
// Content that does not begin as GGUF does ends early. Errors: those of RemoteFile, Spool and compression.hpp; UNSUPPORTED where the
// header of a compressed file is wanted that has no seek table.
Result<Input> fetch_input(std::shared_ptr<RemoteFile> file, const HeaderCache& cache, const SpoolOptions& options);

}  // namespace ggufkit::io
