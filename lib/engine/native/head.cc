// From hidden states to log-probabilities of chosen tokens, and the gradient: logits live a block of tokens at a time.
#include "op.h"
#include "outer.h"

namespace srpo {
namespace {

// Tokens of a block: as many as keep its logits within a quarter of a megabyte.
int BlockOf(int64_t vocabulary) {
  return int(std::clamp<int64_t>((1 << 16) / vocabulary / 8 * 8, 8, 64));
}

// Logits, up to a whole panel. @param packed weight `[V / 32, D, 32]`
void Logits(int rows, int64_t d, int64_t vocabulary, const float* states, const float* packed,
            float* logits) {
  const int64_t ld = Padded(vocabulary);
  Linear(rows, d, vocabulary, states, d, packed, logits, ld, false);
  for (int i = 0; i < rows; i++) {
    std::fill(logits + i * ld + vocabulary, logits + (i + 1) * ld, -INFINITY);
  }
}

// x - max x, and its exponentials. @returns the sum of them
float Exponentials(const float* x, int64_t width, float most, float* e) {
  Vec sum{};
  for (int64_t j = 0; j < width; j += W) {
    const Vec v = Exp(Load(x + j) - most);
    Store(e + j, v);
    sum += v;
  }
  return Sum(sum);
}

float LargestOf(const float* x, int64_t width) {
  Vec largest = Load(x);
  for (int64_t j = W; j < width; j += W) largest = Max(largest, Load(x + j));
  return Largest(largest);
}

// (states [n, D], packed head, target [n], vocabulary [1]) -> log softmax(states headᵀ)[target] [n]
void HeadLogprobs(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), d = call.dim(0, 1), vocabulary = call.ints(3)[0];
  const int64_t ld = Padded(vocabulary);
  const float *states = call.floats(0), *packed = call.floats(1);
  const int32_t* target = call.ints(2);
  float* logprob = call.out(0, {n});
  const int block = BlockOf(vocabulary);
#pragma omp parallel
  {
    std::vector<float> logits(block * ld), shares(ld);
#pragma omp for schedule(dynamic)
    for (int64_t start = 0; start < n; start += block) {
      const int rows = int(std::min<int64_t>(block, n - start));
      Logits(rows, d, vocabulary, states + start * d, packed, logits.data());
      for (int i = 0; i < rows; i++) {
        const float *x = logits.data() + i * ld, most = LargestOf(x, ld);
        const float total = Exponentials(x, ld, most, shares.data());
        logprob[start + i] = x[target[start + i]] - most - std::log(total);
      }
    }
  }
}

// (dy [n], states [n, D], packed head, its packed transpose, target [n]) -> (dstates [n, D], dhead [V, D])
// The slope of the logits is dy · (onehot - softmax).
void HeadGrad(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(1, 0), d = call.dim(1, 1), vocabulary = call.dim(3, 1);
  const int64_t ld = Padded(vocabulary);
  const float *dy = call.floats(0), *states = call.floats(1), *packed = call.floats(2);
  const float* transposed = call.floats(3);
  const int32_t* target = call.ints(4);
  float *dStates = call.out(0, {n, d}), *dHead = call.out(1, {vocabulary, d});

  const int block = BlockOf(vocabulary);
  Slices slices(n, block, {{dHead, vocabulary * d}});
#pragma omp parallel
  {
    Columns slopes(block, ld);
    Panels inputs(block, d);
    std::vector<float> logits(block * ld);
#pragma omp for schedule(dynamic)
    for (int s = 0; s < slices.count(); s++) {
      for (int64_t at = slices.start(s); at < slices.start(s + 1); at += block) {
        const int count = int(std::min<int64_t>(block, slices.start(s + 1) - at));
        Logits(count, d, vocabulary, states + at * d, packed, logits.data());
        for (int i = 0; i < count; i++) {
          float* x = logits.data() + i * ld;
          const float total = Exponentials(x, ld, LargestOf(x, ld), x);
          const float scale = -dy[at + i] / total;
          for (int64_t j = 0; j < ld; j += W) Store(x + j, scale * Load(x + j));
          x[target[at + i]] += dy[at + i];
          slopes.putRow(i, x, ld);
          inputs.putRow(i, states + (at + i) * d, d);
        }
        Linear(count, vocabulary, d, logits.data(), ld, transposed, dStates + at * d, d, false);
        AddOuter(slopes, inputs, count, vocabulary, d, slices.sum(s, 0), at > slices.start(s));
      }
    }
  }
  slices.add();
}

}  // namespace

void RegisterHead() {
  Register("SrpoHeadLogprobs", {"states: float", "head: float", "target: int32", "vocabulary: int32"},
           {"logprob: float"}, HeadLogprobs);
  Register("SrpoHeadGrad",
           {"dy: float", "states: float", "head: float", "transposed: float", "target: int32"},
           {"dstates: float", "dhead: float"}, HeadGrad);
}

}  // namespace srpo
