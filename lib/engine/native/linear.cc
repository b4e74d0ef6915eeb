// Linear layers and the gradients of their weights. TensorFlow's own products are as fast on sizes that it has met
// before; for every new number of tokens it compiles anew, and ragged batches are nothing but new numbers.
#include "linear.h"

#include "op.h"

namespace srpo {
namespace {

constexpr int kRows = 64;
// Tokens whose contributions to a weight's gradient are added up together.
constexpr int64_t kTokens = 256;

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

// (dy [N, out], x [N, in]) -> dyᵀ · x [out, in]
void WeightGrad(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), out = call.dim(0, 1), in = call.dim(1, 1);
  if (in % kPanel != 0) return call.fail("SrpoWeightGrad: inputs must be a multiple of 32 wide");
  const float *dy = call.floats(0), *x = call.floats(1);
  float* dw = call.out(0, {out, in});
  // A thread has rows of the gradient for itself and adds in the tokens' order, however many threads there are.
  const int64_t share = (out + Threads() - 1) / Threads(), rows = (share + 7) / 8 * 8;
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < out; first += rows) {
    const int64_t last = std::min(out, first + rows);
    std::vector<float> columns(kTokens * 8);
    for (int64_t t = 0; t < n; t += kTokens) {
      const int tokens = int(std::min(kTokens, n - t));
      for (int64_t i = first; i < last; i += 8) {
        const int height = int(std::min<int64_t>(8, last - i));
        for (int k = 0; k < tokens; k++) {
          std::copy_n(dy + (t + k) * out + i, height, columns.data() + k * 8);
        }
        for (int64_t j = 0; j < in; j += kPanel) {
          Product(height, kPanel, tokens, columns.data(), 1, 8, x + t * in + j, in,
                  dw + i * in + j, in, t > 0);
        }
      }
    }
  }
}

}  // namespace

void RegisterLinear() {
  Register("SrpoPackLinear", {"weight: float", "transposed: int32"}, {"packed: float"}, PackLinear);
  Register("SrpoLinear", {"x: float", "packed: float", "out: int32"}, {"y: float"}, ApplyLinear);
  Register("SrpoWeightGrad", {"dy: float", "x: float"}, {"dw: float"}, WeightGrad);
}

}  // namespace srpo
