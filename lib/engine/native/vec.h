// Sixteen numbers at a time, whatever the processor's own width, and the few functions of them that attention and
// softmax need. GCC and Clang turn the type into one AVX-512, two AVX2 or four NEON registers.
#pragma once

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <cmath>
#include <cstdint>
#include <cstring>

namespace srpo {

constexpr int W = 16;
typedef float Vec __attribute__((vector_size(64), aligned(4)));
typedef int32_t IntVec __attribute__((vector_size(64), aligned(4)));

inline Vec Load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void Store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
// Spelled out: `Vec{} + x` would have to add, since 0 + -0 is not -0.
inline Vec Fill(float x) { return Vec{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
inline Vec Max(Vec a, Vec b) { return a > b ? a : b; }
inline Vec Min(Vec a, Vec b) { return a < b ? a : b; }

// The second half to the first, until one is left. AVX-512's own does the same, to the bit, without the way over memory.
inline float Sum(Vec v) {
#ifdef __AVX512F__
  return _mm512_reduce_add_ps(reinterpret_cast<__m512>(v));
#else
  float lanes[W];
  Store(lanes, v);
  for (int width = W / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  }
  return lanes[0];
#endif
}

inline float Largest(Vec v) {
#ifdef __AVX512F__
  return _mm512_reduce_max_ps(reinterpret_cast<__m512>(v));
#else
  float lanes[W];
  Store(lanes, v);
  for (int width = W / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) lanes[i] = std::max(lanes[i], lanes[i + width]);
  }
  return lanes[0];
#endif
}

// e^x: 2^n · e^r with |r| <= ln 2 / 2, e^r by its Taylor polynomial of degree 7. Within 2 units in the last place;
// below -87 the result is 0, above 88 that of 88, NaN stays NaN.
inline Vec Exp(Vec x) {
  const Vec bounded = Min(Fill(88.0f), x);  // in this order NaN passes
  const Vec magic = Fill(12582912.0f);  // 1.5 · 2^23: adding it rounds to a whole number
  const Vec n = (bounded * 1.44269504f + magic) - magic;
  const Vec r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = Fill(1.98412698e-4f);
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const IntVec bits = (__builtin_convertvector(n, IntVec) + 127) << 23;
  Vec scale;
  std::memcpy(&scale, &bits, sizeof scale);
  const Vec result = p * scale;
  return x < -87.0f ? Vec{} : result;
}

inline Vec Sigmoid(Vec x) { return 1.0f / (1.0f + Exp(-x)); }

// Asks for a row that is soon to be read: rows of a tape lie far apart, and nothing else foresees them.
inline void Prefetch(const float* row, int64_t width) {
  for (int64_t j = 0; j < width; j += W) __builtin_prefetch(row + j);
}

// The same where it need not come nearer than the second cache.
inline void PrefetchFar(const float* row, int64_t width) {
  for (int64_t j = 0; j < width; j += W) __builtin_prefetch(row + j, 0, 2);
}

// C[m, n] = or += A[m, k] · B[k, n] for the small products of attention: n is a multiple of 16, A may be transposed
// by its strides. Register blocks of 8 x 32 keep the multiplier busy.
template <int M, int N>
inline void Block(int k, const float* a, int64_t row, int64_t column, const float* b, int64_t ldb,
                  float* c, int64_t ldc, bool add) {
  Vec sum[M][N];
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) sum[i][j] = add ? Load(c + i * ldc + j * W) : Vec{};
  }
  for (int p = 0; p < k; p++) {
    Vec right[N];
    for (int j = 0; j < N; j++) right[j] = Load(b + p * ldb + j * W);
    for (int i = 0; i < M; i++) {
      const Vec left = Fill(a[i * row + p * column]);
      for (int j = 0; j < N; j++) sum[i][j] += left * right[j];
    }
  }
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) Store(c + i * ldc + j * W, sum[i][j]);
  }
}

template <int M>
inline void Strip(int n, int k, const float* a, int64_t row, int64_t column, const float* b,
                  int64_t ldb, float* c, int64_t ldc, bool add) {
  int j = 0;
  for (; j + 2 * W <= n; j += 2 * W) Block<M, 2>(k, a, row, column, b + j, ldb, c + j, ldc, add);
  if (j < n) Block<M, 1>(k, a, row, column, b + j, ldb, c + j, ldc, add);
}

inline void Product(int m, int n, int k, const float* a, int64_t row, int64_t column, const float* b,
                    int64_t ldb, float* c, int64_t ldc, bool add) {
  int i = 0;
  for (; i + 8 <= m; i += 8) Strip<8>(n, k, a + i * row, row, column, b, ldb, c + i * ldc, ldc, add);
  for (; i + 4 <= m; i += 4) Strip<4>(n, k, a + i * row, row, column, b, ldb, c + i * ldc, ldc, add);
  for (; i < m; i++) Strip<1>(n, k, a + i * row, row, column, b, ldb, c + i * ldc, ldc, add);
}

inline int RoundUp(int n) { return (n + W - 1) / W * W; }

}  // namespace srpo
