// "did you mean …?" for misspelt options, types, keys and files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ggufkit::tool {

// How many insertions, deletions, replacements and swaps of neighbours make `b` of `a`, ASCII letters being the same in
// both cases. Stops counting past `most`: the result is then `most` + 1.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t most);

// Finds the word that is nearest to a misspelt one, the first of several. Time is linear in the words.
class Nearest {
  public:
    explicit Nearest(std::string_view misspelt) : Nearest(misspelt, misspelt.size()) {}
    // `letters`: how many count, without an ending that all words have.
    Nearest(std::string_view misspelt, std::size_t letters);

    void consider(std::string_view word);
    // Nothing where no word is near: a third of the letters may be wrong, and three at most.
    const std::optional<std::string>& found() const { return found_; }

  private:
    std::string misspelt_;
    std::size_t most_;  // edits that the next word may need
    std::optional<std::string> found_;
};

// " (did you mean Q4_K_M?)", or nothing.
std::string did_you_mean(const std::optional<std::string>& word);
std::string did_you_mean(std::string_view misspelt, const std::vector<std::string>& words);

// For a key of `model`, also one that ends with the word: `name` means `general.name`.
std::string did_you_mean_key(std::string_view misspelt, const Model& model);
std::string did_you_mean_tensor(std::string_view misspelt, const Model& model);

// For types that can be given to a tensor, and for file types and COPY.
std::string did_you_mean_type(std::string_view misspelt);
std::string did_you_mean_file_type(std::string_view misspelt);

// Adds to an error of opening `path` the name of a file in its folder that may be meant.
Error with_near_file(const std::filesystem::path& path, Error error);

}  // namespace ggufkit::tool
