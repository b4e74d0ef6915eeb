// What is done to each number or head by itself: SwiGLU (arXiv 2002.05202) and the rotary embedding with the projection's
// bias (arXiv 2104.09864); and the gradient of looking rows up in a table.
#include "op.h"
#include "vec.h"

namespace srpo {
namespace {

// (gate and up side by side [N, 2F]) -> silu(gate) · up [N, F]
void Swiglu(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), f = call.dim(0, 1) / 2;
  if (f % W != 0) return call.fail("SrpoSwiglu: the width must be a multiple of 16");
  const float* x = call.floats(0);
  float* y = call.out(0, {n, f});
#pragma omp parallel for schedule(static) if (n * f > 1 << 15)
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < f; j += W) {
      const Vec g = Load(x + 2 * i * f + j);
      Store(y + i * f + j, g * Sigmoid(g) * Load(x + 2 * i * f + f + j));
    }
  }
}

// Adds the bias and turns the two halves of a head against each other: [a, b] -> [a·cos - b·sin, b·cos + a·sin].
inline void Turn(const float* x, const float* bias, const float* cos, const float* sin, int64_t d,
                 float* y) {
  const int64_t half = d / 2;
  for (int64_t j = 0; j < half; j++) {
    const float a = x[j] + bias[j], b = x[j + half] + bias[j + half];
    y[j] = a * cos[j] - b * sin[j];
    y[j + half] = b * cos[j] + a * sin[j];
  }
}

// (x [N, C], bias [C], cos [U, d], sin [U, d], row of the tables [N], heads that turn [1]) -> [N, C]
void Rotary(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), c = call.dim(0, 1), d = call.dim(2, 1);
  const float *x = call.floats(0), *bias = call.floats(1), *cos = call.floats(2);
  const float* sin = call.floats(3);
  const int32_t *row = call.ints(4), heads = call.ints(5)[0];
  float* y = call.out(0, {n, c});
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; i++) {
    const int64_t at = row[i] * d;
    for (int64_t h = 0; h < heads; h++) {
      Turn(x + i * c + h * d, bias + h * d, cos + at, sin + at, d, y + i * c + h * d);
    }
    for (int64_t j = heads * d; j < c; j++) y[i * c + j] = x[i * c + j] + bias[j];
  }
}

// (dx [N, D], rows [N], rows of the table [1]) -> [rows, D]: the gradient of a look-up.
void ScatterRows(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), d = call.dim(0, 1), rows = call.ints(2)[0];
  const float* dx = call.floats(0);
  const int32_t* row = call.ints(1);
  float* table = call.out(0, {rows, d});
  std::fill(table, table + rows * d, 0.0f);
  // Columns, not rows, are shared out: two threads never meet in a row of the table.
#pragma omp parallel for schedule(static)
  for (int64_t j = 0; j < d; j += W) {
    const int64_t end = std::min(d, j + W);
    for (int64_t i = 0; i < n; i++) {
      float* into = table + row[i] * d;
      for (int64_t k = j; k < end; k++) into[k] += dx[i * d + k];
    }
  }
}

}  // namespace

void RegisterPointwise() {
  Register("SrpoSwiglu", {"x: float"}, {"y: float"}, Swiglu);
  Register("SrpoRotary",
           {"x: float", "bias: float", "cos: float", "sin: float", "row: int32", "heads: int32"},
           {"y: float"}, Rotary);
  Register("SrpoScatterRows", {"dx: float", "rows: int32", "count: int32"}, {"table: float"},
           ScatterRows);
}

}  // namespace srpo
