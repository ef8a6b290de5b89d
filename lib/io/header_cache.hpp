// Headers of remote files, kept from run to run in a folder.
//
// An entry is found by the URL and holds for one ETag: whoever uses it asks the server first whether the file still has
// that. Entries carry a checksum and appear under their names complete, so that any number of processes may write, and a
// damaged one is as good as none. Nothing here fails: without a cache all is fetched again.
//
// The folder must belong to the user and be closed to writes by others, or it is not used. An entry is called by 32
// hexadecimal digits and ".header"; one that another user owns, or that is a link, is not believed. No other file in the
// folder is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/mapped_file.hpp"
#include "io/remote_file.hpp"

namespace ggufkit::io {

class HeaderCache {
  public:
    struct Entry {
        RemoteIdentity identity;
        std::vector<std::byte> header;
    };

    // An empty folder: nothing is kept. More than `limit` bytes stay only until the next entry is written.
    explicit HeaderCache(std::filesystem::path folder, std::uint64_t limit);

    std::optional<Entry> find(std::string_view url) const;
    // The files that were used last stay. Headers that would take a large part of the cache are not kept, nor those of
    // files without an ETag that promises the same bytes.
    void keep(std::string_view url, const RemoteIdentity& identity, std::span<const std::byte> header) const;

  private:
    static std::string entry_of(std::string_view url);
    FileHandle open_folder() const;
    void make_room(int folder) const;

    std::filesystem::path folder_;
    std::uint64_t limit_;
};

}  // namespace ggufkit::io
