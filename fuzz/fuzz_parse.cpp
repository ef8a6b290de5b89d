// Any bytes: reading and validating them returns; whatever was read can be walked; and what was accepted keeps its
// promise.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ggufkit/model.hpp>
#include <ggufkit/validate.hpp>
#include <span>
#include <string>

#include "support/walk.hpp"

using namespace ggufkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto view = parse(std::as_bytes(std::span(data, size)));
    if (const auto prefix = parse_prefix(std::as_bytes(std::span(data, size)))) {
        test::walk(*prefix);
        check_semantics(*prefix);
        const bool refused = !check_structure(*prefix).valid() && !validate(*prefix).valid();
        if (prefix->faults().empty() != view.has_value() || (!view && !refused)) {
            std::fprintf(stderr, "parse() and parse_prefix() disagree\n");
            std::abort();
        }
    }
    if (!view) return 0;
    test::walk(*view);
    check_semantics(*view);
    for (const Profile profile : {Profile::spec, Profile::llama}) {
        const ValidateOptions options{.profile = profile, .strict = profile == Profile::llama};
        const bool structure = check_structure(*view, options).valid();
        const bool all = validate(*view, options).valid();
        const std::string broken = structure ? test::broken_invariant(*view) : "";
        if (!broken.empty() || (all && !structure)) {
            std::fprintf(stderr, "accepted, but %s\n", all && !structure ? "not by check_structure()" : broken.c_str());
            std::abort();
        }
    }
    return 0;
}
