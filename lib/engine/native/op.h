// What an operation needs of TensorFlow's C interface: its inputs as plain arrays, its outputs to write into, its
// registration. The C interface, unlike the C++ one, stays the same between compilers and releases.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_tensor.h"

namespace srpo {

// One call of an operation. Inputs are float32 or int32, contiguous, and live as long as the call.
class Call {
 public:
  explicit Call(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {
    inputs_.resize(TF_NumInputs(context));
    for (size_t i = 0; i < inputs_.size(); i++) TF_GetInput(context, i, &inputs_[i], status_);
  }
  ~Call() {
    for (TF_Tensor* tensor : inputs_) TF_DeleteTensor(tensor);
    for (TF_Tensor* tensor : outputs_) TF_DeleteTensor(tensor);
    TF_DeleteStatus(status_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  int64_t dim(int input, int axis) const { return TF_Dim(inputs_[input], axis); }
  int64_t size(int input) const { return TF_TensorElementCount(inputs_[input]); }
  const float* floats(int input) const { return static_cast<float*>(TF_TensorData(inputs_[input])); }
  const int32_t* ints(int input) const {
    return static_cast<int32_t*>(TF_TensorData(inputs_[input]));
  }
  // For the operations that write into an input: a cache or a tape that belongs to its caller alone.
  float* cache(int input) const { return static_cast<float*>(TF_TensorData(inputs_[input])); }

  // An output's memory, with nothing in it yet.
  float* out(int output, std::vector<int64_t> shape) {
    size_t bytes = sizeof(float);
    for (int64_t n : shape) bytes *= n;
    outputs_.push_back(TF_AllocateOutput(context_, output, TF_FLOAT, shape.data(), shape.size(),
                                         bytes, status_));
    return static_cast<float*>(TF_TensorData(outputs_.back()));
  }

  // Ends the call with an error that becomes a JavaScript exception.
  void fail(const std::string& why) {
    TF_SetStatus(status_, TF_INVALID_ARGUMENT, why.c_str());
    TF_OpKernelContext_Failure(context_, status_);
  }

 private:
  TF_OpKernelContext* context_;
  TF_Status* status_;
  std::vector<TF_Tensor*> inputs_;
  std::vector<TF_Tensor*> outputs_;
};

// Threads that a parallel loop will have.
inline int Threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

// Makes an operation known to TensorFlow, on the CPU. Specs are TensorFlow's: "x: float", "rows: int32".
inline void Register(const char* name, std::vector<const char*> inputs,
                     std::vector<const char*> outputs,
                     void (*compute)(void*, TF_OpKernelContext*)) {
  TF_Status* status = TF_NewStatus();
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(name);
  for (const char* spec : inputs) TF_OpDefinitionBuilderAddInput(op, spec);
  for (const char* spec : outputs) TF_OpDefinitionBuilderAddOutput(op, spec);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(
      op, [](TF_ShapeInferenceContext* c, TF_Status* s) {
        TF_ShapeInferenceContextSetUnknownShape(c, s);
      });
  TF_RegisterOpDefinition(op, status);
  TF_KernelBuilder* kernel = TF_NewKernelBuilder(name, "CPU", nullptr, compute, nullptr);
  TF_RegisterKernelBuilder(name, kernel, status);
  TF_DeleteStatus(status);
}

// The registrations of each file.
void RegisterNorm();
void RegisterPointwise();
void RegisterAttention();
void RegisterDecode();
void RegisterHead();
void RegisterLinear();
void RegisterLayerGrad();
void RegisterTape();

}  // namespace srpo
