// What the command line of gguf-requant asks for.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/requant/plan.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ggufkit::tool::requant {

struct Request {
    struct Wanted {
        std::filesystem::path path{};         // empty: not said
        const FileType* file_type = nullptr;  // null: COPY, or not said
        bool copy = false;
    };
    // How a device's memory is divided.
    struct DeviceRoom {
        std::uint64_t bytes;    // all of it
        std::uint64_t context;  // tokens
        std::uint64_t cache, compute;
    };
    // What a target came to.
    struct Reached {
        std::uint64_t budget;  // bytes that the output could have
        double loss, bound;    // see Solution
        std::optional<DeviceRoom> device{};
    };
    std::filesystem::path input;
    std::vector<Wanted> outputs;
    unsigned threads = 0;              // 0: not said
    std::optional<int> zstd_level{};   // none: not said
    std::optional<Reached> reached{};  // none: there was no target
};

// INPUT [OUTPUT] TYPE [THREADS], as llama-quantize reads them, or INPUT TYPE:OUTPUT... [THREADS]. TYPE is a name in any
// case, COPY, or the number of a llama_ftype. Where something else may say what types there will be (`type_needed` is
// false), TYPE may be missing, and is no number. BAD_ARGUMENT says what is wrong in `detail`.
Result<Request> read_positionals(const std::vector<std::string>& arguments, bool type_needed);

// "dir/m-Q8_0.gguf" to "dir/m-Q4_K_M.gguf", `types` being "Q4_K_M": the file type that the name ends with is replaced;
// also one as others name it, as "UD-Q4_K_XL" or "fp16"; where it ends with none, one is added. A shard gives the name of the whole, a compressed file that of one which is not.
std::filesystem::path derived_output(const std::filesystem::path& input, std::string_view types);

// "Q4_K_M"; "COPY" for null.
std::string_view type_name(const FileType* type);

// A whole number from 1 to most_threads.
Result<unsigned> read_threads(std::string_view text);

// "3,5-7" as the four numbers.
Result<std::vector<std::uint32_t>> read_layers(std::string_view text);

// "general.name=str:My model": KEY=TYPE:VALUE, where TYPE is int, float, bool or str.
Result<KeyOverride> read_key_override(std::string_view text);

// "4.5": a positive number of bits a weight.
Result<double> read_bits(std::string_view text);

// "fast", "default", "max".
Result<Effort> read_effort(std::string_view text);

}  // namespace ggufkit::tool::requant
