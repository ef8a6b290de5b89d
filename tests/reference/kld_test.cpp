// The judge of quality: KL divergence in the real runtime. Every file type that can be made here is made twice, by us
// and by the reference, from the F16 model and from the Q8_0 one, and what the copies predict is compared with the F16
// model's predictions over a text that it was not trained on.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/requant/execute.hpp>
#include <set>

#include "reference/divergence.hpp"
#include "reference/oracle.hpp"
#include "support/files.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr std::string_view data = GGUFKIT_TEST_DATA;
const std::string imatrix_file = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

// What people make, which has to be better than the reference's on average and not only no worse.
const std::set<std::string_view> usual{"Q2_K", "Q3_K_M", "Q4_K_S", "Q4_K_M", "Q5_K_M",
                                       "Q6_K", "IQ4_XS", "IQ3_M",  "IQ2_M",  "Q4_0"};

struct Contest {
    const FileType* file_type;
    bool imatrix;
    std::string ours{}, theirs{};  // files

    std::string name() const { return fmt::format("{}{}", file_type->name, imatrix ? "+imatrix" : ""); }
};

// A model in other file types, made by both.
class Makers {
  public:
    explicit Makers(std::string source) : source_(std::move(source)), model_(Model::open(source_)) {
        REQUIRE(model_);
        auto imatrix = Imatrix::open(imatrix_file);
        REQUIRE(imatrix);
        imatrix_ = *std::move(imatrix);
    }

    bool can_make(const FileType& file_type, bool imatrix) const {
        return check_executable(plan(file_type, imatrix)).has_value();
    }

    void make(Contest& contest) const {
        const Plan planned = plan(*contest.file_type, contest.imatrix);
        contest.ours = folder_ / ("ours-" + contest.name()), contest.theirs = folder_ / ("theirs-" + contest.name());
        const auto made = execute(*model_, planned, contest.ours, {.work = {.threads = 1}});
        REQUIRE_MESSAGE(made, made.error().message());
        std::vector<std::string> arguments{"quantize", source_, contest.theirs, std::to_string(planned.file_type->id),
                                           "1"};
        if (contest.imatrix) arguments.push_back("imatrix=" + imatrix_file);
        const auto reference = oracle(arguments);
        REQUIRE_MESSAGE(reference.exit_code == 0, reference.err);
    }

  private:
    Plan plan(const FileType& file_type, bool imatrix) const {
        return make_plan(*model_, {Mix{.file_type = &file_type, .imatrix = imatrix ? &imatrix_ : nullptr}}).value();
    }

    std::string source_;
    Result<Model> model_;
    Imatrix imatrix_;
    TemporaryFolder folder_;
};

void hold(const Makers& makers, std::vector<Contest> contests) {
    std::vector<std::string> files;
    for (Contest& contest : contests) {
        makers.make(contest);
        files.insert(files.end(), {contest.ours, contest.theirs});
    }
    const std::vector<double> kld =
        divergences(fmt::format("{}/tiny-llama-f16.gguf", data), fmt::format("{}/tiny-llama.val.txt", data), 48, files);
    std::vector<double> usual_ratios;
    for (std::size_t i = 0; i < contests.size(); ++i) {
        const double ours = kld[2 * i], theirs = kld[2 * i + 1];
        const double ratio = ours == theirs ? 1 : ours / theirs;  // neither need have lost anything
        const std::string name = contests[i].name();
        fmt::print("{:17} KLD {:.6f}, the reference's {:.6f}, ratio {:.3f}\n", name, ours, theirs, ratio);
        CHECK_MESSAGE(ratio <= 1.1, name);
        if (usual.contains(contests[i].file_type->name)) usual_ratios.push_back(ratio);
    }
    const double mean = geometric_mean(usual_ratios);
    fmt::print("geometric mean of the ratios of {} usual types {:.3f}\n", usual_ratios.size(), mean);
    CHECK(mean <= 0.97);
}

// Every file type, with the imatrix where the reference makes it with one only. It does not make NVFP4.
void hold_every_type(const std::string& source) {
    const Makers makers(fmt::format("{}/{}", data, source));
    std::vector<Contest> contests;
    for (const FileType& file_type : file_types()) {
        if (file_type.name == "NVFP4") continue;
        for (const bool imatrix : {false, true}) {
            if (!makers.can_make(file_type, imatrix)) continue;
            contests.push_back({&file_type, imatrix});
            break;
        }
    }
    hold(makers, std::move(contests));
}

void hold_usual_types_with_imatrix(const std::string& source) {
    const Makers makers(fmt::format("{}/{}", data, source));
    std::vector<Contest> contests;
    for (const auto name : usual) {
        const FileType* file_type = find_file_type(name);
        if (makers.can_make(*file_type, true)) contests.push_back({file_type, true});
    }
    hold(makers, std::move(contests));
}

}  // namespace

TEST_CASE("KLD: every file type from F16 is at most 1.1 times the reference's, the usual ones 0.97 times on average") {
    REQUIRE_REFERENCE();
    hold_every_type("tiny-llama-f16.gguf");
}

TEST_CASE("KLD: every file type from Q8_0 is at most 1.1 times the reference's, the usual ones 0.97 times on average") {
    REQUIRE_REFERENCE();
    hold_every_type("tiny-llama-Q8_0.gguf");
}

TEST_CASE("KLD: the same with an imatrix for the usual types, from F16") {
    REQUIRE_REFERENCE();
    hold_usual_types_with_imatrix("tiny-llama-f16.gguf");
}

TEST_CASE("KLD: the same with an imatrix for the usual types, from Q8_0") {
    REQUIRE_REFERENCE();
    hold_usual_types_with_imatrix("tiny-llama-Q8_0.gguf");
}
