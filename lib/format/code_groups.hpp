// How integer codes become numbers.
#pragma once

namespace ggufkit::format {

// The codes of a type are in groups, each with a scale and, in some types, a minimum. Every step is rounded to a float:
// x = scale * (code - zero), or, in types with minima, x = scale * code - min.
struct CodeGroups {
    int size;         // codes that share a scale: 16 or 32
    int least, most;  // codes
    int zero = 0;
    bool mins = false;
};

}  // namespace ggufkit::format
