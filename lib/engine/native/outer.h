// Gradients of weights, dyᵀ · x, added up over blocks of tokens while what they are made of is still in the cache. Both
// sides are stored the way that the product reads them.
#pragma once

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

// dw [out, in] = or += dyᵀ · x over a block of tokens. All threads of a team call it and share its tiles; a tile adds in
// the tokens' order, so that the sum does not depend on how many they are. No barrier at the end.
inline void AddOuter(const Columns& dy, const Panels& x, int tokens, int64_t out, int64_t in,
                     float* dw, bool add) {
  constexpr int64_t kTall = 64;
#pragma omp for collapse(2) schedule(static) nowait
  for (int64_t j = 0; j < in; j += kPanel) {
    for (int64_t tall = 0; tall < out; tall += kTall) {
      for (int64_t i = tall; i < std::min(out, tall + kTall); i += 8) {
        Product(int(std::min<int64_t>(8, out - i)), kPanel, tokens, dy.at(i), 1, 8, x.at(j), kPanel,
                dw + i * in + j, in, add);
      }
    }
  }
}

// into [width] = or += Σ rows over a block of tokens, shared and ordered alike.
inline void AddRows(const float* rows, int tokens, int64_t width, float* into, bool add) {
#pragma omp for schedule(static) nowait
  for (int64_t j = 0; j < width; j += W) {
    Vec sum = add ? Load(into + j) : Vec{};
    for (int t = 0; t < tokens; t++) sum += Load(rows + t * width + j);
    Store(into + j, sum);
  }
}

}  // namespace srpo
