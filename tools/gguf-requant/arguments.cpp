#include "arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ggufkit/remote.hpp>
#include <iterator>
#include <optional>

#include "common/command_line.hpp"
#include "common/open.hpp"
#include "common/suggest.hpp"
#include "common/text.hpp"
#include "core/ascii.hpp"
#include "core/number.hpp"
#include "core/text.hpp"
#include "io/compression.hpp"
#include "place.hpp"

namespace ggufkit::tool::requant {

namespace {

tl::unexpected<Error> misuse(std::string detail) {
    return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
}

std::optional<std::uint32_t> whole_number(std::string_view text) { return read_number<std::uint32_t>(text); }

constexpr std::string_view copy_name = "COPY";

// Nothing where it names no file type; null for COPY.
std::optional<const FileType*> read_type(std::string_view text) {
    if (equal_in_any_case(text, copy_name)) return nullptr;
    const auto id = whole_number(text);
    const FileType* const type = id ? find_file_type(*id) : find_file_type(text);
    return type == nullptr ? std::nullopt : std::optional(type);
}

// Whoever names two file types wants two files, not one that is called like a type.
tl::unexpected<Error> type_as_output(std::string_view output, std::string_view type) {
    return misuse(
        fmt::format("'{0}' is a file type, not an OUTPUT: for both types write {0}:FILE {1}:FILE, for a file of this "
                    "name ./{0}",
                    output, type));
}

// `type` as read_type() gives it.
Request::Wanted wanted(std::filesystem::path path, const FileType* type) {
    return {.path = std::move(path), .file_type = type, .copy = type == nullptr};
}

// "Q4_K_M:out.gguf".
std::optional<Request::Wanted> read_pair(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == text.npos || colon + 1 == text.size()) return std::nullopt;
    const auto type = read_type(text.substr(0, colon));
    return type ? std::optional(wanted(text.substr(colon + 1), *type)) : std::nullopt;
}

// "m-00002-of-00005" without its number; other names as they are.
std::string_view without_shard(std::string_view stem) {
    std::string_view rest = stem;
    for (const std::string_view before : {"-of-", "-"}) {
        const std::size_t digits = rest.size() - (rest.find_last_not_of("0123456789") + 1);
        rest.remove_suffix(digits);
        if (digits < 5 || !rest.ends_with(before)) return stem;
        rest.remove_suffix(before.size());
    }
    return rest;
}

// Whether names of models end so: a file type, and what others call one: "fp16", "UD-Q4_K_XL", "Q5_K_L", "IQ4_XS_R4".
bool ends_names(std::string_view text) {
    if (find_file_type(text) != nullptr) return true;
    for (const std::string_view other : {"fp32", "fp16", "fp8", "float32", "float16", "bfloat16"}) {
        if (equal_in_any_case(text, other)) return true;
    }
    const auto take = [&](std::string_view prefix) {
        const bool there = equal_in_any_case(text.substr(0, prefix.size()), prefix);
        if (there) text.remove_prefix(prefix.size());
        return there;
    };
    if (take("UD-") && find_file_type(text) != nullptr) return true;
    take("I");
    if (!take("Q") || text.empty() || text.front() < '1' || text.front() > '8') return false;
    text.remove_prefix(1);
    bool more = false;
    for (;; more = true) {  // "_K", "_XL"
        if (text.empty()) return more;
        constexpr std::string_view parts[] = {"_XXS", "_XXL", "_XS", "_XL", "_NL", "_R4", "_R8",
                                              "_K",   "_S",   "_M",  "_L",  "_P",  "_0",  "_1"};
        if (std::ranges::none_of(parts, take)) return false;
    }
}

// "5" or "5-7".
Result<void> read_range(std::string_view text, std::vector<std::uint32_t>& layers) {
    constexpr std::uint32_t longest = 1 << 16;
    const std::size_t dash = std::min(text.find('-'), text.size());
    const auto first = whole_number(text.substr(0, dash));
    const auto last = dash == text.size() ? first : whole_number(text.substr(dash + 1));
    if (!first || !last || *last < *first || *last - *first >= longest) {
        return misuse(fmt::format("'{}' is no layer or range of layers such as 5-7", text));
    }
    for (std::uint32_t layer = *first; layer < *last; ++layer) layers.push_back(layer);
    layers.push_back(*last);
    return {};
}

}  // namespace

Result<unsigned> read_threads(std::string_view text) {
    const auto number = whole_number(text);
    if (number && *number >= 1 && *number <= most_threads) return *number;
    return misuse(fmt::format("'{}' is no number of threads from 1 to {}", text, most_threads));
}

Result<Effort> read_effort(std::string_view text) {
    for (const Effort effort : {Effort::fast, Effort::normal, Effort::max}) {
        if (name(effort) == text) return effort;
    }
    return misuse(fmt::format("'{}' is no effort{}: there are fast, default and max", text,
                              did_you_mean(text, {"fast", "default", "max"})));
}

std::string_view type_name(const FileType* type) { return type == nullptr ? copy_name : type->name; }

