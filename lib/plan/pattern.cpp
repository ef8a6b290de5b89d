#include "plan/pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <new>
#include <string>

#include "core/text.hpp"

namespace ggufkit::plan {

namespace {

constexpr std::size_t longest_pattern = 64 << 10;
constexpr std::size_t longest_name = 1000;
constexpr std::uint32_t most_steps = 50'000;  // from each character of a name: a millisecond
constexpr std::uint32_t most_heap_kib = 16 << 10;

tl::unexpected<Error> refuse(std::string detail) {
    return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
}

// In ECMAScript a backslash before any other letter means the letter; in PCRE2 such pairs have meanings of their own.
std::string as_ecmascript(std::string_view text) {
    constexpr std::string_view letters_with_meaning = "bBcdDfnrsStuvwWx";
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const bool names_groups = text.find("(?<") != text.npos;  // \k refers to one, or is a letter
    std::string made;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            const char next = text[++i];
            const bool means =
                letters_with_meaning.find(next) != letters_with_meaning.npos || (next == 'k' && names_groups);
            if (!is_letter(next) || means) made += '\\';
            made += next;
        } else {
            made += text[i];
        }
    }
    return made;
}

// The regular expression that finds what a glob of '*' and '?' fits; empty where the text has other signs of an expression.
std::string from_glob(std::string_view text) {
    if (text.find_first_of("\\^$+|()[]{}") != text.npos) return {};
    const std::size_t begin = text.find_first_not_of('*');
    if (begin == text.npos) return ".*";
    text = text.substr(begin, text.find_last_not_of('*') + 1 - begin);
    std::string made;
    for (const char c : text) made += c == '*' ? ".*" : c == '?' ? "." : c == '.' ? "\\." : std::string(1, c);
    return made;
}

std::string what_is_wrong(std::string_view text, int error, std::size_t at) {
    std::array<PCRE2_UCHAR, 256> message{};
    ::pcre2_get_error_message(error, message.data(), message.size());
    std::string detail = fmt::format("not a regular expression: {} at character {}",
                                     reinterpret_cast<const char*>(message.data()), at + 1);
    if (error != PCRE2_ERROR_QUANTIFIER_INVALID) return detail;
    const std::string other = from_glob(text);
    return fmt::format("{}; a pattern is a regular expression, not a glob: {}", detail,
                       other.empty() ? "'.*' stands for any text" : fmt::format("try '{}'", printable(other)));
}

}  // namespace

void Pattern::Free::operator()(pcre2_code* code) const noexcept { ::pcre2_code_free(code); }
void Pattern::Free::operator()(pcre2_match_data* data) const noexcept { ::pcre2_match_data_free(data); }
void Pattern::Free::operator()(pcre2_match_context* context) const noexcept { ::pcre2_match_context_free(context); }

Result<Pattern> Pattern::compile(std::string_view text) {
    if (text.size() > longest_pattern) {
        return refuse(fmt::format("the pattern has {} bytes; {} are allowed", text.size(), longest_pattern));
    }
    constexpr std::uint32_t ecmascript =
        PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF;
    const std::unique_ptr<pcre2_compile_context, decltype(&::pcre2_compile_context_free)> context(
        ::pcre2_compile_context_create(nullptr), &::pcre2_compile_context_free);
    if (context == nullptr) throw std::bad_alloc();
    ::pcre2_set_newline(context.get(), PCRE2_NEWLINE_ANYCRLF);
    const std::string pattern = as_ecmascript(text);
    int error = 0;
    PCRE2_SIZE at = 0;
    Pattern made;
    made.code_.reset(::pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), ecmascript, &error,
                                     &at, context.get()));
    if (made.code_ == nullptr) return refuse(what_is_wrong(text, error, at));
    made.data_.reset(::pcre2_match_data_create(1, nullptr));
    made.limits_.reset(::pcre2_match_context_create(nullptr));
    if (made.data_ == nullptr || made.limits_ == nullptr) throw std::bad_alloc();
    ::pcre2_set_match_limit(made.limits_.get(), most_steps);
    ::pcre2_set_heap_limit(made.limits_.get(), most_heap_kib);
    return made;
}

Result<bool> Pattern::found_in(std::string_view name) const {
    if (name.size() > longest_name) return false;
    const int found = ::pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(name.data()), name.size(), 0, 0,
                                    data_.get(), limits_.get());
    if (found >= 0) return true;
    if (found == PCRE2_ERROR_NOMATCH) return false;
    return refuse(
        fmt::format("takes more than {} steps in the name '{}': write it with fewer repetitions of repetitions",
                    most_steps, printable(name)));
}

}  // namespace ggufkit::plan
