// Text within charts can be read: its contrast with each colour it may stand on, in the light and in the dark.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <string>

#include "info/screens.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

// WCAG 2: relative luminance.
double luminance(const std::string& color) {
    double sum = 0;
    constexpr double shares[] = {0.2126, 0.7152, 0.0722};
    for (std::size_t i = 0; i < 3; ++i) {
        const double value = std::stoi(color.substr(1 + 2 * i, 2), nullptr, 16) / 255.0;
        sum += shares[i] * (value <= 0.03928 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4));
    }
    return sum;
}

double contrast(const std::string& a, const std::string& b) {
    const double x = luminance(a), y = luminance(b);
    return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

// The custom properties of `css` that are colours.
void read_colors(const std::string& css, std::map<std::string, std::string>& colors) {
    for (std::size_t at = css.find("--"); at != css.npos; at = css.find("--", at + 2)) {
        const std::size_t colon = css.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-", at);
        if (colon == css.npos || css.compare(colon, 3, ": #") != 0) continue;
        colors[css.substr(at, colon - at)] = css.substr(colon + 2, 7);
    }
}

}  // namespace

TEST_CASE("labels in charts, and words beside them, have a contrast of 4.5:1 or more") {
    const TemporaryFolder folder;
    const std::string model = small_mixture().save(folder / "m.gguf").string(), page = folder / "m.html";
    REQUIRE(run_tool("gguf-info", {model, "--html", page}).exit_code == 0);
    const std::string text = read_text(page);
    const std::size_t dark = text.find("@media (prefers-color-scheme: dark)"), end = text.find("\n}", dark);
    REQUIRE(dark != text.npos);
    CHECK(text.find(".map .blocks button {") != text.npos);
    CHECK(text.find("color: var(--on-hue)") != text.npos);

    std::map<std::string, std::string> colors;
    read_colors(text.substr(0, dark), colors);
    for (const bool in_the_dark : {false, true}) {
        CAPTURE(in_the_dark);
        if (in_the_dark) read_colors(text.substr(dark, end - dark), colors);
        for (int hue = 0; hue <= 6; ++hue) {
            CAPTURE(hue);
            CHECK(contrast(colors.at("--on-hue"), colors.at("--hue-" + std::to_string(hue))) >= 4.5);
        }
        for (const char* ground : {"--ground", "--panel"}) {
            for (const char* ink : {"--ink", "--soft", "--accent"}) {
                CAPTURE(ink);
                CHECK(contrast(colors.at(ink), colors.at(ground)) >= 4.5);
            }
        }
    }
}
