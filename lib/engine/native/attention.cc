// Causal attention of a grouped batch, and its gradient: prompts attend to themselves, each of a prompt's completions to
// the prompt and to itself. Exactly the tokens there are: no padding, no mask, and the shares (softmax) live only a
// block of rows at a time, as in FlashAttention (arXiv 2205.14135).
#include <memory>

#include "op.h"
#include "vec.h"
#include "work.h"

namespace srpo {
namespace {

// Query rows that go through the keys together.
constexpr int kRows = 16;

// Where queries, keys and values lie in a row of the joined projection: H heads, then KV keys, then KV values.
struct Layout {
  int heads, kvHeads, d;
  int64_t width() const { return int64_t(heads + 2 * kvHeads) * d; }
  int64_t mixed() const { return int64_t(heads) * d; }
  int64_t query(int h) const { return int64_t(h) * d; }
  int64_t key(int kv) const { return int64_t(heads + kv) * d; }
  int64_t value(int kv) const { return int64_t(heads + kvHeads + kv) * d; }
  int shared() const { return heads / kvHeads; }
};

struct Batch {
  Field qkv;
  const int32_t *prompts, *completions;  // where each begins, and after the last where it ends
  int P, G;
  int longest() const {
    int prompt = 0, completion = 0;
    for (int p = 0; p < P; p++) prompt = std::max(prompt, prompts[p + 1] - prompts[p]);
    for (int r = 0; r < P * G; r++) {
      completion = std::max(completion, completions[r + 1] - completions[r]);
    }
    return RoundUp(prompt + completion);
  }
};

// Keys and values of one key/value head: those of a prompt, and after them those of one of its completions.
struct Pack {
  Pack(const Layout& at, int ld, bool gradient)
      : at(at), ld(ld), keysT(at.d * ld), values(at.d * ld) {
    if (!gradient) return;
    keys.resize(at.d * ld);
    valuesT.resize(at.d * ld);
    dKeys.resize(at.d * ld);
    dValues.resize(at.d * ld);
  }
  const Layout& at;
  const int ld;
  std::vector<float> keysT, values, keys, valuesT, dKeys, dValues;

