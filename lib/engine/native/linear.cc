// Linear layers. TensorFlow's own products are as fast on sizes that it has met before; for every new number of tokens it
// compiles anew, and ragged batches are nothing but new numbers.
#include "linear.h"

#include "op.h"

namespace srpo {
namespace {

constexpr int kRows = 64;

// (weight [out, in], 1 to pack its transpose [1]) -> [out / 32 rounded up, in, 32]
void PackLinear(void*, TF_OpKernelContext* context) {
  Call call(context);
  const bool transposed = call.ints(1)[0] == 1;
  const int64_t rows = call.dim(0, 0), columns = call.dim(0, 1);
  const int64_t out = transposed ? columns : rows, in = transposed ? rows : columns;
  const float* weight = call.floats(0);
  float* packed = call.out(0, {Padded(out) / kPanel, in, kPanel});
#pragma omp parallel for schedule(static)
  for (int64_t j = 0; j < Padded(out); j++) {
    float* column = packed + j / kPanel * in * kPanel + j % kPanel;
    const int64_t step = transposed ? columns : 1, start = transposed ? j : j * columns;
    for (int64_t k = 0; k < in; k++) column[k * kPanel] = j < out ? weight[start + k * step] : 0.0f;
  }
}

// (x [N, in], packed weight, out [1]) -> [N, out]
void ApplyLinear(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), in = call.dim(0, 1), out = call.ints(2)[0];
  const float *x = call.floats(0), *panels = call.floats(1);
  float* y = call.out(0, {n, out});
  const int64_t whole = out / kPanel * kPanel;
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < n; i += kRows) {
    const int rows = int(std::min<int64_t>(kRows, n - i));
    Linear(rows, in, whole, x + i * in, in, panels, y + i * out, out, false);
    if (whole == out) continue;
    float rest[kRows * kPanel];
    Linear(rows, in, kPanel, x + i * in, in, panels + whole * in, rest, kPanel, false);
    for (int r = 0; r < rows; r++) {
      std::copy_n(rest + r * kPanel, out - whole, y + (i + r) * out + whole);
    }
  }
}

}  // namespace

void RegisterLinear() {
  Register("SrpoPackLinear", {"weight: float", "transposed: int32"}, {"packed: float"}, PackLinear);
  Register("SrpoLinear", {"x: float", "packed: float", "out: int32"}, {"y: float"}, ApplyLinear);
}

}  // namespace srpo
