// RequantView: whatever part is read, in whatever order and by however many threads, it is that of the file which
// execute() writes.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/view.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/files.hpp"
#include "support/must.hpp"
#include "support/plan_for.hpp"
#include "support/random_blocks.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using enum TensorType;

namespace {

using Bytes = std::vector<std::byte>;

// A model on disk, a plan for it, and what execute() makes of the two.
struct Made {
    TemporaryFolder folder;
    std::string in = folder / "in.gguf";
    Model model;
    Plan plan;
    Bytes file;

    Made(const SmallModel& source, const Types& types, ByteOrder order = ByteOrder::little)
        : model(saved(source, in)), plan(plan_for(model, types, order)) {
        const auto done = execute(model, plan, folder / "out.gguf");
        REQUIRE_MESSAGE(done, done.error().message());
        file = read_bytes(folder / "out.gguf");
    }
};

// `bytes` of the view, with other memory around it unharmed.
Bytes read(const RequantView& view, std::uint64_t offset, std::size_t bytes) {
    Bytes out(bytes + 2, std::byte{0xa5});
    const auto done = view.read(offset, std::span(out).subspan(1, bytes));
    REQUIRE_MESSAGE(done, done.error().message());
    CHECK(out.front() == std::byte{0xa5});
    CHECK(out.back() == std::byte{0xa5});
    return {out.begin() + 1, out.end() - 1};
}

Bytes part(const Bytes& file, std::uint64_t offset, std::size_t bytes) {
    const auto begin = file.begin() + static_cast<std::ptrdiff_t>(offset);
    return {begin, begin + static_cast<std::ptrdiff_t>(bytes)};
}

// Rows as the file has them.
Bytes planned_rows(const Made& made, const PlannedTensor& tensor, std::uint64_t first, std::uint64_t count) {
    const std::uint64_t row = tensor.bytes_out / tensor.rows();
    return part(made.file, tensor.offset + first * row, count * row);
}

}  // namespace

TEST_CASE("view: the whole file is what execute() writes, in every byte order and alignment") {
    for (const std::uint32_t alignment : {32u, 4096u}) {
        for (const auto from : {ByteOrder::little, ByteOrder::big}) {
            for (const auto to : {ByteOrder::little, ByteOrder::big}) {
                const Made made(mixed_model(from, alignment), mixed_types, to);
                const auto view = must(RequantView::make(made.model, made.plan));
                CHECK(view.size() == made.file.size());
                CHECK((read(view, 0, view.size()) == made.file));
            }
        }
    }
}

