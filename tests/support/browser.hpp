// Pages as a real browser has them.
#pragma once

#include <filesystem>
#include <string>

namespace ggufkit::test {

struct LoadedPage {
    std::string dom;      // after its scripts ran
    std::string console;  // what it printed there, errors above all; empty where all is well
};

// Chromium without a window.
LoadedPage load_page(const std::filesystem::path& page);

bool have_browser();

// Ends the process with 77, which ctest reports as skipped; fails instead where CI is set, since CI always has one.
[[noreturn]] void skip_without_browser();

}  // namespace ggufkit::test

#define REQUIRE_BROWSER() \
    if (!ggufkit::test::have_browser()) ggufkit::test::skip_without_browser()
