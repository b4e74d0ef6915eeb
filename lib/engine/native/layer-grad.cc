// A decoder layer's gradient on both sides of attention. Tokens go through in blocks: a block's slopes, and its share of
// every parameter's gradient, are computed while it is in the cache, and what follows from the forward pass at the price of
// a copy (norms, gated values) is made again there. Of all tokens' slopes only the residual stream's and attention's are
// ever in memory.
#include "op.h"
#include "outer.h"
#include "work.h"

namespace srpo {
namespace {

// Tokens of a block: half as many or twice as many take as long.
constexpr int kTokens = 64;

// x · inverse · gain into the panels. @returns the inverse of x's root mean square (arXiv 1910.07467, eq 4)
float Normalise(const float* x, int64_t d, const float* gain, float eps, int token, Panels& normed) {
  Vec squares{};
  for (int64_t j = 0; j < d; j += W) squares += Load(x + j) * Load(x + j);
  const float r = 1.0f / std::sqrt(Sum(squares) / d + eps);
  for (int64_t j = 0; j < d; j += W) normed.put(token, j, Load(x + j) * r * Load(gain + j));
  return r;
}

// With u = x · r: dx = dsum + r · (g·dy - u · mean(g·dy·u)), dgain = Σ dy·u.
// @param dsum what flows into x beside the norm @param dgain to which this token's share is added
void NormaliseGrad(const float* dy, const float* dsum, const float* x, const float* gain, float r,
                   int64_t d, float* dx, float* dgain) {
  Vec along{};
  for (int64_t j = 0; j < d; j += W) {
    const Vec share = Load(dy + j) * Load(x + j) * r;
    Store(dgain + j, Load(dgain + j) + share);
    along += share * Load(gain + j);
  }
  const float mean = Sum(along) / d;
  for (int64_t j = 0; j < d; j += W) {
    const Vec u = Load(x + j) * r;
    Store(dx + j, Load(dsum + j) + r * (Load(dy + j) * Load(gain + j) - u * mean));
  }
}

// silu(gate) · up (arXiv 2002.05202) into the panels, and the slopes of gate and up; silu' = s + g · s · (1 - s).
// @param next the next token's gate and up, asked for on the way @param slopes `[2F]`
void GateGrad(const float* dGated, const float* gateUp, const float* next, int64_t f, int token,
              Panels& gated, float* slopes, Columns& columns) {
  for (int64_t j = 0; j < f; j += W) {
    Prefetch(next + j, 1);
    Prefetch(next + f + j, 1);
    const Vec g = Load(gateUp + j), up = Load(gateUp + f + j), d = Load(dGated + j);
    const Vec s = Sigmoid(g), silu = g * s;
    gated.put(token, j, silu * up);
    const Vec dGate = d * up * (s + silu * (1.0f - s)), dUp = d * silu;
    Store(slopes + j, dGate);
    Store(slopes + f + j, dUp);
    columns.put(token, j, dGate);
    columns.put(token, f + j, dUp);
  }
}

// (what flows in [N, D], fields y, gate and up, mixed, their places [6], index, norm's gain [D], packed transposes of gate
//  and up, down and output, eps [1]) -> (dY [N, D], dMixed [N, M], gradients of down [D, F], gate and up [2F, D],
//  output [D, M], gain [D])
// Of out = y + down(gated), gated = swiglu(gateUp(norm(y))), y = x + output(mixed).
void AfterAttentionGrad(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), D = call.dim(0, 1), F2 = call.dim(7, 1), F = F2 / 2;
  const int64_t M = call.dim(9, 0) * kPanel;
  const float *dOut = call.floats(0), *gain = call.floats(6), *gateUpT = call.floats(7);
  const float *downT = call.floats(8), *outputT = call.floats(9), eps = call.floats(10)[0];
  const int32_t* where = call.ints(4);
  const Field y(call, 1, where, 5, D), gateUp(call, 2, where + 2, 5, F2);
  const Field mixed(call, 3, where + 4, 5, M);
  float *dY = call.out(0, {n, D}), *dMixed = call.out(1, {n, M}), *dDown = call.out(2, {D, F});
  float *dGateUp = call.out(3, {F2, D}), *dOutput = call.out(4, {D, M}), *dGain = call.out(5, {D});

