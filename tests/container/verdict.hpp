// What reading and validating a file reports, as text that a test can compare: it does not matter which function found
// a fault, only its severity, kind and place.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <ggufkit/model.hpp>
#include <ggufkit/validate.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "support/bytes.hpp"

namespace ggufkit::test {

inline std::string finding(Severity severity, Errc code, std::optional<std::uint64_t> at) {
    return fmt::format("{} {} @{}; ", name(severity), name(code), at ? std::to_string(*at) : "?");
}
inline std::string error(Errc code, std::uint64_t at) { return finding(Severity::error, code, at); }
inline std::string warning(Errc code, std::uint64_t at) { return finding(Severity::warning, code, at); }
inline std::string note(Errc code, std::uint64_t at) { return finding(Severity::note, code, at); }

// Every finding names the rule that is broken; one that does not, or that names a rule about something else, is marked,
// and so equals nothing that a test expects.
inline std::string described(Severity severity, const Error& error) {
    std::string text = finding(severity, error.code, error.offset);
    const auto rule = std::ranges::find(rules(), error.rule, &Rule::id);
    if (rule == rules().end()) {
        text += fmt::format("(unknown rule '{}') ", error.rule);
    } else if (rule->code != error.code) {
        text += fmt::format("(but {} is about {}) ", rule->id, name(rule->code));
    }
    return text;
}

// Parses and validates; "" where there is nothing to say about the file.
inline std::string findings(std::span<const std::byte> file, const ValidateOptions& options = {}, Limits limits = {}) {
    const auto view = parse(file, limits);
    if (!view) return described(Severity::error, view.error());
    std::string text;
    for (const Diagnostic& diagnostic : validate(*view, options).diagnostics) {
        text += described(diagnostic.severity, diagnostic.error);
    }
    return text;
}

inline constexpr ValidateOptions as_llama{.profile = Profile::llama};
inline constexpr ValidateOptions strictly{.strict = true};

// Runs `test(encoding)` for versions 1 to 3 in both byte orders.
template <class Test>
void in_every_encoding(Test test) {
    for (const Encoding encoding : all_encodings) {
        const std::string_view order = encoding.order == ByteOrder::big ? "big" : "little";
        INFO(fmt::format("version {}, {}-endian", encoding.version, order));
        test(encoding);
    }
}

}  // namespace ggufkit::test
