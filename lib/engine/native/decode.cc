// One token further for many rows: the whole decoder, from the tokens just drawn to the next ones, with caches that are
// written in place. Rows do not depend on each other, so that each thread takes some of them through all layers.
#ifdef __SSE__
#include <immintrin.h>
#endif

#include "linear.h"
#include "op.h"

namespace srpo {
namespace {

// Rows that go through the layers together: enough to use a panel well, few enough to stay in the second cache.
constexpr int kRows = 64;

struct Shape {
  explicit Shape(const int32_t* s)
      : hidden(s[0]), inner(s[1]), heads(s[2]), kvHeads(s[3]), d(s[4]), layers(s[5]), vocabulary(s[6]),
        longest(s[7]) {}
  int hidden, inner, heads, kvHeads, d, layers, vocabulary;
  // Tokens of a slot on the tape.
  int longest;
  int projected() const { return (heads + 2 * kvHeads) * d; }
  int mixed() const { return heads * d; }
};

// The decoder's parameters end to end, layer by layer, then the final norm and the head.
struct Weights {
  const float *inputNorm, *qkv, *bias, *output, *mlpNorm, *gateUp, *down;
  Weights(const float* all, const Shape& s, int layer) {
    const float* at = all + layer * Size(s);
    const auto take = [&at](int64_t n) { return (at += n) - n; };
    inputNorm = take(s.hidden);
    qkv = take(Padded(s.projected()) * s.hidden);
    bias = take(s.projected());
    output = take(Padded(s.hidden) * s.mixed());
    mlpNorm = take(s.hidden);
    gateUp = take(Padded(2 * s.inner) * s.hidden);
    down = take(Padded(s.hidden) * s.inner);
  }
  static int64_t Size(const Shape& s) {
    return 2 * s.hidden + s.projected() + Padded(s.projected()) * s.hidden +
           Padded(s.hidden) * s.mixed() + Padded(2 * s.inner) * s.hidden + Padded(s.hidden) * s.inner;
  }
};

// A cache holds rows of blocks of 16 tokens, `[KV, 2, 16 · d]`: keys as `[d, 16]`, so that one vector holds the same
// component of 16 keys, then values as `[16, d]`. What a row has is in one piece: few pages, read in order.
struct Cache {
  float* data;
  int blocks, kvHeads, d;
  int64_t stride() const { return int64_t(kvHeads) * 2 * W * d; }
  float* row(int64_t index) const { return data + index * blocks * stride(); }
  float* keys(int64_t index, int kv) const { return row(index) + int64_t(kv) * 2 * W * d; }
  void write(int64_t index, int kv, int place, const float* k, const float* v) const {
    float* block = keys(index, kv) + place / W * stride();
    for (int j = 0; j < d; j++) block[j * W + place % W] = k[j];
    std::copy(v, v + d, block + W * d + place % W * d);
  }
};

// (rotated projections of prompts [N, C], prompts [P + 1], heads kvHeads d blocks [4]) -> cache [P, blocks, KV · 2 · 16 · d]
void PackPrompts(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t c = call.dim(0, 1);
  const float* qkv = call.floats(0);
  const int32_t *starts = call.ints(1), *shape = call.ints(2);
  const int P = int(call.size(1)) - 1, heads = shape[0], kvHeads = shape[1], d = shape[2];
  const int64_t stride = int64_t(kvHeads) * 2 * W * d;
  const Cache cache{call.out(0, {P, shape[3], stride}), shape[3], kvHeads, d};
  std::fill_n(cache.data, P * shape[3] * stride, 0.0f);
  for (int p = 0; p < P; p++) {
    for (int t = starts[p]; t < starts[p + 1]; t++) {
      for (int kv = 0; kv < kvHeads; kv++) {
        cache.write(p, kv, t - starts[p], qkv + t * c + (heads + kv) * d,
                    qkv + t * c + (heads + kvHeads + kv) * d);
      }
    }
  }
}

// Scores of B blocks of 16 keys, `stride` apart, under H query heads, `d` apart.
// @param ahead from each key to the one that is asked for meanwhile: the next row's, which no one else would foresee
template <int H, int B>
inline void ScoreBlocks(const float* keys, int64_t stride, int d, const float* q, float* s,
                        int64_t ld, int64_t ahead) {
  Vec sum[H][B] = {};
  for (int j = 0; j < d; j++) {
    Vec key[B];
    for (int b = 0; b < B; b++) {
      key[b] = Load(keys + b * stride + j * W);
      PrefetchFar(keys + b * stride + j * W + ahead, W);
    }
    for (int h = 0; h < H; h++) {
      for (int b = 0; b < B; b++) sum[h][b] += q[h * d + j] * key[b];
    }
  }
  for (int h = 0; h < H; h++) {
    for (int b = 0; b < B; b++) Store(s + h * ld + b * W, sum[h][b]);
  }
}

// Scores of `count` cached keys; whole blocks, what lies beyond `count` has no meaning.
template <int H>
inline void Scores(const Cache& cache, int row, int kv, int count, const float* q, float* s,
                   int64_t ld, int64_t ahead) {
  const float* keys = cache.keys(row, kv);
  const int64_t stride = cache.stride();
  int at = 0;
  for (; at + W < count; at += 2 * W, keys += 2 * stride) {
    ScoreBlocks<H, 2>(keys, stride, cache.d, q, s + at, ld, ahead);
  }
  if (at < count) ScoreBlocks<H, 1>(keys, stride, cache.d, q, s + at, ld, ahead);
}

// Adds `count` values by their shares to components `from` to `from` + 32 of H heads.
template <int H>
inline void AddValues(const Cache& cache, int row, int kv, int count, int from, const float* shares,
                      int64_t ld, int64_t ahead, Vec (&sum)[H][2]) {
  const int d = cache.d;
  const float* values = cache.keys(row, kv) + W * d + from;
  Vec other[H][2] = {};
  for (int at = 0; at < count; at += W, values += cache.stride()) {
    // A whole block: shares beyond `count` are 0, and so is memory that was never written.
    for (int t = 0; t < W; t += 2) {
      const float *first = values + t * d, *second = first + d;
      PrefetchFar(first + ahead, 2 * W);
      PrefetchFar(second + ahead, 2 * W);
      for (int h = 0; h < H; h++) {
        for (int v = 0; v < 2; v++) {
          sum[h][v] += shares[h * ld + at + t] * Load(first + v * W);
          other[h][v] += shares[h * ld + at + t + 1] * Load(second + v * W);
        }
      }
    }
  }
  for (int h = 0; h < H; h++) {
    for (int v = 0; v < 2; v++) sum[h][v] += other[h][v];
  }
}

// Where a row reads and writes, and how far on in the cache the row after it does.
struct Place {
  int slot, prompt, promptLength, written, position;
  int64_t ahead = 0;
};

// H query heads of one key/value head, all from the prompt's and the row's own keys. @param s scratch `[H, ld]`
template <int H>
void Attend(const Cache& prompt, const Cache& own, const Place& at, int kv, const float* q,
            float* out, float* lse, float* s, int64_t ld) {
  const int d = own.d, length = at.promptLength, count = at.written + 1;
  const float scale = 1.0f / std::sqrt(float(d));
  // Both kinds of keys come in whole blocks; what fills the blocks up must not count.
  const int start = RoundUp(length), all = start + RoundUp(count);
  Scores<H>(prompt, at.prompt, kv, length, q, s, ld, 0);
  Scores<H>(own, at.slot, kv, count, q, s + start, ld, at.ahead);
  float inverse[H];
  for (int h = 0; h < H; h++) {
    float* scores = s + h * ld;
    std::fill(scores + length, scores + start, -INFINITY);
    std::fill(scores + start + count, scores + all, -INFINITY);
    Vec most = Load(scores);
    for (int j = W; j < all; j += W) most = Max(most, Load(scores + j));
    const float top = Largest(most) * scale;
    Vec sum{};
    for (int j = 0; j < all; j += W) {
      const Vec e = Exp(Load(scores + j) * scale - top);
      Store(scores + j, e);
      sum += e;
    }
    const float total = Sum(sum);
    inverse[h] = 1.0f / total;
    lse[h] = top + std::log(total);
  }
  for (int j = 0; j < d; j += 2 * W) {
    Vec sum[H][2] = {};
    AddValues<H>(prompt, at.prompt, kv, length, j, s, ld, 0, sum);
    AddValues<H>(own, at.slot, kv, count, j, s + start, ld, at.ahead, sum);
    for (int h = 0; h < H; h++) {
      for (int v = 0; v < 2; v++) Store(out + h * d + j + v * W, sum[h][v] * inverse[h]);
    }
  }
}

// Adds the bias, turns queries and keys, remembers key and value, and attends. @param x projections, changed in place
void AttendRow(float* x, const float* bias, const float* cos, const float* sin, const Cache& prompt,
               const Cache& own, const Place& at, const Shape& shape, float* mixed, float* lse,
               float* s, int64_t ld) {
  const int d = shape.d, half = d / 2, g = shape.heads / shape.kvHeads;
  for (int j = 0; j < shape.projected(); j++) x[j] += bias[j];
  for (int h = 0; h < shape.heads + shape.kvHeads; h++) {
    float *a = x + h * d, *b = a + half;
    for (int j = 0; j < half; j++) {
      const float first = a[j], second = b[j];
      a[j] = first * cos[j] - second * sin[j];
      b[j] = second * cos[j] + first * sin[j];
    }
  }
  for (int kv = 0; kv < shape.kvHeads; kv++) {
    own.write(at.slot, kv, at.written, x + (shape.heads + kv) * d,
              x + (shape.heads + shape.kvHeads + kv) * d);
    int h = kv * g;
    for (; h + 2 <= (kv + 1) * g; h += 2) {
      Attend<2>(prompt, own, at, kv, x + h * d, mixed + h * d, lse + h, s, ld);
    }
    if (h < (kv + 1) * g) {
      Attend<1>(prompt, own, at, kv, x + h * d, mixed + h * d, lse + h, s, ld);
    }
  }
}

// Writes what nobody reads soon past the caches, in whole vectors: `to` is aligned to them (TensorFlow's memory begins at a
// multiple of 64 bytes, a row of a tape is a multiple of it long), `from` has room.
inline void Stream(const float* from, int64_t count, float* to) {
#if defined(__AVX512F__)
  for (int64_t i = 0; i < count; i += W) _mm512_stream_ps(to + i, _mm512_loadu_ps(from + i));
#elif defined(__SSE__)
  for (int64_t i = 0; i < count; i += 4) _mm_stream_ps(to + i, _mm_loadu_ps(from + i));
#else
  std::copy_n(from, count, to);
#endif
}

// What a training step needs again of every token and layer: the stream that enters `[D]`, turned projections `[C]`,
// mixed values `[H·d]` and their log-sums `[H]`, the stream after attention `[D]`, gate and up `[2F]`, each from a
// multiple of 16 on.
struct Tape {
  float* data;
  int64_t tokens;
  const Shape& shape;
  enum Field { kEntering, kProjected, kMixed, kLse, kAttended, kGateUp, kEnd };
  int64_t offset(Field field) const {
    const int64_t widths[] = {shape.hidden,  shape.projected(), shape.mixed(),
                              shape.heads, shape.hidden,      2 * shape.inner};
    int64_t at = 0;
    for (int i = 0; i < field; i++) at += RoundUp(int(widths[i]));
    return at;
  }
  void write(int layer, const Place& at, Field field, const float* values) const {
    if (data == nullptr) return;
    const int64_t token = layer * tokens + at.slot * int64_t(shape.longest) + at.written;
    Stream(values, offset(Field(field + 1)) - offset(field),
           data + token * offset(kEnd) + offset(field));
  }
};

void RmsNorm(int rows, int d, const float* x, const float* gain, float eps, float* y, int64_t ld) {
  for (int i = 0; i < rows; i++) {
    Vec squares{};
    for (int j = 0; j < d; j += W) squares += Load(x + i * ld + j) * Load(x + i * ld + j);
    const float r = 1.0f / std::sqrt(Sum(squares) / d + eps);
    for (int j = 0; j < d; j += W) Store(y + i * ld + j, Load(x + i * ld + j) * r * Load(gain + j));
  }
}

void Gate(int rows, int inner, float* gateUp, int64_t ld) {
  for (int i = 0; i < rows; i++) {
    float *gate = gateUp + i * ld, *up = gate + inner;
    for (int j = 0; j < inner; j += W) {
      const Vec g = Load(gate + j);
      Store(gate + j, g / (1.0f + Exp(-g)) * Load(up + j));
    }
  }
}

struct Drawn {
  float token, logprob, entropy;
};

// The first token whose cumulated share exceeds the uniform; at temperature 0 the likeliest. Log-probability and
// entropy are those at temperature 1. @param x logits `[V]`, room up to a whole vector @param e scratch of that size
Drawn DrawRow(float* x, int vocabulary, float uniform, float temperature, float* e) {
  const int whole = RoundUp(vocabulary);
  std::fill(x + vocabulary, x + whole, -INFINITY);
  Vec largest = Load(x);
  for (int j = W; j < whole; j += W) largest = Max(largest, Load(x + j));
  const float most = Largest(largest);
  Vec total{}, moment{};
  for (int j = 0; j < whole; j += W) {
    const Vec shifted = Load(x + j) - most, exponential = Exp(shifted);
    Store(e + j, exponential);
    total += exponential;
    // Beyond -87 the share is 0, and 0 · -inf would be no number.
    moment += exponential * Max(shifted, Fill(-87.0f));
  }
  const float sum = Sum(total), lse = std::log(sum);
  int token = 0;
  if (temperature == 0) {
    while (token < vocabulary - 1 && x[token] != most) token++;
  } else {
    if (temperature != 1) {
      for (int j = 0; j < whole; j += W) Store(e + j, Exp((Load(x + j) - most) / temperature));
    }
    double weight = 0;
    for (int j = 0; j < whole; j += W) weight += Sum(Load(e + j));
    const double target = double(uniform) * weight;
    double cumulated = 0;
    int block = 0;
    for (; block + W < whole; block += W) {
      const double next = cumulated + Sum(Load(e + block));
      if (next > target) break;
      cumulated = next;
    }
    for (token = block; token < vocabulary - 1; token++) {
      cumulated += e[token];
      if (cumulated > target) break;
    }
  }
  return {float(token), x[token] - most - lse, lse - Sum(moment) / sum};
}

// (logits [A, V], uniforms [A], temperature [1]) -> [3, A]: token, log-probability, entropy
void Draw(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t rows = call.dim(0, 0), vocabulary = call.dim(0, 1);
  const float *logits = call.floats(0), *uniforms = call.floats(1);
  const float temperature = call.floats(2)[0];
  float* out = call.out(0, {3, rows});
#pragma omp parallel
  {
    std::vector<float> x(RoundUp(int(vocabulary))), e(x.size());
#pragma omp for schedule(static)
    for (int64_t i = 0; i < rows; i++) {
      std::copy_n(logits + i * vocabulary, vocabulary, x.begin());
      const Drawn drawn = DrawRow(x.data(), int(vocabulary), uniforms[i], temperature, e.data());
      out[i] = drawn.token;
      out[rows + i] = drawn.logprob;
      out[2 * rows + i] = drawn.entropy;
    }
  }
}

// (tokens [A], places [A, 5], embedding [V, D], weights, cos [U, d], sin [U, d], prompt caches [L, P, blocks, S],
//  own caches [L, R, blocks, S], uniforms [A], temperature and epsilon [2], shape [8], tape [L, T, S] and streams that
//  leave the last layer [1, T, D], a slot's `longest` tokens after the other's, or both empty) -> drawn [3, A]
// The own caches and the tape are written in place.
void DecodeStep(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int rows = int(call.size(0));
  const int32_t *tokens = call.ints(0), *places = call.ints(1);
  const float *embedding = call.floats(2), *weights = call.floats(3);
  const float *cos = call.floats(4), *sin = call.floats(5), *uniforms = call.floats(8);
  const float temperature = call.floats(9)[0], eps = call.floats(9)[1];
  const Shape shape(call.ints(10));
  const int D = shape.hidden, C = shape.projected(), F = shape.inner, d = shape.d;
  const int64_t promptSize = call.size(6) / shape.layers, ownSize = call.size(7) / shape.layers;
  const int promptBlocks = int(call.dim(6, 2)), ownBlocks = int(call.dim(7, 2));
  const float* final = weights + shape.layers * Weights::Size(shape);
  const bool records = call.size(11) != 0;
  const Tape tape{records ? call.cache(11) : nullptr, records ? call.dim(11, 1) : 0, shape};
  float* out = call.out(0, {3, rows});

  const int64_t ldD = Padded(D), ldC = Padded(C), ldM = shape.mixed(), ldF = Padded(2 * F);
  const int64_t ldV = Padded(shape.vocabulary), ldS = int64_t(promptBlocks + ownBlocks) * W;
  const int share = (rows + Threads() - 1) / Threads();
  const int block = std::min(kRows, (share + 7) / 8 * 8);
#pragma omp parallel
  {
    std::vector<float> stream(block * ldD), normed(block * ldD), projected(block * ldC),
        mixed(block * ldM), lse(RoundUp(shape.heads)), gateUp(block * ldF), logits(block * ldV),
        scratch(std::max(2 * ldS, ldV));
    const auto place = [places](int row) {
      const int32_t* p = places + 5 * row;
      return Place{p[0], p[1], p[2], p[3], p[4]};
    };
#pragma omp for schedule(dynamic)
    for (int first = 0; first < rows; first += block) {
      const int count = std::min(block, rows - first);
      for (int i = 0; i < count; i++) {
        std::copy_n(embedding + int64_t(tokens[first + i]) * D, D, stream.data() + i * ldD);
      }
      for (int l = 0; l < shape.layers; l++) {
        const Weights w(weights, shape, l);
        const Cache prompt{call.cache(6) + l * promptSize, promptBlocks, shape.kvHeads, d};
        const Cache own{call.cache(7) + l * ownSize, ownBlocks, shape.kvHeads, d};
        RmsNorm(count, D, stream.data(), w.inputNorm, eps, normed.data(), ldD);
        Linear(count, D, C, normed.data(), ldD, w.qkv, projected.data(), ldC, false);
        for (int i = 0; i < count; i++) {
          Place at = place(first + i);
          if (i + 1 < count) at.ahead = own.row(place(first + i + 1).slot) - own.row(at.slot);
          AttendRow(projected.data() + i * ldC, w.bias, cos + int64_t(at.position) * d,
                    sin + int64_t(at.position) * d, prompt, own, at, shape, mixed.data() + i * ldM,
                    lse.data(), scratch.data(), ldS);
          tape.write(l, at, Tape::kEntering, stream.data() + i * ldD);
          tape.write(l, at, Tape::kProjected, projected.data() + i * ldC);
          tape.write(l, at, Tape::kMixed, mixed.data() + i * ldM);
          tape.write(l, at, Tape::kLse, lse.data());
        }
        Linear(count, ldM, D, mixed.data(), ldM, w.output, stream.data(), ldD, true);
        RmsNorm(count, D, stream.data(), w.mlpNorm, eps, normed.data(), ldD);
        Linear(count, D, 2 * F, normed.data(), ldD, w.gateUp, gateUp.data(), ldF, false);
        for (int i = 0; i < count; i++) {
          tape.write(l, place(first + i), Tape::kAttended, stream.data() + i * ldD);
          tape.write(l, place(first + i), Tape::kGateUp, gateUp.data() + i * ldF);
        }
        Gate(count, F, gateUp.data(), ldF);
        Linear(count, F, D, gateUp.data(), ldF, w.down, stream.data(), ldD, true);
      }
      for (int i = 0; i < count && records; i++) {
        const Place at = place(first + i);
        Stream(stream.data() + i * ldD, D,
               call.cache(12) + (at.slot * int64_t(shape.longest) + at.written) * D);
      }
      RmsNorm(count, D, stream.data(), final, eps, normed.data(), ldD);
      Linear(count, D, shape.vocabulary, normed.data(), ldD, final + D, logits.data(), ldV, false);
      for (int i = 0; i < count; i++) {
        const Drawn drawn = DrawRow(logits.data() + i * ldV, shape.vocabulary, uniforms[first + i],
                                    temperature, scratch.data());
        out[first + i] = drawn.token;
        out[rows + first + i] = drawn.logprob;
        out[2 * rows + first + i] = drawn.entropy;
      }
    }
  }
}

}  // namespace

void RegisterDecode() {
  Register("SrpoPackPrompts", {"qkv: float", "prompts: int32", "shape: int32"}, {"cache: float"},
           PackPrompts);
  Register("SrpoDraw", {"logits: float", "uniforms: float", "temperature: float"}, {"drawn: float"},
           Draw);
  Register("SrpoDecodeStep",
           {"tokens: int32", "places: int32", "embedding: float", "weights: float", "cos: float",
            "sin: float", "prompts: float", "own: float", "uniforms: float", "numbers: float",
            "shape: int32", "tape: float", "leaving: float"},
           {"drawn: float"}, DecodeStep);
}

}  // namespace srpo
