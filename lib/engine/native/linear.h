// Products with a weight that has been packed for them.
#pragma once

#include "vec.h"

namespace srpo {

// A packed weight lies in panels of 32 outputs, `[in, 32]` each: one row of a panel is two vectors.
constexpr int kPanel = 2 * W;

inline int64_t Padded(int64_t n) { return (n + kPanel - 1) / kPanel * kPanel; }

// c = or += a · weightᵀ, eight rows of `a` at a time; `c` has room for whole panels.
inline void Linear(int rows, int64_t in, int64_t out, const float* a, int64_t lda,
                   const float* panels, float* c, int64_t ldc, bool add) {
  for (int64_t j = 0; j < out; j += kPanel) {
    Product(rows, kPanel, int(in), a, lda, 1, panels + j * in, kPanel, c + j, ldc, add);
  }
}

}  // namespace srpo
