// Recognizes files that are not GGUF but are mistaken for it: pointers, error pages, checkpoints, archives, old formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ggufkit::container {

// What a file is, and what to do about it: "a ZIP archive", "unpack the GGUF file in it".
struct Foreign {
    std::string what;
    std::string_view advice;
    bool old_imatrix = false;  // an importance matrix in the older form, which --imatrix takes
};

// Expects the beginning of a file, or all of it. Nothing if the bytes are GGUF, or look like nothing known.
std::optional<Foreign> recognize(std::span<const std::byte> bytes);

// "this is a ZIP archive, not a GGUF file; unpack the GGUF file in it". `wanted` is "a GGUF file" or the like.
std::string not_wanted(const Foreign& found, std::string_view wanted);
// The same for anything: "this is not a GGUF file" if it is not recognized.
std::string not_wanted(std::span<const std::byte> bytes, std::string_view wanted);

// Says what to give in place of a folder: "is a folder; name a file in it, as model.gguf". Empty if it is not a folder.
std::string about_folder(const std::filesystem::path& path);

}  // namespace ggufkit::container