  Slices slices(n, kTokens, {{dDown, D * F}, {dGateUp, F2 * D}, {dOutput, D * M}, {dGain, D}});
#pragma omp parallel
  {
    Columns outs(kTokens, D), gates(kTokens, F2), ys(kTokens, D);
    Panels gated(kTokens, F), normed(kTokens, D), mixes(kTokens, M);
    std::vector<float> dGated(kTokens * F), slopes(kTokens * F2), dNormed(kTokens * D);
    std::vector<float> inverse(kTokens);
#pragma omp for schedule(dynamic)
    for (int s = 0; s < slices.count(); s++) {
      float* dGains = slices.sum(s, 3);
      std::fill_n(dGains, D, 0.0f);
      for (int64_t at = slices.start(s); at < slices.start(s + 1); at += kTokens) {
        const int count = int(std::min<int64_t>(kTokens, slices.start(s + 1) - at));
        Linear(count, D, F, dOut + at * D, D, downT, dGated.data(), F, false);
        for (int i = 0; i < count; i++) {
          inverse[i] = Normalise(y[at + i], D, gain, eps, i, normed);
          GateGrad(dGated.data() + i * F, gateUp[at + i], gateUp[std::min(n - 1, at + i + 1)], F, i,
                   gated, slopes.data() + i * F2, gates);
          outs.putRow(i, dOut + (at + i) * D, D);
          mixes.putRow(i, mixed[at + i], M);
        }
        Linear(count, F2, D, slopes.data(), F2, gateUpT, dNormed.data(), D, false);
        for (int i = 0; i < count; i++) {
          float* row = dY + (at + i) * D;
          NormaliseGrad(dNormed.data() + i * D, dOut + (at + i) * D, y[at + i], gain, inverse[i], D,
                        row, dGains);
          ys.putRow(i, row, D);
        }
        Linear(count, D, M, dY + at * D, D, outputT, dMixed + at * M, M, false);
        const bool add = at > slices.start(s);
        AddOuter(outs, gated, count, D, F, slices.sum(s, 0), add);
        AddOuter(gates, normed, count, F2, D, slices.sum(s, 1), add);
        AddOuter(ys, mixes, count, D, M, slices.sum(s, 2), add);
      }
    }
  }
  slices.add();
}

// Turns the two halves of a head back: [a, b] -> [a·cos + b·sin, b·cos - a·sin] (arXiv 2104.09864).
void TurnBack(const float* x, const float* cos, const float* sin, int64_t d, float* y) {
  const int64_t half = d / 2;
  for (int64_t j = 0; j < half; j++) {
    y[j] = x[j] * cos[j] + x[j + half] * sin[j];
    y[j + half] = x[j + half] * cos[j] - x[j] * sin[j];
  }
}

// (slopes of turned projections [N, C], what flows into x beside the norm [N, D], field x, its place [2], index, norm's
//  gain [D], packed transpose of qkv, cos [U, d], sin [U, d], rows of the tables [N], heads that turn [1], eps [1])
// -> (dx [N, D], gradients of qkv [C, D], its bias [C], gain [D])
void BeforeAttentionGrad(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(1, 0), D = call.dim(1, 1), C = call.dim(0, 1), d = call.dim(7, 1);
  const float *dTurned = call.floats(0), *dSum = call.floats(1), *gain = call.floats(5);
  const float *qkvT = call.floats(6), *cos = call.floats(7), *sin = call.floats(8);
  const int32_t *row = call.ints(9), heads = call.ints(10)[0];
  const float eps = call.floats(11)[0];
  const Field x(call, 2, call.ints(3), 4, D);
  float *dx = call.out(0, {n, D}), *dQkv = call.out(1, {C, D}), *dBias = call.out(2, {C});
  float* dGain = call.out(3, {D});

  Slices slices(n, kTokens, {{dQkv, C * D}, {dBias, C}, {dGain, D}});
#pragma omp parallel
  {
    Columns projections(kTokens, C);
    Panels normed(kTokens, D);
    std::vector<float> slopes(kTokens * C), dNormed(kTokens * D), inverse(kTokens);
#pragma omp for schedule(dynamic)
    for (int s = 0; s < slices.count(); s++) {
      float *dBiases = slices.sum(s, 1), *dGains = slices.sum(s, 2);
      std::fill_n(dBiases, C, 0.0f);
      std::fill_n(dGains, D, 0.0f);
      for (int64_t at = slices.start(s); at < slices.start(s + 1); at += kTokens) {
        const int count = int(std::min<int64_t>(kTokens, slices.start(s + 1) - at));
        for (int i = 0; i < count; i++) {
          Prefetch(x[std::min(n - 1, at + i + 2)], D);
          const float *from = dTurned + (at + i) * C, *c = cos + row[at + i] * d;
          float* slope = slopes.data() + i * C;
          for (int64_t h = 0; h < heads; h++) {
            TurnBack(from + h * d, c, sin + row[at + i] * d, d, slope + h * d);
          }
          std::copy(from + heads * d, from + C, slope + heads * d);
          for (int64_t j = 0; j < C; j++) dBiases[j] += slope[j];
          projections.putRow(i, slope, C);
          inverse[i] = Normalise(x[at + i], D, gain, eps, i, normed);
        }
        Linear(count, C, D, slopes.data(), C, qkvT, dNormed.data(), D, false);
        for (int i = 0; i < count; i++) {
          Prefetch(dSum + std::min(n - 1, at + i + 4) * D, D);
          NormaliseGrad(dNormed.data() + i * D, dSum + (at + i) * D, x[at + i], gain, inverse[i], D,
                        dx + (at + i) * D, dGains);
        }
        AddOuter(projections, normed, count, C, D, slices.sum(s, 0), at > slices.start(s));
      }
    }
  }
  slices.add();
}

}  // namespace

void RegisterLayerGrad() {
  Register("SrpoAfterAttentionGrad",
           {"dout: float", "y: float", "gateup: float", "mixed: float", "where: int32",
            "index: int32", "gain: float", "gateupt: float", "downt: float", "outputt: float",
            "eps: float"},
           {"dy: float", "dmixed: float", "ddown: float", "dgateup: float", "doutput: float",
            "dgain: float"},
           AfterAttentionGrad);
  Register("SrpoBeforeAttentionGrad",
           {"dturned: float", "dsum: float", "x: float", "where: int32", "index: int32",
            "gain: float", "qkvt: float", "cos: float", "sin: float", "row: int32",
            "heads: int32", "eps: float"},
           {"dx: float", "dqkv: float", "dbias: float", "dgain: float"}, BeforeAttentionGrad);
}

}  // namespace srpo
