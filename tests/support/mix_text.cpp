#include "support/mix_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

namespace ggufkit::test {

namespace {

struct ShortName {
    std::string text;  // "attn_v"
    std::optional<unsigned> layer;
};

ShortName shorten(const std::string& name) {
    static const std::regex block("blk\\.([0-9]+)\\.");
    ShortName result{name, std::nullopt};
    if (std::smatch match; std::regex_search(name, match, block)) {
        result.layer = static_cast<unsigned>(std::stoul(match[1]));
        result.text = match.prefix().str() + match.suffix().str();
    }
    constexpr std::string_view ending = ".weight";
    if (result.text.ends_with(ending)) result.text.resize(result.text.size() - ending.size());
    return result;
}

// "0-3,6,9-11"
std::string ranges(const std::set<unsigned>& numbers) {
    std::vector<std::string> parts;
    for (auto at = numbers.begin(); at != numbers.end();) {
        const unsigned first = *at;
        unsigned last = first;
        while (++at != numbers.end() && *at == last + 1) last = *at;
        parts.push_back(first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last));
    }
    return fmt::format("{}", fmt::join(parts, ","));
}

class MixText {
  public:
    explicit MixText(const Header& source) {
        for (const auto& tensor : source.tensors) {
            source_types_[tensor.name] = tensor.type;
            const auto [text, layer] = shorten(tensor.name);
            if (layer) layers_[text].insert(*layer);
        }
    }

    void find_weights(const ChosenTypes& bf16) {
        for (const auto& [name, type] : bf16.value())
            if (type == TensorType::BF16) weights_.insert(name);
    }

    std::string weights() const { return list({weights_.begin(), weights_.end()}); }

    std::string line(const ChosenTypes& chosen) const {
        if (!chosen) return "refused";
        std::map<TensorType, int> counts;
        for (const auto& [name, type] : *chosen)
            if (weights_.contains(name)) ++counts[type];
        const auto most = std::ranges::max_element(counts, {}, [](const auto& count) { return count.second; });
        if (most == counts.end()) return "nothing";
        std::map<TensorType, std::vector<std::string>> exceptions;
        for (const auto& [name, type] : *chosen)
            if (type != (weights_.contains(name) ? most->first : source_types_.at(name)))
                exceptions[type].push_back(name);
        std::string text(format_of(most->first).name);
        for (const auto& [type, names] : exceptions) text += fmt::format("; {}: {}", format_of(type).name, list(names));
        return text;
    }

  private:
    std::string list(const std::vector<std::string>& names) const {
        std::map<std::string, std::set<unsigned>> grouped;
        for (const std::string& name : names) {
            const auto [text, layer] = shorten(name);
            auto& group = grouped[text];
            if (layer) group.insert(*layer);
        }
        std::vector<std::string> parts;
        for (const auto& [text, layers] : grouped) {
            if (layers.empty())
                parts.push_back(text);
            else
                parts.push_back(fmt::format("{}[{}]", text, layers == layers_.at(text) ? "*" : ranges(layers)));
        }
        return fmt::format("{}", fmt::join(parts, " "));
    }

    std::map<std::string, TensorType> source_types_;
    std::map<std::string, std::set<unsigned>> layers_;
    std::set<std::string> weights_;
};

}  // namespace

std::string mix_text(const Header& source, const ChooseTypes& choose) {
    MixText mix(source);
    mix.find_weights(choose(*find_file_type("BF16"), false));
    std::string text = fmt::format("quantized: {}\n", mix.weights());
    for (const FileType& file_type : file_types()) {
        if (file_type.name == "NVFP4") continue;  // the reference has the number, but does not offer it
        const std::string plain = mix.line(choose(file_type, false));
        const std::string weighted = mix.line(choose(file_type, true));
        text += fmt::format("{:<17}{}\n", file_type.name, plain);
        if (weighted != plain) text += fmt::format("{:<17}{}\n", fmt::format("{}+imatrix", file_type.name), weighted);
    }
    return text;
}

ChooseTypes planned_types(const Model& model) {
    return [&model](const FileType& file_type, bool imatrix) -> ChosenTypes {
        const Imatrix unknown;
        Recipe recipe;
        recipe.file_type = &file_type;
        recipe.imatrix = imatrix ? &unknown : nullptr;
        const auto plan = make_plan(model, recipe);
        if (!plan) return std::nullopt;
        std::vector<std::pair<std::string, TensorType>> types;
        for (const PlannedTensor& tensor : plan->tensors) types.emplace_back(tensor.name, tensor.to);
        return types;
    };
}

std::string golden_path(std::string_view shape) {
    return fmt::format("{}/tests/plan/golden/{}.txt", GGUFKIT_SOURCE_DIR, shape);
}

std::string read_golden(std::string_view shape) {
    std::ifstream golden(golden_path(shape));
    return {std::istreambuf_iterator<char>(golden), {}};
}

}  // namespace ggufkit::test
