#include <ggufkit/version.hpp>

#define GGUFKIT_TEXT_OF(number) #number
#define GGUFKIT_DOTTED(major, minor, patch) GGUFKIT_TEXT_OF(major) "." GGUFKIT_TEXT_OF(minor) "." GGUFKIT_TEXT_OF(patch)

namespace ggufkit {

std::string_view version() noexcept {
    return GGUFKIT_DOTTED(GGUFKIT_VERSION_MAJOR, GGUFKIT_VERSION_MINOR, GGUFKIT_VERSION_PATCH);
}

}  // namespace ggufkit
