#include "common/manual.hpp"

#include <algorithm>

namespace ggufkit::tool {

std::vector<std::string> split_words(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

std::vector<Chapter> chapters_of(const Manual& manual) {
    std::vector<Chapter> chapters(1);
    const std::vector<std::string> lines = split_words(manual.epilogue, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string& line = lines[i];
        const bool alone = (i == 0 || lines[i - 1].empty()) && i + 1 < lines.size() && lines[i + 1].starts_with("  ");
        if (alone && line.size() > 1 && line.front() != ' ' && line.back() == ':') {
            chapters.push_back({.title = line.substr(0, line.size() - 1), .lines = {}});
        } else {
            const bool indented = !chapters.back().title.empty() && line.starts_with("  ");
            chapters.back().lines.push_back(indented ? line.substr(2) : line);
        }
    }
    for (Chapter& chapter : chapters) {
        while (!chapter.lines.empty() && chapter.lines.back().empty()) chapter.lines.pop_back();
    }
    return chapters;
}

}  // namespace ggufkit::tool
