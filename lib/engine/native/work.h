// What a forward pass leaves for the gradient, wherever it lies.
#pragma once

#include "op.h"

namespace srpo {

// One number or vector a token. Token i is at row `index[i]` of the memory, or at row i without an index; -1 is a token
// that was never computed and reads as zeros.
class Field {
 public:
  // @param where for every field of an operation: its first number in its memory, and from row to row
  Field(const Call& call, int memory, const int32_t* where, int index, int64_t width)
      : first_(call.floats(memory) + where[0]),
        stride_(where[1]),
        index_(call.size(index) == 0 ? nullptr : call.ints(index)),
        zeros_(width, 0.0f) {}
  // Plain memory, a row a token.
  Field(const float* first, int64_t stride) : first_(first), stride_(stride), index_(nullptr) {}

  const float* operator[](int64_t token) const {
    const int64_t row = index_ == nullptr ? token : index_[token];
    return row < 0 ? zeros_.data() : first_ + row * stride_;
  }

 private:
  const float* first_;
  int64_t stride_;
  const int32_t* index_;
  std::vector<float> zeros_;
};

}  // namespace srpo
