#include "arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

#include "common/command_line.hpp"

namespace ggufkit::requant {

namespace {

tl::unexpected<Error> misuse(std::string detail) {
    return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
}

std::optional<std::uint32_t> whole_number(std::string_view text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

const FileType* read_type(std::string_view text) {
    const auto id = whole_number(text);
    return id ? find_file_type(*id) : find_file_type(text);
}

// "Q4_K_M:out.gguf".
std::optional<Request::Wanted> read_pair(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == text.npos || colon + 1 == text.size()) return std::nullopt;
    const FileType* type = read_type(text.substr(0, colon));
    return type == nullptr ? std::nullopt : std::optional(Request::Wanted{text.substr(colon + 1), type});
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

}  // namespace

Result<unsigned> read_threads(std::string_view text) {
    const auto number = whole_number(text);
    if (number && *number >= 1 && *number <= cli::most_threads) return *number;
    return misuse(fmt::format("'{}' is no number of threads from 1 to {}", text, cli::most_threads));
}

Result<Effort> read_effort(std::string_view text) {
    for (const Effort effort : {Effort::fast, Effort::normal, Effort::max}) {
        if (name(effort) == text) return effort;
    }
    return misuse(fmt::format("'{}' is no effort: there are fast, default and max", text));
}

std::filesystem::path derived_output(const std::filesystem::path& input, const FileType& type) {
    const std::string name = input.stem().string();
    const std::string_view stem = without_shard(name);
    // The separator before the longest end of the name that is a file type: "m" "-" "Q4_K_M", not "m-Q4_K" "_" "M".
    std::size_t at = stem.find_first_of("-._");
    while (at != stem.npos && find_file_type(stem.substr(at + 1)) == nullptr) {
        at = stem.find_first_of("-._", at + 1);
    }
    const std::string kept = at == stem.npos ? fmt::format("{}-", stem) : std::string(stem.substr(0, at + 1));
    return input.parent_path() / fmt::format("{}{}.gguf", kept, type.name);
}

Result<Request> read_positionals(const std::vector<std::string>& arguments) {
    Request request;
    request.input = arguments.front();
    std::size_t next = 1;
    const auto left = [&] { return arguments.size() - next; };

    if (left() > 0 && read_pair(arguments[1])) {
        while (left() > 0 && (left() > 1 || !whole_number(arguments[next]))) {
            const auto pair = read_pair(arguments[next]);
            if (!pair) return misuse(fmt::format("'{}' is not TYPE:OUTPUT", arguments[next]));
            request.outputs.push_back(*pair);
            ++next;
        }
    } else {
        // The second argument is TYPE where it names one, unless the third does too.
        const bool output_given = left() >= 2 && (read_type(arguments[1]) == nullptr ||
                                                  (read_type(arguments[2]) != nullptr && !whole_number(arguments[2])));
        Request::Wanted only{};
        if (output_given) only.path = arguments[next++];
        if (left() == 0) return misuse("TYPE is missing; --list-types shows what there is");
        const std::string& type = arguments[next++];
        only.file_type = read_type(type);
        if (only.file_type == nullptr) {
            return misuse(fmt::format("'{}' is no file type; --list-types shows what there is", type));
        }
        if (!output_given) only.path = derived_output(request.input, *only.file_type);
        request.outputs.push_back(only);
    }

    if (left() > 0) {
        const auto threads = read_threads(arguments[next++]);
        if (!threads) return fail(threads.error());
        request.threads = *threads;
    }
    if (left() > 0) return misuse(fmt::format("'{}' is one argument too many", arguments[next]));
    return request;
}

}  // namespace ggufkit::requant
