// Byte strings: numbers in network order, random ids, hexadecimal, values to store.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

using Bytes = std::string;
using View = std::string_view;

inline void appendBigEndian(Bytes& out, uint64_t value, int width) {
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

inline uint64_t readBigEndian(View in) {
    uint64_t value = 0;
    for (unsigned char byte : in) value = value << 8 | byte;
    return value;
}

/// The bytes between the first `before` in `in` and `length` further; nothing when they are not there.
inline std::optional<View> after(View in, View before, size_t length) {
    const auto at = in.find(before);
    if (at == View::npos || in.size() - at - before.size() < length) return std::nullopt;
    return in.substr(at + before.size(), length);
}

/// Ids drawn from a fixed seed, so that every contestant is asked for the same ones.
class IdSource {
public:
    explicit IdSource(size_t width, uint64_t seed) : width_(width), generator_(seed) {}

    Bytes next() {
        Bytes id(width_, '\0');
        for (size_t at = 0; at < width_; at += sizeof(uint64_t)) {
            Bytes word;
            appendBigEndian(word, generator_(), sizeof(uint64_t));
            id.replace(at, std::min(width_ - at, word.size()), word, 0, std::min(width_ - at, word.size()));
        }
        return id;
    }

private:
    size_t width_;
    std::mt19937_64 generator_;
};

/// Value number `index`: 100 bytes, no two alike.
inline Bytes valueNumber(uint64_t index) {
    Bytes value = "value-" + std::to_string(index) + "-";
    value.resize(100, 'v');
    return value;
}

/// Bytes of a hexadecimal text; throws std::invalid_argument on anything else.
Bytes fromHex(View text);
