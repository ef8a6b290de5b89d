// What a GGUF file is for: most are models, some go with one.
#pragma once

#include <cstdint>
#include <string_view>

#include <ggufkit/model.hpp>

namespace ggufkit::container {

enum class Role : std::uint8_t { model, adapter, projector, imatrix, control_vector, vocabulary };

// By general.type and general.architecture; files that have neither by the names of their tensors.
Role role_of(const ModelView& view);

// "a model", "a LoRA adapter", "a multimodal projector (mmproj)", …
std::string_view describe(Role role);
// "--lora", "--mmproj", …: the option of llama.cpp's programs that takes such a file.
std::string_view option(Role role);

}  // namespace ggufkit::container
