// Memory that outlives a step and is written in place.
#include "op.h"

namespace srpo {
namespace {

// (numbers of the output's shape) -> memory with nothing in it
void Empty(void*, TF_OpKernelContext* context) {
  Call call(context);
  std::vector<int64_t> shape(call.ints(0), call.ints(0) + call.size(0));
  call.out(0, shape);
}

// (one field of some tokens [n, width], tape [L, T, S], layer, offset in a row, first row [3]) -> nothing [0]
void WriteTape(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), width = call.dim(0, 1), stride = call.dim(1, 2);
  const float* values = call.floats(0);
  const int32_t* which = call.ints(2);
  float* to = call.cache(1) + (which[0] * call.dim(1, 1) + which[2]) * stride + which[1];
  for (int64_t i = 0; i < n; i++) std::copy_n(values + i * width, width, to + i * stride);
  call.out(0, {0});
}

}  // namespace

void RegisterTape() {
  Register("SrpoEmpty", {"shape: int32"}, {"memory: float"}, Empty);
  Register("SrpoWriteTape", {"values: float", "tape: float", "which: int32"}, {"nothing: float"},
           WriteTape);
}

}  // namespace srpo
