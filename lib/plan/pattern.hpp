// A user's regular expression, searched in names within bounds.
#pragma once

#include <ggufkit/error.hpp>
#include <memory>
#include <string_view>

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;

namespace ggufkit::plan {

// Patterns mean what they mean in ECMAScript, look-ahead and back-references included. Whatever the pattern, a search uses
// a bounded number of steps and a bounded heap, and does not recurse. Not for several threads at once.
class Pattern {
  public:
    // BAD_ARGUMENT says in `detail` why the text is not a regular expression, and what to write instead of a glob.
    static Result<Pattern> compile(std::string_view text);

    // BAD_ARGUMENT says in `detail` that the search takes too many steps. Names longer than 1000 bytes match nothing.
    Result<bool> found_in(std::string_view name) const;

  private:
    struct Free {
        void operator()(pcre2_real_code_8* code) const noexcept;
        void operator()(pcre2_real_match_data_8* data) const noexcept;
        void operator()(pcre2_real_match_context_8* context) const noexcept;
    };
    std::unique_ptr<pcre2_real_code_8, Free> code_;
    std::unique_ptr<pcre2_real_match_data_8, Free> data_;
    std::unique_ptr<pcre2_real_match_context_8, Free> limits_;
};

}  // namespace ggufkit::plan
