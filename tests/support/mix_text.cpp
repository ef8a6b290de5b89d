#include "support/mix_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

namespace ggufkit::test {

namespace {

struct ShortName {
    std::string text;  // "attn_v"
    std::optional<unsigned> layer;
};

ShortName shorten(const std::string& name) {
    constexpr std::string_view block = "blk.", ending = ".weight", digits = "0123456789";
    ShortName result{name, std::nullopt};
    for (std::size_t at = name.find(block); at != name.npos; at = name.find(block, at + 1)) {
        const std::size_t begin = at + block.size(), end = name.find_first_not_of(digits, begin);
        if (end == begin || end == name.npos || name[end] != '.') continue;
        result.layer = static_cast<unsigned>(std::stoul(name.substr(begin, end - begin)));
        result.text.erase(at, end + 1 - at);
        break;
    }
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

// Names of tensors, those of all layers in one: "attn_q[*]".
class Names {
  public:
    void add(const std::string& name) {
        const auto [text, layer] = shorten(name);
        if (layer) layers_[text].insert(*layer);
    }

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

  private:
    std::map<std::string, std::set<unsigned>> layers_;
};

class MixText {
  public:
    explicit MixText(const Header& source) {
        for (const auto& tensor : source.tensors) {
            source_types_[tensor.name] = tensor.type;
            names_.add(tensor.name);
        }
    }

    void find_weights(const ChosenTypes& bf16) {
        for (const auto& [name, type] : bf16.value())
            if (type == TensorType::BF16) weights_.insert(name);
    }

    std::string weights() const { return names_.list({weights_.begin(), weights_.end()}); }

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
        for (const auto& [type, names] : exceptions)
            text += fmt::format("; {}: {}", format_of(type).name, names_.list(names));
        return text;
    }

  private:
    std::map<std::string, TensorType> source_types_;
    Names names_;
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
        const auto plan = make_plan(model, {Mix{.file_type = &file_type, .imatrix = imatrix ? &unknown : nullptr}});
        return plan ? types_of(*plan) : std::nullopt;
    };
}

ChosenTypes types_of(const Plan& plan) {
    std::vector<std::pair<std::string, TensorType>> types;
    for (const PlannedTensor& tensor : plan.tensors) types.emplace_back(tensor.name, tensor.to);
    return types;
}

std::string types_text(const ChosenTypes& chosen) {
    if (!chosen) return "refused";
    Names all;
    std::map<TensorType, std::vector<std::string>> by_type;
    for (const auto& [name, type] : *chosen) {
        all.add(name);
        by_type[type].push_back(name);
    }
    const auto most = std::ranges::max_element(by_type, {}, [](const auto& entry) { return entry.second.size(); });
    std::string text(format_of(most->first).name);
    for (const auto& [type, names] : by_type) {
        if (type != most->first) text += fmt::format("; {}: {}", format_of(type).name, all.list(names));
    }
    return text;
}

std::string mix_path(std::string_view shape) { return fmt::format("tests/plan/golden/{}.txt", shape); }

}  // namespace ggufkit::test
