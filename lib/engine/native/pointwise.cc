// What is done to each number or head by itself: SwiGLU (arXiv 2002.05202), the rotary embedding with the projection's
// bias (arXiv 2104.09864), and their gradients; and the gradient of looking rows up in a table.
#include "op.h"
#include "vec.h"

namespace srpo {
namespace {

constexpr int64_t kChunk = 256;

inline Vec Sigmoid(Vec x) { return 1.0f / (1.0f + Exp(-x)); }

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

// (dy [N, F], gate and up [N, 2F]) -> [N, 2F]; silu' = s + g · s · (1 - s)
void SwigluGrad(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), f = call.dim(0, 1);
  const float *dy = call.floats(0), *x = call.floats(1);
  float* dx = call.out(0, {n, 2 * f});
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < f; j += W) {
      const int64_t gate = 2 * i * f + j, up = gate + f;
      const Vec g = Load(x + gate), s = Sigmoid(g), d = Load(dy + i * f + j), silu = g * s;
      Store(dx + gate, d * Load(x + up) * (s + silu * (1.0f - s)));
      Store(dx + up, d * silu);
    }
  }
}

// Turns the two halves of a head against each other: [a, b] -> [a·cos - b·sin, b·cos + a·sin]; backwards with -sin.
inline void Turn(const float* x, const float* bias, const float* cos, const float* sin, int64_t d,
                 float direction, float* y) {
  const int64_t half = d / 2;
  for (int64_t j = 0; j < half; j++) {
    const float a = x[j] + (bias ? bias[j] : 0.0f);
    const float b = x[j + half] + (bias ? bias[j + half] : 0.0f);
    const float c = cos[j], s = direction * sin[j];
    y[j] = a * c - b * s;
    y[j + half] = b * c + a * s;
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
      Turn(x + i * c + h * d, bias + h * d, cos + at, sin + at, d, 1.0f, y + i * c + h * d);
    }
    for (int64_t j = heads * d; j < c; j++) y[i * c + j] = x[i * c + j] + bias[j];
  }
}

// (dy [N, C], cos, sin, rows, heads) -> (dx [N, C], dbias [C])
void RotaryGrad(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), c = call.dim(0, 1), d = call.dim(1, 1);
  const float *dy = call.floats(0), *cos = call.floats(1), *sin = call.floats(2);
  const int32_t *row = call.ints(3), heads = call.ints(4)[0];
  float* dx = call.out(0, {n, c});
  float* dbias = call.out(1, {c});
  const int64_t chunks = (n + kChunk - 1) / kChunk;
  std::vector<float> partial(chunks * c, 0.0f);
#pragma omp parallel for schedule(static)
  for (int64_t k = 0; k < chunks; k++) {
    float* own = partial.data() + k * c;
    for (int64_t i = k * kChunk; i < std::min(n, (k + 1) * kChunk); i++) {
      const int64_t at = row[i] * d;
      for (int64_t h = 0; h < heads; h++) {
        Turn(dy + i * c + h * d, nullptr, cos + at, sin + at, d, -1.0f, dx + i * c + h * d);
      }
      std::copy(dy + i * c + heads * d, dy + (i + 1) * c, dx + i * c + heads * d);
      for (int64_t j = 0; j < c; j++) own[j] += dx[i * c + j];
    }
  }
  std::fill(dbias, dbias + c, 0.0f);
  for (int64_t k = 0; k < chunks; k++) {
    for (int64_t j = 0; j < c; j++) dbias[j] += partial[k * c + j];
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
  Register("SrpoSwigluGrad", {"dy: float", "x: float"}, {"dx: float"}, SwigluGrad);
  Register("SrpoRotary",
           {"x: float", "bias: float", "cos: float", "sin: float", "row: int32", "heads: int32"},
           {"y: float"}, Rotary);
  Register("SrpoRotaryGrad",
           {"dy: float", "cos: float", "sin: float", "row: int32", "heads: int32"},
           {"dx: float", "dbias: float"}, RotaryGrad);
  Register("SrpoScatterRows", {"dx: float", "rows: int32", "count: int32"}, {"table: float"},
           ScatterRows);
}

}  // namespace srpo
