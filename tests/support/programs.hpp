// Programs that a test can do nothing without, and that a machine may lack.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/oracle.hpp"

namespace ggufkit::test {

inline bool have_program(const std::string& name) {
    return run_command({"/bin/sh", "-c", "command -v " + name}).exit_code == 0;
}

// Ends the process with 77, which ctest reports as skipped.
inline void require_program(const std::string& name) {
    if (have_program(name)) return;
    std::fprintf(stderr, "SKIPPED: needs %s, which is not here\n", name.c_str());
    std::_Exit(77);
}

}  // namespace ggufkit::test
