// What the three tools have in common as programs: how arguments are read, how help looks, how they end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/console.hpp"
#include "common/manual.hpp"

// CLI11 is a large header: it is included where options are defined, and where arguments are read.
namespace CLI {
class App;
}

namespace ggufkit::tool {

// More are a slip of the finger.
inline constexpr unsigned most_threads = 1024;

class CommandLine {
  public:
    static constexpr int misuse = 2;

    // `failure` is the exit code of work that did not succeed.
    CommandLine(Manual manual, int failure);
    ~CommandLine();

    CLI::App& app() { return *app_; }

    // "gguf-info 0.1.0".
    std::string version() const;

    // Reads the arguments, does the work, and returns the program's exit code. Help and version go to standard output,
    // misuse to standard error.
    int run(int argc, char** argv, const std::function<int(Console&)>& work);

    // For `work`: a message about how the program was called, and the exit code.
    int refuse(const Console& console, std::string_view message) const;

  private:
    void add_common_options();
    std::string completion(const std::string& shell) const;
    void teach() const;

    Manual manual_;
    int failure_;
    std::unique_ptr<CLI::App> app_;
    std::string color_ = "auto";
};

}  // namespace ggufkit::tool
