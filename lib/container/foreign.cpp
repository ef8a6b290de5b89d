#include "container/foreign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "core/ascii.hpp"
#include "core/bytes.hpp"
#include "core/cursor.hpp"
#include "core/text.hpp"
#include "io/spool.hpp"

namespace ggufkit::container {

namespace {

using namespace std::string_view_literals;

// A longer run of zeros is not looked at: it may take up a whole disk.
constexpr std::size_t most_zeros = io::recognized_bytes - 1;

// ---------------------------------------------------------------- formats that begin with a magic number

struct Magic {
    std::string_view bytes;
    std::size_t offset;
    std::string_view what;
    std::string_view advice;
};

constexpr auto unpack = "unpack the GGUF file in it"sv;
constexpr auto convert = "convert the model with llama.cpp's convert_hf_to_gguf.py"sv;
constexpr auto convert_old =
    "download the model as GGUF, or convert it with llama.cpp's convert_llama_ggml_to_gguf.py"sv;
constexpr auto another_file = "give the model's .gguf file"sv;
constexpr auto no_llama = "llama.cpp has no converter for it; look for the model as GGUF or safetensors"sv;
constexpr auto as_imatrix = "give it as --imatrix"sv;
constexpr auto if_sent = "if a server sent it, check the address, your access to it and your token"sv;
constexpr auto download_again = "check the address, your access to it and your token, and download the file again"sv;

// The older ggml formats have their names backwards: little-endian numbers.
constexpr Magic magics[] = {
    {"GGUFPTCH", 0, "a patch", "apply it with 'gguf-diff --apply'"},
    {"lmgg", 0, "a ggml file from before GGUF, or a whisper.cpp model", convert_old},
    {"fmgg", 0, "a ggml file (ggmf) from before GGUF", convert_old},
    {"tjgg", 0, "a ggml file (ggjt) from before GGUF", convert_old},
    {"algg", 0, "a LoRA adapter (ggla) from before GGUF",
     "convert the adapter with llama.cpp's convert_lora_to_gguf.py"},
    {"nsgg", 0, "a saved session of llama.cpp", another_file},
    {"qsgg", 0, "a saved sequence of llama.cpp", another_file},
    {"\x1f\x8b", 0, "gzip-compressed", "decompress it with 'gunzip'"},
    {"\xfd"
     "7zXZ\0"sv,
     0, "xz-compressed", "decompress it with 'unxz'"},
    {"BZh", 0, "bzip2-compressed", "decompress it with 'bunzip2'"},
    {"\x04\x22\x4d\x18", 0, "lz4-compressed", "decompress it with 'unlz4'"},
    {"\x28\xb5\x2f\xfd", 0, "zstd-compressed", "decompress it with 'unzstd'"},
    {"7z\xbc\xaf\x27\x1c", 0, "a 7z archive", unpack},
    {"Rar!\x1a\x07", 0, "a RAR archive", unpack},
    {"ustar", 257, "a tar archive", unpack},
    {"MZqFpD", 0, "a llamafile, a program with a model in it", "extract the .gguf file with 'unzip'"},
    {"MZ", 0, "a Windows program", another_file},
    {"\x7f"
     "ELF",
     0, "a program", another_file},
    {"\x89HDF\r\n\x1a\n", 0, "an HDF5 file (Keras)", no_llama},
    {"\x93NUMPY", 0, "a NumPy array", no_llama},
    {"TFL3", 4, "a TensorFlow Lite model", no_llama},
    {"%PDF-", 0, "a PDF document", another_file},
    {"\x89PNG", 0, "an image", another_file},
};

// ---------------------------------------------------------------- formats that take a closer look

// The first bytes of a file.
struct Beginning {
    std::span<const std::byte> bytes;
    std::string_view text;  // the same bytes

