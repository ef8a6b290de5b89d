#include "container/strings.hpp"

namespace ggufkit::container {

bool skip_strings(Cursor& in, std::uint64_t count) {
    for (; count != 0; --count) {
        Cursor next = in;
        std::uint64_t length = 0;
        if (!next.read_length(length) || !next.skip(length)) return false;
        in = next;
    }
    return true;
}

}  // namespace ggufkit::container
