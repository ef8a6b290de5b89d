// As lib/precompiled.hpp, with the header that every test includes.
#pragma once

#include <doctest/doctest.h>
#include <fmt/ranges.h>

#include "../lib/precompiled.hpp"  // not this file again