TEST_CASE("view: any range, with a cache that keeps all, little and nothing") {
    const Made made(mixed_model(ByteOrder::little, 4096), mixed_types);
    for (const std::uint64_t cache_bytes : {std::uint64_t{1} << 30, std::uint64_t{100'000}, std::uint64_t{0}}) {
        const auto view = must(RequantView::make(made.model, made.plan, {.cache_bytes = cache_bytes}));
        Random random(cache_bytes);
        for (int i = 0; i < 150; ++i) {
            const auto offset = static_cast<std::uint64_t>(random.unit() * static_cast<float>(view.size()));
            const std::size_t most = std::min<std::size_t>(view.size() - offset, i % 3 == 0 ? 300'000 : 5000);
            const auto bytes = static_cast<std::size_t>(random.unit() * static_cast<float>(most));
            CAPTURE(offset);
            CAPTURE(bytes);
            REQUIRE((read(view, offset, bytes) == part(made.file, offset, bytes)));
        }
        // Around both ends of every tensor, where headers, padding and pieces meet.
        for (const PlannedTensor& tensor : made.plan.tensors) {
            for (const std::uint64_t edge : {tensor.offset, tensor.offset + tensor.bytes_out}) {
                const std::uint64_t begin = edge - 3, end = std::min<std::uint64_t>(edge + 3, view.size());
                CHECK((read(view, begin, end - begin) == part(made.file, begin, end - begin)));
            }
        }
        CHECK(read(view, view.size(), 0).empty());
    }
}

TEST_CASE("view: models without tensors, and with empty ones only") {
    const Made nothing(bare_llama(), {});
    CHECK((read(must(RequantView::make(nothing.model, nothing.plan)), 0, nothing.file.size()) == nothing.file));
    const Made empty(bare_llama().weights("a", F16, {64, 0}).weights("b", F32, {0}), {{"a", Q8_0}});
    CHECK((read(must(RequantView::make(empty.model, empty.plan)), 0, empty.file.size()) == empty.file));
}

TEST_CASE("view: many threads read one view, with a cache that is too small for all") {
    const Made made(mixed_model(ByteOrder::little, 32), mixed_types);
    const auto view = must(RequantView::make(made.model, made.plan, {.cache_bytes = 400'000}));
    std::array<int, 6> wrong{};
    {
        std::vector<std::jthread> readers;
        for (std::size_t i = 0; i < wrong.size(); ++i) {
            readers.emplace_back([&, i] {
                Random random(i);
                Bytes out;
                for (int turn = 0; turn < 60; ++turn) {
                    const auto offset = static_cast<std::uint64_t>(random.unit() * static_cast<float>(view.size()));
                    out.resize(std::min<std::size_t>(view.size() - offset, 20'000));
                    if (!view.read(offset, out) || out != part(made.file, offset, out.size())) ++wrong[i];
                }
            });
        }
    }
    CHECK(std::ranges::count(wrong, 0) == static_cast<std::ptrdiff_t>(wrong.size()));
}

TEST_CASE("view: only the pieces in the range are read, so a fault elsewhere is not met") {
    SmallModel source = bare_llama();
    source.weights("sound", F16, {64, 5000}).weights("broken", F16, {64, 5000}).weights("behind", F32, {100});
    const Types types{{"sound", Q8_0}, {"broken", Q8_0}};
    const Made made(source, types);
    const std::uint64_t row = 4321;
    source.tensors[1].bytes[row * 128 + 1] = std::byte{0x7c};  // infinity
    source.save(made.in);
    const Model model = must(Model::open(made.in));
    const Plan plan = plan_for(model, types);
    const auto view = must(RequantView::make(model, plan));

    const PlannedTensor& broken = plan.tensors[1];
    CHECK((read(view, 0, broken.offset + 100) == part(made.file, 0, broken.offset + 100)));
    const std::uint64_t behind = broken.offset + broken.bytes_out;
    REQUIRE(behind == plan.tensors[2].offset);  // no padding between the two
    CHECK((read(view, behind, 400) == part(made.file, behind, 400)));
    Bytes out(broken.bytes_out);
    for (int turn = 0; turn < 2; ++turn) {  // an error is not cached
        const auto all = view.read(broken.offset, out);
        REQUIRE_FALSE(all);
        CHECK(all.error().code == Errc::bad_quant);
        CHECK(all.error().detail.starts_with("row 4321:"));
    }
    // Rows are exact: those beside the broken one can be read.
    const auto tensor = must(view.tensor("broken"));
    Bytes before(68 * 20), one(68);
    CHECK(tensor.rows(row - 20, 20, Q8_0, before));
    CHECK((before == planned_rows(made, made.plan.tensors[1], row - 20, 20)));
    CHECK(tensor.rows(row + 1, 1, Q8_0, one));
    const auto fault = tensor.rows(row, 1, Q8_0, one);
    REQUIRE_FALSE(fault);
    CHECK(fault.error().detail.starts_with("row 4321:"));
}

TEST_CASE("view: outlives the model and the plan that it was made from, and a tensor outlives its view") {
    auto made = std::make_unique<Made>(mixed_model(ByteOrder::little, 32), mixed_types);
    auto view = std::make_unique<RequantView>(must(RequantView::make(made->model, made->plan)));
    const auto tensor = must(view->tensor("f16.stack"));
    const Bytes file = made->file;
    Bytes row(planned_rows(*made, made->plan.tensors[1], 7, 1));
    const Model moved = std::move(made->model);
    CHECK((read(*view, 0, view->size()) == file));
    made.reset();
    Bytes out(row.size());
    REQUIRE(tensor.rows(7, 1, Q8_0, out));
    CHECK((out == row));
    const RequantView copy = *view;
    view.reset();
    REQUIRE(tensor.rows(7, 1, Q8_0, out));
    CHECK((read(copy, 0, copy.size()) == file));
}

TEST_CASE("view: a source that has become shorter is an error and no signal") {
    const Made made(mixed_model(ByteOrder::little, 32), mixed_types);
    const auto view = must(RequantView::make(made.model, made.plan));
    std::filesystem::resize_file(made.in, std::filesystem::file_size(made.in) / 2);
    Bytes out(view.size());
    const auto result = view.read(0, out);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::io_changed);
}

TEST_CASE("view: what is outside the file is refused, and the callback reads what there is") {
    const Made made(mixed_model(ByteOrder::little, 32), mixed_types);
    auto view = must(RequantView::make(made.model, made.plan));
    Bytes out(10);
    for (const std::uint64_t offset : {view.size() - 9, view.size(), view.size() + 1, ~std::uint64_t{0}}) {
        const auto result = view.read(offset, out);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::out_of_range);
    }
    const auto call = [&](std::size_t offset, std::size_t bytes) {
        return RequantView::read_callback(&view, out.data(), offset, bytes);
    };
    CHECK(call(100, 10) == 10);
    CHECK((out == part(made.file, 100, 10)));
    CHECK(call(view.size() - 4, 10) == 4);
    CHECK(call(view.size(), 10) == 0);
    CHECK(call(~std::size_t{0}, 10) == 0);
    std::filesystem::resize_file(made.in, 0);
    CHECK(call(made.plan.tensors[0].offset, 10) == 0);
}

TEST_CASE("view: plans that it cannot show are refused") {
    const Made made(mixed_model(ByteOrder::little, 32), mixed_types);
    const auto refused = [&](const Plan& plan) { return RequantView::make(made.model, plan).error().code; };
    Plan split = made.plan;
    split.files.push_back(split.files[0]);
    CHECK(refused(split) == Errc::unsupported);
    Plan swapped = made.plan;
    std::swap(swapped.tensors[0].offset, swapped.tensors[1].offset);
    CHECK(refused(swapped) == Errc::bad_argument);
    Plan into_header = made.plan;
    into_header.tensors[0].offset = 0;
    CHECK(refused(into_header) == Errc::bad_argument);
    CHECK(refused(plan_for(made.model, {{"q8.large", Q8_K}})) == Errc::unsupported);
    const Made other(bare_llama().weights("t", F16, {64, 5}), {});
    CHECK(refused(other.plan) == Errc::bad_argument);

    const TemporaryFolder folder;
    bare_llama().weights("t", I8, {16 << 20}).save(folder / "long");
    const Model long_rows = must(Model::open(folder / "long"));
    const Plan plan = plan_for(long_rows, {{"t", F32}});
    CHECK(RequantView::make(long_rows, plan).error().code == Errc::unsupported);
}

TEST_CASE("rows: in the plan's type they are those of the file, any number of them, from any one on") {
    const Made made(mixed_model(ByteOrder::big, 32), mixed_types);
    const auto view = must(RequantView::make(made.model, made.plan));
    for (const PlannedTensor& planned : made.plan.tensors) {
        const auto tensor = must(view.tensor(planned.name));
        CHECK(&tensor.planned() == &view.plan().tensors[static_cast<std::size_t>(&planned - made.plan.tensors.data())]);
        if (planned.bytes_out == 0) continue;
        const std::uint64_t row = must(tensor.row_bytes(planned.to)), all = planned.rows();
        Random random(all);
        for (int turn = 0; turn < 40; ++turn) {
            const auto first = std::min(all - 1, static_cast<std::uint64_t>(random.unit() * static_cast<float>(all)));
            const auto count =
                turn == 0 ? all - first
                          : 1 + static_cast<std::uint64_t>(random.unit() * 0.9f * static_cast<float>(all - first));
            Bytes out(count * row);
            const auto done = tensor.rows(first, count, planned.to, out);
            REQUIRE_MESSAGE(done, done.error().message());
            REQUIRE((out == planned_rows(made, planned, first, count)));
        }
    }
}

TEST_CASE("rows: in another type they are made from the source, with the plan's importance and effort") {
    const SmallModel source = bare_llama().weights("stack", F16, {256, 37, 5});
    std::vector<float> weights;
    Random random(5);
    for (int i = 0; i < 256 * 5; ++i) weights.push_back(random.unit());
    const Made made(source, {{"stack", Q8_0}});
    Plan plan = made.plan;
    plan.tensors[0].importance = weights;
    const auto view = must(RequantView::make(made.model, plan));
    const auto tensor = must(view.tensor("stack"));

    std::vector<float> values(256 * 37 * 5), floats(values.size());
    REQUIRE(dequantize_rows(F16, source.tensors[0].bytes, values));
    REQUIRE(tensor.rows(0, 37 * 5, std::span(floats)));
    CHECK(floats == values);
    Bytes halves(source.tensors[0].bytes.size());
    REQUIRE(tensor.rows(0, 37 * 5, F16, halves));
    CHECK((halves == source.tensors[0].bytes));

    const auto q4 = source.requantized({{"stack", Q4_K}}, {{"stack", weights}}).tensors[0].bytes;
    Bytes out(q4.size());
    REQUIRE(tensor.rows(0, 37 * 5, Q4_K, out));
    CHECK((out == q4));
    Bytes some(144 * 50);
    REQUIRE(tensor.rows(30, 50, Q4_K, some));  // of three matrices
    CHECK((some == part(q4, 144 * 30, 144 * 50)));

    plan.effort = Effort::max;
    Bytes best(q4.size());
    const auto best_view = must(RequantView::make(made.model, plan));
    REQUIRE(must(best_view.tensor("stack")).rows(0, 37 * 5, Q4_K, best));
    CHECK((best != q4));
}

TEST_CASE("rows: what cannot be had is refused by name") {
    const Made made(mixed_model(ByteOrder::little, 32), mixed_types);
    const auto view = must(RequantView::make(made.model, made.plan));
    const auto missing = view.tensor("nothing");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::not_found);
    CHECK(missing.error().subject == "tensor 'nothing'");

    const auto tensor = must(view.tensor("f16.stack"));  // 96 columns, 55 rows
    std::vector<float> row(96);
    const auto code = [](const Result<void>& result) { return result.error().code; };
    CHECK(tensor.rows(54, 1, std::span(row)));
    CHECK(code(tensor.rows(55, 1, std::span(row))) == Errc::out_of_range);
    CHECK(code(tensor.rows(~std::uint64_t{0}, 1, std::span(row))) == Errc::out_of_range);
    CHECK(code(tensor.rows(54, ~std::uint64_t{0}, std::span(row))) == Errc::out_of_range);
    CHECK(code(tensor.rows(0, 2, std::span(row))) == Errc::bad_argument);
    Bytes out(144);
    CHECK(code(tensor.rows(0, 1, Q4_K, out)) == Errc::bad_row);  // 96 is no multiple of 256
    CHECK(code(tensor.rows(0, 1, I32, std::as_writable_bytes(std::span(row)))) == Errc::unsupported);  // no quantizer
    CHECK(tensor.rows(3, 0, Q8_0, {}));
    CHECK(must(view.tensor("empty")).rows(0, 0, F32, {}));
}
