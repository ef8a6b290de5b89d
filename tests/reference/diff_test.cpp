// compare_values() of files that the reference wrote, against plain sums.
#include <doctest/doctest.h>

#include "reference/oracle.hpp"
#include "support/files.hpp"
#include "support/plain_values.hpp"

using namespace ggufkit::test;

TEST_CASE("values: the reference's Q4_K_M against ours, and against F16") {
    REQUIRE_REFERENCE();
    const std::string f16 = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
    const TemporaryFolder folder;
    requantize(f16, "Q4_K_M", folder / "ours.gguf");
    const CommandResult made = oracle({"quantize", f16, folder / "theirs.gguf", "15", "2"});
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    check_files(folder / "ours.gguf", folder / "theirs.gguf");
    check_files(f16, folder / "theirs.gguf");
}
