// What a tool says about itself: the one source of --help, of the manual page, of completions, and of what stands there
// when it is called without arguments.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ggufkit::tool {

// The story of --help; options come between usage and epilogue.
struct Manual {
    std::string name;
    std::string purpose;                            // one line
    std::string usage;                              // indented lines: a command, and apart from it what it does
    std::string epilogue;                           // notes; then indented lines under titles such as "Examples:"
    std::map<std::string, std::string> examples{};  // a command for a group of options
    // Words for values that options do not check against a list, by the option ("--effort") or by what its value is
    // called ("TYPE"); positional arguments by their name.
    std::map<std::string, std::vector<std::string>> choices{};
};

// A part of the epilogue: the notes that it begins with have no title. A title follows an empty line, ends in a colon, and
// indented lines come after it; another line that ends in a colon is text.
struct Chapter {
    std::string title;               // "Examples"
    std::vector<std::string> lines;  // without the indent that they have in common
};
std::vector<Chapter> chapters_of(const Manual& manual);

// An option, or a positional argument, as the parser knows it.
struct Flag {
    std::vector<std::string> names;    // "-h", "--help"; of a positional argument its one name
    std::string value;                 // "ORDER"; empty where it takes none
    std::string description;           // on one line
    std::string group;                 // of --help
    std::vector<std::string> choices;  // words for the value; empty: any
    bool takes_file = false;
    bool optional_value = false;
    bool repeats = false;
};

// The parts of `text` between separators; none after the last one.
std::vector<std::string> split_words(std::string_view text, char separator);

}  // namespace ggufkit::tool