    bool has(std::string_view part) const { return text.find(part) != text.npos; }
    unsigned at(std::size_t i) const { return i < bytes.size() ? std::to_integer<unsigned>(bytes[i]) : 0x100; }
    std::uint32_t number(std::size_t i) const {
        return i + 4 <= bytes.size() ? load<std::uint32_t>(&bytes[i], ByteOrder::little) : 0;
    }
};

using Found = std::optional<Foreign>;

bool begins_with(std::string_view text, std::string_view lower) {
    return equal_in_any_case(text.substr(0, lower.size()), lower);
}

// What comes after a byte order mark and white space.
std::string_view without_blanks(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    return text;
}

// Up to the zeros that follow where only the beginning of a file was fetched.
std::string_view up_to_zeros(std::string_view text) {
    const std::size_t last = text.find_last_not_of('\0');
    return last == text.npos ? text : text.substr(0, last + 1);
}

bool is_text(std::string_view text) {
    // The last character may be cut off.
    constexpr std::size_t longest_character = 4;
    for (std::size_t cut = 0; cut < std::min(longest_character, text.size()); ++cut) {
        if (!is_utf8(text.substr(0, text.size() - cut))) continue;
        return std::ranges::all_of(text,
                                   [](unsigned char c) { return c >= ' ' || (c >= '\t' && c <= '\r') || c == 0x1b; });
    }
    return false;
}

Found git_pointer(const Beginning& file) {
    if (file.text.starts_with("# xet version"))
        return Foreign{"an Xet pointer", "fetch the file itself with 'git xet checkout', or download it"};
    if (!file.text.starts_with("version https://git-lfs.github.com/spec/")) return {};
    constexpr std::string_view field = "\nsize ";
    std::string_view size = file.text.substr(std::min(file.text.find(field), file.text.size()));
    size.remove_prefix(std::min(field.size(), size.size()));
    size = size.substr(0, std::min<std::size_t>(size.find_first_not_of("0123456789"), 20));
    return Foreign{size.empty() ? "a git-lfs pointer" : fmt::format("a git-lfs pointer to a file of {} bytes", size),
                   "fetch the file itself with 'git lfs pull', or download it"};
}

Found page(const Beginning& file) {
    const std::string_view text = without_blanks(file.text);
    const bool xml = begins_with(text, "<?xml");
    const bool html = begins_with(text, "<!doctype html") || begins_with(text, "<html") || begins_with(text, "<head") ||
                      begins_with(text, "<body") || (begins_with(text, "<!--") && file.has("<html"));
    if (html || (xml && (file.has("<html") || file.has("<!DOCTYPE html")))) {
        return Foreign{"an HTML page",
                       "check the address (on Hugging Face with /resolve/, not /blob/) and your access to it, and "
                       "download the file again"};
    }
    if (begins_with(text, "<error>") || (xml && file.has("<Error>")))
        return Foreign{"an error message in XML", download_again};
    if (xml && file.has("<net")) return Foreign{"an OpenVINO model", no_llama};
    if (xml) return Foreign{"an XML document", download_again};
    return {};
}

Found json(const Beginning& file) {
    const std::string_view text = up_to_zeros(without_blanks(file.text));
    if (text.empty() || (text.front() != '{' && text.front() != '[') || !is_text(text)) return {};
    if (file.has("\"weight_map\"")) return Foreign{"the index of a checkpoint (JSON)", convert};
    if (file.has("\"architectures\"") || file.has("\"model_type\""))
        return Foreign{"the configuration of a checkpoint (JSON)", convert};
    if (file.has("\"added_tokens\"") || file.has("\"tokenizer_class\""))
        return Foreign{"a tokenizer (JSON)", another_file};
    if (file.has("\"error\"") || file.has("\"message\"") || file.has("\"detail\""))
        return Foreign{"an error message in JSON", download_again};
    return Foreign{"a JSON document", download_again};
}

// u64 length of a JSON header, and the header.
Found safetensors(const Beginning& file) {
    if (file.bytes.size() < 10) return {};
    const auto length = load<std::uint64_t>(file.bytes.data(), ByteOrder::little);
    const std::string_view json = file.text.substr(8);
    const bool fits = length >= 2 && length <= (100u << 20) && json.front() == '{';
    return fits && (json[1] == '"' || json[1] == '}' || json[1] == ' ' || json[1] == '\n')
               ? Found({"a safetensors file", convert})
               : std::nullopt;
}

Found zip(const Beginning& file) {
    if (!file.text.starts_with("PK\3\4") && !file.text.starts_with("PK\5\6")) return {};
    if (file.has("/data.pkl")) return Foreign{"a PyTorch checkpoint (ZIP)", convert};
    if (file.has(".npy")) return Foreign{"NumPy arrays (ZIP)", no_llama};
    return Foreign{"a ZIP archive", unpack};
}

// PROTO of protocol 2 to 5, and what a dictionary, a number or an object begins with.
Found pickle(const Beginning& file) {
    if (file.at(0) != 0x80 || file.at(1) < 2 || file.at(1) > 5) return {};
    return "}](c\x8a\x8c\x95X"sv.find(static_cast<char>(file.at(2))) != std::string_view::npos
               ? Found({"a Python pickle (a PyTorch checkpoint)", convert})
               : std::nullopt;
}

// A protocol buffer of pieces: {piece: text, score: f32, …}.
Found sentencepiece(const Beginning& file) {
    if (file.at(0) != 0x0a || file.at(2) != 0x0a || file.at(3) == 0 || file.at(3) + 2 > file.at(1)) return {};
    const unsigned next = file.at(4 + file.at(3));
    return next == 0x15 || next == 0x18 ? Found({"the tokenizer of a checkpoint (tokenizer.model)", another_file})
                                        : std::nullopt;
}

// A protocol buffer with a version, then a producer's name, a graph or sets of operators.
Found onnx(const Beginning& file) {
    if (file.at(0) != 0x08 || file.at(1) < 1 || file.at(1) > 20) return {};
    const unsigned next = file.at(2);
    const bool producer = next == 0x12 && file.at(3) < 0x80 && file.at(3) + 4 <= file.text.size() &&
                          is_text(file.text.substr(4, file.at(3)));
    return producer || next == 0x3a || next == 0x42 ? Found({"an ONNX model", no_llama}) : std::nullopt;
}

// i32 entries; i32 length, NAME; i32 calls; i32 count, f32 …
Found old_imatrix(const Beginning& file) {
    constexpr std::uint32_t most_entries = 1 << 20, longest_name = 256;
    const std::uint32_t entries = file.number(0), length = file.number(4);
    if (entries == 0 || entries > most_entries || length == 0 || length > longest_name) return {};
    if (file.bytes.size() < 8 + length + 8) return {};
    const auto is_name = [](char c) { return c > ' ' && c < '\x7f'; };
    if (!std::ranges::all_of(file.text.substr(8, length), is_name)) return {};
    return Foreign{"an importance matrix in the older form", as_imatrix, true};
}

// Short messages that servers send in place of a file, notes, scripts.
Found text(const Beginning& file) {
    constexpr std::size_t longest = 60;
    const std::string_view all = up_to_zeros(file.text);
    if (all.size() < 4 || !is_text(all)) return {};
    std::string_view line = without_blanks(all);
    line = line.substr(0, line.find_first_of("\r\n"));
    if (line.size() <= longest) return Foreign{fmt::format("text that begins with '{}'", line), if_sent};
    std::size_t end = 0;
    for (std::size_t next = 0; next <= longest; next += first_character(line.substr(next)).length) end = next;
    return Foreign{fmt::format("text that begins with '{}…'", line.substr(0, end)), if_sent};
}

using Look = Found (*)(const Beginning&);
// The first that fits counts: those with a magic number come before those that need a guess.
constexpr Look looks[] = {git_pointer, zip, page, json, safetensors, old_imatrix, pickle, sentencepiece, onnx, text};

}  // namespace

std::optional<Foreign> recognize(std::span<const std::byte> bytes) {
    const auto first = bytes.first(std::min(bytes.size(), io::recognized_bytes));
    const Beginning file{first, {reinterpret_cast<const char*>(first.data()), first.size()}};
    if (file.bytes.empty()) return Foreign{"an empty file", "download or create it again"};
    for (const Magic& magic : magics) {
        if (file.text.size() < magic.offset || !file.text.substr(magic.offset).starts_with(magic.bytes)) continue;
        return Foreign{std::string(magic.what), magic.advice};
    }
    if (file.text.starts_with("GGUF")) return {};
    for (const Look look : looks) {
        if (auto found = look(file)) return found;
    }
    const auto start = bytes.first(std::min(bytes.size(), most_zeros));
    if (std::ranges::any_of(start, [](std::byte byte) { return byte != std::byte{0}; })) return {};
    return Foreign{bytes.size() > start.size() ? fmt::format("a file that begins with {} zero bytes", start.size())
                                               : "a file of nothing but zeros",
                   "the download or the disk failed; download it again"};
}

std::string not_wanted(const Foreign& found, std::string_view wanted) {
    return fmt::format("this is {}, not {}; {}", found.what, wanted, found.advice);
}

std::string not_wanted(std::span<const std::byte> bytes, std::string_view wanted) {
    const auto found = recognize(bytes);
    return found ? not_wanted(*found, wanted) : fmt::format("this is not {}", wanted);
}

std::string about_folder(const std::filesystem::path& path) {
    constexpr int most_files = 10'000;
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) return {};
    std::string model;
    bool checkpoint = false;
    int seen = 0;
    for (std::filesystem::directory_iterator at(path, error), end; !error && at != end && seen < most_files;
         at.increment(error), ++seen) {
        const std::string name = at->path().filename().string();
        if (name.ends_with(".gguf") && (model.empty() || name < model)) model = name;
        checkpoint = checkpoint || name.ends_with(".safetensors") || name.starts_with("pytorch_model");
    }
    if (!model.empty()) return fmt::format("is a folder; name a file in it, such as {}", model);
    if (checkpoint) return fmt::format("is the folder of a checkpoint, not a GGUF file; {}", convert);
    return "is a folder; name a GGUF file";
}

}  // namespace ggufkit::container
