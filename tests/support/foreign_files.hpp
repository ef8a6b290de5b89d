// Files that people take for a model, by content, and what must be said of each.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ggufkit::test {

struct ForeignFile {
    std::string_view name;
    std::string bytes;
    std::string_view what;    // "a ZIP archive"
    std::string_view advice;  // part of it
    bool old_imatrix = false;
    bool compressed = false;  // a model may be in it, so that the programs look at the content
};

std::vector<ForeignFile> foreign_files();

}  // namespace ggufkit::test
