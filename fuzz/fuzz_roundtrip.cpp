// A valid file that is read, written and read again is the same model; and written once more, the same bytes.
#include <algorithm>
#include <cstdint>
#include <ggufkit/model.hpp>
#include <ggufkit/validate.hpp>
#include <ggufkit/writer.hpp>
#include <span>
#include <string>
#include <vector>

#include "require.hpp"

using namespace ggufkit;
using fuzz::report, fuzz::require;

namespace {

std::vector<std::byte> rewritten(const ModelView& view) {
    const Header header = require(Header::from(view), "Header::from");
    const auto data = [&](std::size_t i) { return require(view.data(view.tensors()[i]), "data"); };
    return require(write_to_memory(header, data), "write_to_memory");
}

void compare(const ModelView& a, const ModelView& b) {
    if (a.byte_order() != b.byte_order() || a.alignment() != b.alignment()) report("another encoding");
    const auto same_entry = [](const KeyValue& x, const KeyValue& y) { return x.key == y.key && x.value == y.value; };
    if (!std::ranges::equal(a.metadata(), b.metadata(), same_entry)) report("other metadata");
    const auto same_tensor = [&](const TensorInfo& x, const TensorInfo& y) {
        return x.name == y.name && std::ranges::equal(x.shape(), y.shape()) && x.type_id == y.type_id &&
               std::ranges::equal(require(a.data(x), "data"), require(b.data(y), "data"));
    };
    if (!std::ranges::equal(a.tensors(), b.tensors(), same_tensor)) report("other tensors");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto original = parse(std::as_bytes(std::span(data, size)));
    if (!original || !validate(*original).valid()) return 0;

    const std::vector<std::byte> once = rewritten(*original);
    const ModelView written = require(parse(once), "parse what was written");
    const ValidateOptions strictest{.profile = Profile::spec, .strict = true};
    for (const Diagnostic& diagnostic : check_structure(written, strictest).diagnostics) {
        if (diagnostic.severity == Severity::error) report("written: " + diagnostic.error.message());
    }
    compare(*original, written);
    if (rewritten(written) != once) report("other bytes the second time");
    return 0;
}
