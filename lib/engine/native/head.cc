// Log-probabilities of chosen tokens from logits, and their gradient: log softmax(x)[target], dy · (onehot - softmax).
#include "op.h"
#include "vec.h"

namespace srpo {
namespace {

// (logits [n, V], target [n]) -> (log-probability [n], log of the sum of exponentials [n])
void Logprobs(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(0, 0), vocabulary = call.dim(0, 1), whole = vocabulary / W * W;
  const float* logits = call.floats(0);
  const int32_t* target = call.ints(1);
  float* logprob = call.out(0, {n});
  float* lse = call.out(1, {n});
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; i++) {
    const float* x = logits + i * vocabulary;
    Vec largest = Fill(-INFINITY);
    for (int64_t j = 0; j < whole; j += W) largest = Max(largest, Load(x + j));
    float most = Largest(largest);
    for (int64_t j = whole; j < vocabulary; j++) most = std::max(most, x[j]);
    Vec sum{};
    for (int64_t j = 0; j < whole; j += W) sum += Exp(Load(x + j) - most);
    float total = Sum(sum);
    for (int64_t j = whole; j < vocabulary; j++) total += std::exp(x[j] - most);
    lse[i] = most + std::log(total);
    logprob[i] = x[target[i]] - lse[i];
  }
}

// (dy [n], logits [n, V], target [n], lse [n]) -> [n, V]
void LogprobsGrad(void*, TF_OpKernelContext* context) {
  Call call(context);
  const int64_t n = call.dim(1, 0), vocabulary = call.dim(1, 1), whole = vocabulary / W * W;
  const float *dy = call.floats(0), *logits = call.floats(1), *lse = call.floats(3);
  const int32_t* target = call.ints(2);
  float* dx = call.out(0, {n, vocabulary});
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; i++) {
    const float *x = logits + i * vocabulary, slope = -dy[i];
    float* into = dx + i * vocabulary;
    for (int64_t j = 0; j < whole; j += W) Store(into + j, slope * Exp(Load(x + j) - lse[i]));
    for (int64_t j = whole; j < vocabulary; j++) into[j] = slope * std::exp(x[j] - lse[i]);
    into[target[i]] += dy[i];
  }
}

}  // namespace

void RegisterHead() {
  Register("SrpoLogprobs", {"logits: float", "target: int32"}, {"logprob: float", "lse: float"},
           Logprobs);
  Register("SrpoLogprobsGrad", {"dy: float", "logits: float", "target: int32", "lse: float"},
           {"dx: float"}, LogprobsGrad);
}

}  // namespace srpo
