#include "support/browser.hpp"

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "support/files.hpp"
#include "support/programs.hpp"

namespace ggufkit::test {

bool have_browser() { return have_program("chromium"); }

void skip_without_browser() {
    const bool required = std::getenv("CI") != nullptr;
    std::fputs(required ? "FAILED: there is no chromium\n" : "SKIPPED: needs chromium, which is not here\n", stderr);
    std::_Exit(required ? 1 : 77);
}

LoadedPage load_page(const std::filesystem::path& page) {
    const TemporaryFolder profile;
    const CommandResult result =
        run_command({"/usr/bin/env", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                     "--no-first-run", "--disable-background-networking", "--disable-component-update",
                     "--disable-sync", "--user-data-dir=" + profile.path().string(), "--enable-logging=stderr",
                     "--dump-dom", "file://" + page.string()});
    LoadedPage loaded{.dom = result.text(), .console = {}};
    std::istringstream lines(result.err);
    for (std::string line; std::getline(lines, line);) {
        if (line.find("CONSOLE") != line.npos) loaded.console += line + "\n";
    }
    return loaded;
}

}  // namespace ggufkit::test