  void load(const Field& qkv, int kv, int start, int length, int place) {
    for (int t = 0; t < length; t++) {
      const float* soon = qkv[start + std::min(t + 4, length - 1)];
      Prefetch(soon + at.key(kv), at.d);
      Prefetch(soon + at.value(kv), at.d);
      const float *k = qkv[start + t] + at.key(kv), *v = qkv[start + t] + at.value(kv);
      const int s = place + t;
      std::copy(v, v + at.d, values.data() + s * at.d);
      for (int j = 0; j < at.d; j++) keysT[j * ld + s] = k[j];
      if (keys.empty()) continue;
      std::copy(k, k + at.d, keys.data() + s * at.d);
      for (int j = 0; j < at.d; j++) valuesT[j * ld + s] = v[j];
    }
  }
  void clear(int from, int length) {
    std::fill_n(dKeys.begin() + from * at.d, length * at.d, 0.0f);
    std::fill_n(dValues.begin() + from * at.d, length * at.d, 0.0f);
  }
  void store(float* dqkv, int kv, int start, int length, int place) const {
    for (int t = 0; t < length; t++) {
      float* row = dqkv + (start + t) * at.width();
      std::copy_n(dKeys.data() + (place + t) * at.d, at.d, row + at.key(kv));
      std::copy_n(dValues.data() + (place + t) * at.d, at.d, row + at.value(kv));
    }
  }
};

// exp(scale · s - shift) over the first `valid` scores, 0 up to `keys`. @returns the sum
inline float Exponentials(float* s, int valid, int keys, float scale, float shift) {
  Vec sum{};
  int j = 0;
  for (; j + W <= valid; j += W) {
    const Vec e = Exp(Load(s + j) * scale - shift);
    Store(s + j, e);
    sum += e;
  }
  float total = Sum(sum);
  if (j < valid) {
    float tail[W];
    Store(tail, Exp(Load(s + j) * scale - shift));
    for (int i = 0; j + i < valid; i++) total += s[j + i] = tail[i];
  }
  for (j = valid; j < keys; j++) s[j] = 0.0f;
  return total;
}

inline float LargestOf(const float* s, int valid) {
  float most = s[0];
  int j = 0;
  if (valid >= W) {
    Vec largest = Load(s);
    for (j = W; j + W <= valid; j += W) largest = Max(largest, Load(s + j));
    most = Largest(largest);
  }
  for (; j < valid; j++) most = std::max(most, s[j]);
  return most;
}

void Forward(const Batch& batch, Pack& pack, int kv, int start, int length, int prefix, float* s,
             float* mixed, float* lse) {
  const Layout& at = pack.at;
  const float scale = 1.0f / std::sqrt(float(at.d));
  float totals[kRows];
  for (int h = kv * at.shared(); h < (kv + 1) * at.shared(); h++) {
    for (int t = 0; t < length; t += kRows) {
      const int rows = std::min(kRows, length - t), keys = prefix + t + rows;
      // A forward pass reads memory without an index: rows follow each other.
      const float* q = batch.qkv[start + t] + at.query(h);
      Product(rows, RoundUp(keys), at.d, q, at.width(), 1, pack.keysT.data(), pack.ld, s, pack.ld,
              false);
      for (int i = 0; i < rows; i++) {
        float* row = s + i * pack.ld;
        const int valid = prefix + t + i + 1;
        const float most = scale * LargestOf(row, valid);
        totals[i] = Exponentials(row, valid, keys, scale, most);
        lse[(start + t + i) * at.heads + h] = most + std::log(totals[i]);
      }
      float* out = mixed + (start + t) * at.mixed() + at.query(h);
      Product(rows, at.d, keys, s, pack.ld, 1, pack.values.data(), at.d, out, at.mixed(), false);
      for (int i = 0; i < rows; i++) {
        const float inverse = 1.0f / totals[i];
        for (int j = 0; j < at.d; j += W) {
          float* cell = out + i * at.mixed() + j;
          Store(cell, Load(cell) * inverse);
        }
      }
    }
  }
}

// (qkv [N, C], prompts [P + 1], completions [P·G + 1] or [1], heads, kvHeads, d [3]) -> (mixed [N, H·d], lse [N, H])
void Attention(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0);
  const Layout at{call.ints(3)[0], call.ints(3)[1], call.ints(3)[2]};
  if (at.d % W != 0) return call.fail("SrpoAttention: heads must be a multiple of 16 wide");
  const int P = int(call.size(1)) - 1;
  const Batch batch{Field(call.floats(0), at.width()), call.ints(1), call.ints(2), P,
                    int(call.size(2) - 1) / P};
  float* mixed = call.out(0, {n, at.mixed()});
  float* lse = call.out(1, {n, at.heads});
  const int64_t used = batch.completions[P * batch.G];
  std::fill(mixed + used * at.mixed(), mixed + n * at.mixed(), 0.0f);
  std::fill(lse + used * at.heads, lse + n * at.heads, 0.0f);
  const int ld = batch.longest();
#pragma omp parallel
  {
    Pack pack(at, ld, false);
    std::vector<float> s(kRows * ld);
#pragma omp for schedule(dynamic)
    for (int unit = 0; unit < P * at.kvHeads; unit++) {
      const int p = unit / at.kvHeads, kv = unit % at.kvHeads;
      const int start = batch.prompts[p], length = batch.prompts[p + 1] - start;
      pack.load(batch.qkv, kv, start, length, 0);
      Forward(batch, pack, kv, start, length, 0, s.data(), mixed, lse);
      for (int r = p * batch.G; r < (p + 1) * batch.G; r++) {
        const int from = batch.completions[r], own = batch.completions[r + 1] - from;
        pack.load(batch.qkv, kv, from, own, length);
        Forward(batch, pack, kv, from, own, length, s.data(), mixed, lse);
      }
    }
  }
}

// What the gradient reads of a token beside its keys and values.
struct Slopes {
  const float* dMixed;
  Field mixed, lse;
};

// With P = softmax(S): dS = P · (dP - Σ dO·O), the shares computed again from what the forward left of them.
void Backward(const Batch& batch, const Slopes& slopes, Pack& pack, int kv, int start, int length,
              int prefix, float* s, float* ds, float* dqkv) {
  const Layout& at = pack.at;
  const int ld = pack.ld;
  const float scale = 1.0f / std::sqrt(float(at.d));
  // Rows lie far apart; beside each other, the products find them in the first cache.
  std::vector<float> q(kRows * at.d), dOut(kRows * at.d);
  float lse[kRows], delta[kRows];
  for (int h = kv * at.shared(); h < (kv + 1) * at.shared(); h++) {
    for (int t = 0; t < length; t += kRows) {
      const int rows = std::min(kRows, length - t), keys = prefix + t + rows;
      for (int i = 0; i < rows; i++) {
        const int64_t token = start + t + i, soon = start + std::min(t + i + kRows, length - 1);
        Prefetch(batch.qkv[soon] + at.query(h), at.d);
        Prefetch(slopes.mixed[soon] + at.query(h), at.d);
        Prefetch(slopes.dMixed + soon * at.mixed() + at.query(h), at.d);
        const float* out = slopes.mixed[token] + at.query(h);
        const float* slope = slopes.dMixed + token * at.mixed() + at.query(h);
        std::copy_n(batch.qkv[token] + at.query(h), at.d, q.data() + i * at.d);
        Vec along{};
        for (int j = 0; j < at.d; j += W) {
          Store(dOut.data() + i * at.d + j, Load(slope + j));
          along += Load(out + j) * Load(slope + j);
        }
        delta[i] = Sum(along);
        lse[i] = slopes.lse[token][h];
      }
      Product(rows, RoundUp(keys), at.d, q.data(), at.d, 1, pack.keysT.data(), ld, s, ld, false);
      Product(rows, RoundUp(keys), at.d, dOut.data(), at.d, 1, pack.valuesT.data(), ld, ds, ld,
              false);
      for (int i = 0; i < rows; i++) {
        float *share = s + i * ld, *slope = ds + i * ld;
        Exponentials(share, prefix + t + i + 1, keys, scale, lse[i]);
        // The buffers end with whole vectors, and what lies beyond `keys` is not read.
        for (int j = 0; j < keys; j += W) {
          Store(slope + j, Load(share + j) * (Load(slope + j) - delta[i]) * scale);
        }
      }
      Product(keys, at.d, rows, s, 1, ld, dOut.data(), at.d, pack.dValues.data(), at.d, true);
      Product(keys, at.d, rows, ds, 1, ld, q.data(), at.d, pack.dKeys.data(), at.d, true);
      Product(rows, at.d, keys, ds, ld, 1, pack.keys.data(), at.d,
              dqkv + (start + t) * at.width() + at.query(h), at.width(), false);
    }
  }
}

// (dMixed [N, H·d], fields qkv, mixed, lse, their places [6], index, prompts, completions, heads kvHeads d)
// -> dqkv [N, C]
void AttentionGrad(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0);
  const int32_t *where = call.ints(4), *shape = call.ints(8);
  const Layout at{shape[0], shape[1], shape[2]};
  const int P = int(call.size(6)) - 1;
  const Batch batch{Field(call, 1, where, 5, at.width()), call.ints(6), call.ints(7), P,
                    int(call.size(7) - 1) / P};
  const Slopes slopes{call.floats(0), Field(call, 2, where + 2, 5, at.mixed()),
                      Field(call, 3, where + 4, 5, at.heads)};
  float* dqkv = call.out(0, {n, at.width()});
  std::fill(dqkv + batch.completions[P * batch.G] * at.width(), dqkv + n * at.width(), 0.0f);
  const int ld = batch.longest();
#pragma omp parallel
  {
    Pack pack(at, ld, true);
    std::vector<float> s(kRows * ld), ds(kRows * ld);
#pragma omp for schedule(dynamic)
    for (int unit = 0; unit < P * at.kvHeads; unit++) {
      const int p = unit / at.kvHeads, kv = unit % at.kvHeads;
      const int start = batch.prompts[p], length = batch.prompts[p + 1] - start;
      pack.load(batch.qkv, kv, start, length, 0);
      pack.clear(0, length);
      for (int r = p * batch.G; r < (p + 1) * batch.G; r++) {
        const int from = batch.completions[r], own = batch.completions[r + 1] - from;
        pack.load(batch.qkv, kv, from, own, length);
        pack.clear(length, own);
        Backward(batch, slopes, pack, kv, from, own, length, s.data(), ds.data(), dqkv);
        pack.store(dqkv, kv, from, own, length);
      }
      Backward(batch, slopes, pack, kv, start, length, 0, s.data(), ds.data(), dqkv);
      pack.store(dqkv, kv, start, length, 0);
    }
  }
}

}  // namespace

void RegisterAttention() {
  Register("SrpoAttention", {"qkv: float", "prompts: int32", "completions: int32", "shape: int32"},
           {"mixed: float", "lse: float"}, Attention);
  Register("SrpoAttentionGrad",
           {"dmixed: float", "qkv: float", "mixed: float", "lse: float", "where: int32",
            "index: int32", "prompts: int32", "completions: int32", "shape: int32"},
           {"dqkv: float"}, AttentionGrad);
}

}  // namespace srpo
