#include "common/suggest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/format.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/requant/plan.hpp>
#include <numeric>
#include <system_error>

#include "common/text.hpp"
#include "core/text.hpp"

namespace ggufkit::tool {

namespace {

constexpr std::size_t longest_word = 128;  // of longer ones nobody mistypes a letter
constexpr std::size_t most_files = 10'000;

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return result;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t most) {
    const std::size_t difference = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
    if (difference > most) return most + 1;
    const std::string from = lower(a), to = lower(b);
    std::vector<std::size_t> before(to.size() + 1), last(to.size() + 1), row(to.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= from.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= to.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1)});
            const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
        }
        if (*std::ranges::min_element(row) > most) return most + 1;
        before.swap(last);
        last.swap(row);
    }
    return std::min(last.back(), most + 1);
}

Nearest::Nearest(std::string_view misspelt, std::size_t letters)
    : misspelt_(misspelt), most_(std::clamp<std::size_t>(letters / 3, 1, 3)) {
    if (letters < 2 || misspelt.size() > longest_word) most_ = 0;  // one letter is near to every other
}

void Nearest::consider(std::string_view word) {
    if (misspelt_.size() > longest_word || word.size() > longest_word + 3 || word.empty()) return;
    if (found_ && most_ == 0) return;
    const std::size_t limit = found_ ? most_ - 1 : most_;
    const std::size_t distance = edit_distance(misspelt_, word, limit);
    if (distance > limit) return;
    most_ = distance;
    found_ = word;
}

std::string did_you_mean(const std::optional<std::string>& word) {
    return word ? fmt::format(" (did you mean {}?)", printable(*word)) : "";
}

std::string did_you_mean(std::string_view misspelt, const std::vector<std::string>& words) {
    Nearest nearest(misspelt);
    for (const std::string& word : words) nearest.consider(word);
    return did_you_mean(nearest.found());
}

std::string did_you_mean_key(std::string_view misspelt, const Model& model) {
    Nearest nearest(misspelt);
    std::optional<std::string> longer;
    for (const KeyValue& entry : model.header().metadata()) {
        nearest.consider(entry.key);
        const std::size_t before = entry.key.size() - std::min(entry.key.size(), misspelt.size());
        const bool ends = !misspelt.empty() && before > 0 && entry.key.substr(before) == misspelt;
        if (!longer && ends && entry.key[before - 1] == '.') longer = std::string(entry.key);
    }
    return did_you_mean(nearest.found() ? nearest.found() : longer);
}

std::string did_you_mean_tensor(std::string_view misspelt, const Model& model) {
    Nearest nearest(misspelt);
    for (const ModelTensor& tensor : model.tensors()) nearest.consider(tensor.info->name);
    if (nearest.found()) return did_you_mean(nearest.found());
    const std::string whole = std::string(misspelt) + ".weight";
    return model.find_tensor(whole) != nullptr ? did_you_mean(std::optional(whole)) : "";
}

std::string did_you_mean_type(std::string_view misspelt) {
    Nearest nearest(misspelt);
    for (const FormatInfo& format : formats()) {
        if (format.usable() && can_quantize(format.type())) nearest.consider(format.name);
    }
    return did_you_mean(nearest.found());
}

std::string did_you_mean_file_type(std::string_view misspelt) {
    Nearest nearest(misspelt);
    for (const FileType& type : file_types()) nearest.consider(type.name);
    nearest.consider("COPY");
    return did_you_mean(nearest.found());
}

Error with_near_file(const std::filesystem::path& path, Error error) {
    std::error_code failed;
    if (error.code != Errc::io_open || std::filesystem::exists(path, failed) || failed) return error;
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator file(folder, failed), end; !failed && file != end;
         file.increment(failed)) {
        names.push_back(file->path().filename().string());
        if (names.size() == most_files) break;
    }
    std::ranges::sort(names);  // the same suggestion each time
    Nearest nearest(path.filename().string(), path.stem().string().size());
    for (const std::string& name : names) nearest.consider(name);
    if (!nearest.found()) return error;
    error.detail += did_you_mean(std::optional((path.parent_path() / *nearest.found()).string()));
    return error;
}

}  // namespace ggufkit::tool