std::filesystem::path derived_output(const std::filesystem::path& input, std::string_view types) {
    const bool remote = is_remote(input.string());
    const std::filesystem::path file = remote ? std::filesystem::path(file_name(input.string())) : input;
    const std::string name = (io::compression_suffix(file.string()).empty() ? file : file.stem()).stem().string();
    const std::string_view stem = without_shard(name);
    // The separator before the longest end of the name that is a file type: "m" "-" "Q4_K_M", not "m-Q4_K" "_" "M".
    std::size_t at = stem.find_first_of("-._");
    while (at != stem.npos && !ends_names(stem.substr(at + 1))) {
        at = stem.find_first_of("-._", at + 1);
    }
    const std::string kept = at == stem.npos ? fmt::format("{}-", stem) : std::string(stem.substr(0, at + 1));
    return file.parent_path() / fmt::format("{}{}.gguf", kept, types);
}

Result<Request> read_positionals(const std::vector<std::string>& arguments, bool type_needed) {
    // What a script makes of a variable that is not set would else be understood in some other way.
    if (std::ranges::find(arguments, "") != arguments.end()) return misuse("an argument is empty");
    Request request;
    request.input = arguments.front();
    std::size_t next = 1;
    const auto left = [&] { return arguments.size() - next; };

    if (left() > 0 && read_pair(arguments[1])) {
        while (left() > 0 && (left() > 1 || !whole_number(arguments[next]))) {
            const auto pair = read_pair(arguments[next]);
            if (!pair) return misuse(fmt::format("'{}' is not TYPE:OUTPUT", arguments[next]));
            if (read_type(pair->path.string())) {
                return misuse(fmt::format("'{0}' is a file type, not an OUTPUT; for a file of this name write ./{0}",
                                          pair->path.string()));
            }
            request.outputs.push_back(*pair);
            ++next;
        }
    } else {
        // The second argument is TYPE where it names one, unless the third does too.
        const auto names_type = [&](std::size_t i) {
            return i < arguments.size() && read_type(arguments[i]) && (type_needed || !whole_number(arguments[i]));
        };
        const bool output_given =
            type_needed ? left() >= 2 && (!names_type(1) || (names_type(2) && !whole_number(arguments[2])))
                        : left() >= 1 && (names_type(1) ? names_type(2) : !whole_number(arguments[1]));
        if (output_given && names_type(1) && names_type(2)) return type_as_output(arguments[1], arguments[2]);
        std::filesystem::path path;
        if (output_given) path = arguments[next++];
        if (names_type(next)) {
            request.outputs.push_back(wanted(std::move(path), *read_type(arguments[next++])));
        } else if (!type_needed) {
            request.outputs.push_back({.path = std::move(path)});
        } else if (left() == 0) {
            return misuse("TYPE is missing; --list-types shows what there is");
        } else if (next > 1 && read_pair(arguments[next])) {
            return misuse(fmt::format("'{}' is not TYPE:OUTPUT", arguments[1]));
        } else {
            return misuse(fmt::format("'{}' is no file type{}; --list-types shows what there is", arguments[next],
                                      did_you_mean_file_type(arguments[next])));
        }
        if (!output_given && request.input == "-") return misuse("OUTPUT is missing, which INPUT - gives no name");
        if (!output_given && comes_once(request.input))
            return misuse(
                fmt::format("OUTPUT is missing, which INPUT {}, a pipe, gives no name", request.input.string()));
    }

    if (left() > 0) {
        const auto threads = read_threads(arguments[next++]);
        if (!threads) return fail(threads.error());
        request.threads = *threads;
    }
    if (left() > 0) return misuse(fmt::format("'{}' is one argument too many", arguments[next]));
    return request;
}

Result<std::vector<std::uint32_t>> read_layers(std::string_view text) {
    std::vector<std::uint32_t> layers;
    for (;;) {
        const std::size_t comma = std::min(text.find(','), text.size());
        if (auto read = read_range(text.substr(0, comma), layers); !read) return fail(std::move(read).error());
        if (comma == text.size()) return layers;
        text.remove_prefix(comma + 1);
    }
}

Result<KeyOverride> read_key_override(std::string_view text) {
    const std::size_t equals = text.find('='), colon = text.find(':', std::min(equals, text.size()));
    if (equals == 0 || equals == text.npos || colon == text.npos) {
        return misuse(fmt::format("'{}' is not KEY=TYPE:VALUE", text));
    }
    const std::string_view type = text.substr(equals + 1, colon - equals - 1), value = text.substr(colon + 1);
    KeyOverride override{std::string(text.substr(0, equals)), {}};
    const auto keep = [&](const auto& read) {
        if (read) override.value = *read;
        return read.has_value();
    };
    bool good = false;
    if (type == "int") {
        good = keep(read_number<std::int64_t>(value)) || keep(read_number<std::uint64_t>(value));
    } else if (type == "float") {
        good = keep(read_number<double>(value)) && std::isfinite(std::get<double>(override.value));
    } else if (type == "bool") {
        good = value == "true" || value == "false";
        override.value = value == "true";
    } else if (type == "str") {
        good = is_utf8(value);
        override.value = std::string(value);
    } else {
        return misuse(fmt::format("'{}' is no type of value: there are int, float, bool and str", type));
    }
    if (!good) return misuse(fmt::format("'{}' in '{}' is no {}", value, text, type));
    return override;
}

Result<double> read_bits(std::string_view text) {
    const auto bits = read_number<double>(text);
    if (bits && std::isfinite(*bits) && *bits > 0) return *bits;
    return misuse(fmt::format("'{}' is no number of bits such as 4.5", text));
}

}  // namespace ggufkit::tool::requant
