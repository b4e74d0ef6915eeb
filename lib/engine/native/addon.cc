// Makes the operations of this folder known to the TensorFlow that tfjs runs on; lib/engine/fused.ts calls them.
#include <malloc.h>

#include "node_api.h"
#include "op.h"

namespace {

// Tensors of tens of megabytes come and go by the hundred a second. Given back to the system each time, the pages of
// every new one are faulted in again, which costs more than most operations; so memory once had is kept.
void KeepMemory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

napi_value Init(napi_env, napi_value exports) {
  KeepMemory();
  srpo::RegisterNorm();
  srpo::RegisterPointwise();
  srpo::RegisterAttention();
  srpo::RegisterDecode();
  srpo::RegisterHead();
  srpo::RegisterLinear();
  srpo::RegisterLayerGrad();
  srpo::RegisterTape();
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)
