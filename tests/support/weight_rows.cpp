#include "support/weight_rows.hpp"

#include <cmath>

namespace ggufkit::test {

float normal(Random& random) {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += random.unit();
    return sum;
}

float gain(Random& random) {
    float product = 1;
    for (int i = 0; i < 8; ++i) product *= 0.6f + 0.8f * random.unit();
    return product;
}

namespace {

float tailed(Tail tail, Random& random) {
    const float z = normal(random);
    if (tail == Tail::laplace) {  // the determinant of four normal numbers
        const float a = normal(random), b = normal(random), c = normal(random);
        return z * a - b * c;
    }
    if (tail == Tail::student) {
        float squares = 0;
        for (int i = 0; i < 5; ++i) {
            const float y = normal(random);
            squares += y * y;
        }
        return z / std::sqrt(squares / 5);
    }
    return z;
}

}  // namespace

std::vector<float> weight_rows(Tail tail, std::size_t rows, std::size_t ne0, std::uint64_t seed) {
    Random random(seed);
    std::vector<float> column(ne0, 1.0f), values(rows * ne0);
    if (tail == Tail::gains) {
        for (float& g : column) g = gain(random);
    }
    for (std::size_t row = 0; row < rows; ++row) {
        const float of_row = tail == Tail::gains ? gain(random) : 1.0f;
        for (std::size_t i = 0; i < ne0; ++i) {
            float value = 0.02f * of_row * column[i] * tailed(tail, random);
            if (tail == Tail::gains && random.below(1000) == 0) value *= 10;
            values[row * ne0 + i] = value;
        }
    }
    return values;
}

std::array<double, weight_run> error_weights(std::span<const float, weight_run> values) {
    double squares = 0;
    for (const float x : values) squares += double{x} * double{x};
    const double rms = std::sqrt(squares / weight_run);
    std::array<double, weight_run> weights;
    for (std::size_t i = 0; i < weight_run; ++i) weights[i] = rms + std::abs(double{values[i]});
    return weights;
}

SquaredError squared_error(std::span<const float> values, std::span<const float> copy) {
    SquaredError error;
    for (std::size_t run = 0; run < values.size(); run += weight_run) {
        const auto weights = error_weights(values.subspan(run).first<weight_run>());
        for (std::size_t i = 0; i < weight_run; ++i) {
            const double difference = double{values[run + i]} - double{copy[run + i]};
            error.plain += difference * difference;
            error.weighted += weights[i] * difference * difference;
        }
    }
    return error;
}

}  // namespace ggufkit::test
