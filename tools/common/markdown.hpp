// Text within GitHub's Markdown, where it shall mean nothing but itself.
#pragma once

#include <string>
#include <string_view>

namespace ggufkit::tool {

// One line of text for a heading, a paragraph or a cell: what Markdown or HTML would act on is escaped.
std::string markdown_text(std::string_view line);

// Lines as they are, in a fence that is longer than any within them. Control characters but line ends are made safe.
std::string markdown_block(std::string_view lines);

}  // namespace ggufkit::tool
