#include "support/foreign_files.hpp"

#include <span>

#include "support/imatrix_files.hpp"

namespace ggufkit::test {

using namespace std::string_literals;

namespace {

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string old_ggml(std::string_view magic) {
    return std::string(magic) + "\3\0\0\0\0\x7d\0\0"s + std::string(500, '\0');
}

}  // namespace

std::vector<ForeignFile> foreign_files() {
    const std::string zeros_up_to_257(257, '\0');
    return {
        {"empty", "", "an empty file", "download"},
        {"pointer",
         "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '4') + "\nsize 4368438944\n",
         "a git-lfs pointer to a file of 4368438944 bytes", "git lfs pull"},
        {"patch", "GGUFPTCH\1\0\0\0"s, "a patch", "gguf-diff --apply"},
        {"pointer without a size", "version https://git-lfs.github.com/spec/v1\n", "a git-lfs pointer", "git lfs pull"},
        {"page", "<!DOCTYPE html>\n<html class=\"\"><title>Not found</title></html>\n", "an HTML page", "/resolve/"},
        {"page after blanks", "\xef\xbb\xbf\r\n <HTML><body>", "an HTML page", "download"},
        {"xhtml", "<?xml version=\"1.0\"?><html xmlns=\"\">", "an HTML page", "download"},
        {"xml error", "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>", "an error message in XML",
         "access"},
        {"xml", "<?xml version=\"1.0\"?>\n<a/>", "an XML document", "download"},
        {"json error", R"({"error":"Repository not found"})", "an error message in JSON", "token"},
        {"json", R"( [1, 2, 3])", "a JSON document", "download"},
        {"config.json", R"({"architectures": ["LlamaForCausalLM"]})", "the configuration of a checkpoint (JSON)",
         "convert_hf_to_gguf.py"},
        {"index.json", R"({"metadata": {}, "weight_map": {}})", "the index of a checkpoint (JSON)",
         "convert_hf_to_gguf.py"},
        {"tokenizer.json", R"({"version": "1.0", "added_tokens": []})", "a tokenizer (JSON)", ".gguf"},
        {"message", "Entry not found", "text that begins with 'Entry not found'", "token"},
        {"long message", std::string(58, 'a') + "ÄÖÜ and so on\nmore",
         "text that begins with 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaÄ…'", "token"},
        {"safetensors", "\x3d\0\0\0\0\0\0\0"s + R"({"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}})",
         "a safetensors file", "convert_hf_to_gguf.py"},
        {"pytorch", "PK\3\4"s + std::string(26, '\0') + "archive/data.pkl", "a PyTorch checkpoint (ZIP)",
         "convert_hf_to_gguf.py"},
        {"zip", "PK\3\4"s + std::string(26, '\0') + "model.gguf", "a ZIP archive", "unpack"},
        {"npz", "PK\3\4"s + std::string(26, '\0') + "a.npy", "NumPy arrays (ZIP)", "llama.cpp"},
        {"pickle", "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", "a Python pickle (a PyTorch checkpoint)",
         "convert_hf_to_gguf.py"},
        {"pickled dictionary", "\x80\2}q\0"s, "a Python pickle (a PyTorch checkpoint)", "convert_hf_to_gguf.py"},
        {"gz", "\x1f\x8b\x08\0\0\0\0\0"s, "gzip-compressed", "gunzip", false, true},
        {"xz", "\xfd\x37zXZ\0\0\4"s, "xz-compressed", "unxz", false, true},
        {"bz2", "BZh91AY&SY", "bzip2-compressed", "bunzip2", false, true},
        {"lz4", "\4\x22\x4d\x18\x64\x40", "lz4-compressed", "unlz4"},
        {"7z", "7z\xbc\xaf\x27\x1c\0\4"s, "a 7z archive", "unpack"},
        {"rar", "Rar!\x1a\x07\1\0"s, "a RAR archive", "unpack"},
        {"tar", "model.gguf" + zeros_up_to_257.substr(10) + "ustar\00000"s, "a tar archive", "unpack"},
        {"llamafile", "MZqFpD='\n\0"s, "a llamafile, a program with a model in it", "unzip"},
        {"exe", "MZ\x90\0\3\0"s, "a Windows program", ".gguf"},
        {"elf",
         "\x7f"
         "ELF\2\1\1\0"s,
         "a program", ".gguf"},
        {"ggml", old_ggml("lmgg"), "a ggml file from before GGUF, or a whisper.cpp model",
         "convert_llama_ggml_to_gguf"},
        {"ggjt", old_ggml("tjgg"), "a ggml file (ggjt) from before GGUF", "convert_llama_ggml_to_gguf"},
        {"ggmf", old_ggml("fmgg"), "a ggml file (ggmf) from before GGUF", "convert_llama_ggml_to_gguf"},
        {"ggla", old_ggml("algg"), "a LoRA adapter (ggla) from before GGUF", "convert_lora_to_gguf"},
        {"session", old_ggml("nsgg"), "a saved session of llama.cpp", ".gguf"},
        {"sequence", old_ggml("qsgg"), "a saved sequence of llama.cpp", ".gguf"},
        {"imatrix.dat", text_of(old_imatrix({{"blk.0.attn_q.weight", 10, {1, 2}}}, 5, "a.txt")),
         "an importance matrix in the older form", "--imatrix", true},
        {"zeros", std::string(4096, '\0'), "a file of nothing but zeros", "download"},
        {"more zeros", std::string(70'000, '\0'), "a file that begins with 65536 zero bytes", "download"},
        {"tokenizer.model", "\n\x0e\n\5<unk>\x15\0\0\0\0\x18\2"s, "the tokenizer of a checkpoint (tokenizer.model)",
         ".gguf"},
        {"onnx", "\x08\7\x12\7pytorch\x1a\0052.1.0:"s, "an ONNX model", "llama.cpp"},
        {"hdf5", "\x89HDF\r\n\x1a\n", "an HDF5 file (Keras)", "llama.cpp"},
        {"npy", "\x93NUMPY\1\0"s, "a NumPy array", "llama.cpp"},
        {"tflite", "\x1c\0\0\0TFL3"s, "a TensorFlow Lite model", "llama.cpp"},
    };
}

}  // namespace ggufkit::test
