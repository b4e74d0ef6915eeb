// Root-mean-square normalisation with the residual sum before it, and its gradient (arXiv 1910.07467, eq 4).
#include "op.h"
#include "vec.h"

namespace srpo {
namespace {

// Rows whose sums a thread collects before they are added up; fixed, so that the result does not depend on how many
// threads there are.
constexpr int64_t kChunk = 256;

// (x [N, D], delta [N, D] or [0, D], gain [D], eps [1]) -> (sum [N, D], normed [N, D], inverse [N])
void AddRmsNorm(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), d = call.dim(0, 1);
  if (d % W != 0) return call.fail("SrpoAddRmsNorm: the width must be a multiple of 16");
  const bool adds = call.size(1) != 0;
  const float *x = call.floats(0), *delta = call.floats(1), *gain = call.floats(2);
  const float eps = call.floats(3)[0];
  float* sum = call.out(0, {n, d});
  float* normed = call.out(1, {n, d});
  float* inverse = call.out(2, {n});
#pragma omp parallel for schedule(static) if (n * d > 1 << 15)
  for (int64_t i = 0; i < n; i++) {
    Vec squares{};
    for (int64_t j = 0; j < d; j += W) {
      Vec v = Load(x + i * d + j);
      if (adds) v += Load(delta + i * d + j);
      Store(sum + i * d + j, v);
      squares += v * v;
    }
    const float r = 1.0f / std::sqrt(Sum(squares) / d + eps);
    inverse[i] = r;
    for (int64_t j = 0; j < d; j += W) {
      Store(normed + i * d + j, Load(sum + i * d + j) * r * Load(gain + j));
    }
  }
}

// (dnormed [N, D], x [N, D], gain [D], inverse [N]) -> (dx [N, D], dgain [D])
// With u = x · inverse: dx = inverse · (g·dy - u · mean(g·dy·u)), dgain = Σ dy·u.
void RmsNormGrad(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(1, 0), d = call.dim(1, 1);
  const float *dy = call.floats(0), *x = call.floats(1), *gain = call.floats(2);
  const float* inverse = call.floats(3);
  float* dx = call.out(0, {n, d});
  float* dgain = call.out(1, {d});
  const int64_t chunks = (n + kChunk - 1) / kChunk;
  std::vector<float> partial(chunks * d, 0.0f);
#pragma omp parallel for schedule(static) if (chunks > 1)
  for (int64_t c = 0; c < chunks; c++) {
    float* own = partial.data() + c * d;
    for (int64_t i = c * kChunk; i < std::min(n, (c + 1) * kChunk); i++) {
      const float r = inverse[i];
      Vec along{};
      for (int64_t j = 0; j < d; j += W) {
        const Vec u = Load(x + i * d + j) * r, g = Load(dy + i * d + j);
        Store(own + j, Load(own + j) + g * u);
        along += g * Load(gain + j) * u;
      }
      const float mean = Sum(along) / d;
      for (int64_t j = 0; j < d; j += W) {
        const Vec u = Load(x + i * d + j) * r;
        Store(dx + i * d + j, r * (Load(dy + i * d + j) * Load(gain + j) - u * mean));
      }
    }
  }
  std::fill(dgain, dgain + d, 0.0f);
  for (int64_t c = 0; c < chunks; c++) {
    for (int64_t j = 0; j < d; j++) dgain[j] += partial[c * d + j];
  }
}

}  // namespace

void RegisterNorm() {
  Register("SrpoAddRmsNorm", {"x: float", "delta: float", "gain: float", "eps: float"},
           {"sum: float", "normed: float", "inverse: float"}, AddRmsNorm);
  Register("SrpoRmsNormGrad",
           {"dnormed: float", "x: float", "gain: float", "inverse: float"},
           {"dx: float", "dgain: float"}, RmsNormGrad);
}

}  // namespace srpo
