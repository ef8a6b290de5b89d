// Runs a fuzz target on files and folders, so that builds without libFuzzer keep the corpus alive.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// How often inputs led to what a target is there for, where it says so: a corpus that leads nowhere proves nothing.
extern "C" __attribute__((weak)) std::size_t goals_reached();

namespace fs = std::filesystem;

namespace {

bool replay(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file.is_open() || file.bad()) {
        std::fprintf(stderr, "cannot read %s\n", path.c_str());
        return false;
    }
    // A copy without slack, so that a sanitizer sees the first byte past the end.
    const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
    std::printf("%s (%zu bytes)\n", path.c_str(), exact.size());
    std::fflush(stdout);  // the last line names the file that was fatal
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    int replayed = 0, of_use = 0;
    for (int i = 1; i < argc; ++i) {
        std::vector<fs::path> paths;
        if (fs::is_directory(argv[i])) {
            for (const auto& entry : fs::recursive_directory_iterator(argv[i])) {
                if (entry.is_regular_file()) paths.push_back(entry.path());
            }
        } else {
            paths.emplace_back(argv[i]);
        }
        for (const fs::path& path : paths) {
            const std::size_t before = goals_reached == nullptr ? 0 : goals_reached();
            if (!replay(path)) return 1;
            ++replayed;
            if (goals_reached != nullptr && goals_reached() > before) ++of_use;
        }
    }
    std::printf("%d inputs\n", replayed);
    if (goals_reached != nullptr) std::printf("%d of them led to what the target is there for\n", of_use);
    return replayed > 0 ? 0 : 1;
}
