#include "inspect/hash_function.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <string_view>

#include "inspect/xxh3_avx2.hpp"
#include "quant/simd/target.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ggufkit::inspect {

namespace {

std::string hex_of(std::span<const unsigned char> bytes) {
    std::string text;
    for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
}

bool has_avx2() {
    const std::string_view target = quant::simd_target();
    return target == "avx2" || target == "avx512";
}

class Xxh128 final : public HashFunction {
  public:
    Xxh128() { XXH3_128bits_reset(&state_); }
    void add(std::span<const std::byte> bytes) override {
#if HWY_ARCH_X86
        if (wide_) return xxh3_add_avx2(&state_, bytes.data(), bytes.size());
#endif
        XXH3_128bits_update(&state_, bytes.data(), bytes.size());
    }
    std::string hex() const override {
        const XXH128_hash_t hash = XXH3_128bits_digest(&state_);
        return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
    }

  private:
    XXH3_state_t state_;
    [[maybe_unused]] const bool wide_ = has_avx2();
};

class Xxh64 final : public HashFunction {
  public:
    Xxh64() { XXH64_reset(&state_, 0); }
    void add(std::span<const std::byte> bytes) override { XXH64_update(&state_, bytes.data(), bytes.size()); }
    std::string hex() const override { return fmt::format("{:016x}", XXH64_digest(&state_)); }

  private:
    XXH64_state_t state_;
};

// Of OpenSSL, which uses the instructions that processors have for it.
class Sha final : public HashFunction {
  public:
    explicit Sha(const EVP_MD* function)
        : context_(EVP_MD_CTX_new()),
          usable_(context_ != nullptr && EVP_DigestInit_ex(context_.get(), function, nullptr) == 1) {}

    bool usable() const { return usable_; }
    void add(std::span<const std::byte> bytes) override {
        usable_ = usable_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
    }
    std::string hex() const override {
        const Context copy(EVP_MD_CTX_new());  // finishing ends a context
        std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
        unsigned size = 0;
        if (!usable_ || copy == nullptr || EVP_MD_CTX_copy_ex(copy.get(), context_.get()) != 1 ||
            EVP_DigestFinal_ex(copy.get(), bytes.data(), &size) != 1) {
            return {};
        }
        return hex_of(std::span(bytes).first(size));
    }

  private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    using Context = std::unique_ptr<EVP_MD_CTX, Free>;

    Context context_;
    bool usable_;
};

}  // namespace

Result<std::unique_ptr<HashFunction>> HashFunction::make(HashKind kind) {
    using Function = std::unique_ptr<HashFunction>;
    switch (kind) {
        case HashKind::xxh128: return Function(std::make_unique<Xxh128>());
        case HashKind::xxh64: return Function(std::make_unique<Xxh64>());
        case HashKind::sha1:
        case HashKind::sha256: break;
    }
    auto sha = std::make_unique<Sha>(kind == HashKind::sha1 ? EVP_sha1() : EVP_sha256());
    if (!sha->usable()) {
        return fail({.code = Errc::unsupported, .detail = fmt::format("this system's OpenSSL has no {}", name(kind))});
    }
    return Function(std::move(sha));
}

}  // namespace ggufkit::inspect
