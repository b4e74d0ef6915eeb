// Gradients of weights, dyᵀ · x, added up over blocks of tokens while what they are made of is still in the cache. Both
// sides are stored the way that the product reads them.
#pragma once

#include <utility>

#include "linear.h"

namespace srpo {

// A block's dy, eight outputs at a time: `[out / 8, room, 8]`.
class Columns {
 public:
  Columns(int room, int64_t width) : room_(room), data_(room * ((width + 7) / 8 * 8)) {}
  // Sixteen outputs of a token, from a multiple of 8 on.
  void put(int token, int64_t from, Vec v) {
    float lanes[W];
    Store(lanes, v);
    std::copy_n(lanes, 8, cell(token, from));
    std::copy_n(lanes + 8, 8, cell(token, from + 8));
  }
  void putRow(int token, const float* row, int64_t width) {
    for (int64_t j = 0; j < width; j += 8) {
      std::copy_n(row + j, std::min<int64_t>(8, width - j), cell(token, j));
    }
  }
  const float* at(int64_t from) const { return data_.data() + from * room_; }

 private:
  float* cell(int token, int64_t from) { return data_.data() + from * room_ + token * 8; }
  int room_;
  std::vector<float> data_;
};

// A block's x in panels of 32 inputs: `[in / 32, room, 32]`.
class Panels {
 public:
  Panels(int room, int64_t width) : room_(room), data_(room * Padded(width)) {}
  void put(int token, int64_t from, Vec v) {
    Store(data_.data() + from / kPanel * kPanel * room_ + token * kPanel + from % kPanel, v);
  }
  void putRow(int token, const float* row, int64_t width) {
    for (int64_t j = 0; j < width; j += W) put(token, j, Load(row + j));
  }
  const float* at(int64_t from) const { return data_.data() + from * room_; }

 private:
  int room_;
  std::vector<float> data_;
};

// dw [out, in] = or += dyᵀ · x over a block of tokens.
inline void AddOuter(const Columns& dy, const Panels& x, int tokens, int64_t out, int64_t in,
                     float* dw, bool add) {
  for (int64_t j = 0; j < in; j += kPanel) {
    for (int64_t i = 0; i < out; i += 8) {
      Product(int(std::min<int64_t>(8, out - i)), kPanel, tokens, dy.at(i), 1, 8, x.at(j), kPanel,
              dw + i * in + j, in, add);
    }
  }
}

// Parameters' gradients as sums over slices of the tokens: each slice adds up its own, and then they are added in order.
// How many there are follows from the work alone, so that the sums do not depend on the number of threads.
class Slices {
 public:
  // @param gradients memory and size of each @param block tokens that go through together
  Slices(int64_t tokens, int block, std::vector<std::pair<float*, int64_t>> gradients)
      : gradients_(std::move(gradients)) {
    int64_t size = 0;
    for (const auto& gradient : gradients_) size += gradient.second;
    const int64_t blocks = std::max<int64_t>(1, (tokens + block - 1) / block);
    const int64_t most = std::max<int64_t>(1, kMostFloats / size);
    const int64_t count = std::min({blocks, most, int64_t(8)});
    const int64_t share = (blocks + count - 1) / count * block;
    for (int64_t start = share; start < tokens; start += share) starts_.push_back(start);
    starts_.push_back(tokens);
    for (const auto& gradient : gradients_) {
      sums_.emplace_back((this->count() - 1) * gradient.second);
    }
  }
  int count() const { return int(starts_.size()) - 1; }
  int64_t start(int slice) const { return starts_[slice]; }
  // Where a slice adds up its share of a gradient; the first one's memory is the result's.
  float* sum(int slice, int gradient) {
    const auto& [memory, size] = gradients_[gradient];
    return slice == 0 ? memory : sums_[gradient].data() + (slice - 1) * size;
  }
  void add() const {
    for (size_t g = 0; g < gradients_.size(); g++) {
      const auto& [memory, size] = gradients_[g];
#pragma omp parallel for schedule(static)
      for (int64_t i = 0; i < size; i++) {
        for (int slice = 1; slice < count(); slice++) memory[i] += sums_[g][(slice - 1) * size + i];
      }
    }
  }

 private:
  static constexpr int64_t kMostFloats = 1 << 28;  // a gigabyte
  std::vector<std::pair<float*, int64_t>> gradients_;
  std::vector<int64_t> starts_{0};
  std::vector<std::vector<float>> sums_;
};

}  // namespace srpo
