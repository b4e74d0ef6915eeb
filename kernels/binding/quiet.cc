// libtensorflow writes to standard error from its static initialisers, before any of its log settings is read. This addon,
// which needs no libtensorflow, lets lib/engine/backend.ts turn the stream off while that library loads.
#include <fcntl.h>
#include <unistd.h>

#include "node_api.h"

namespace {

int saved = -1;

// mute(): standard error goes nowhere until restore().
napi_value Mute(napi_env, napi_callback_info) {
  if (saved >= 0) return nullptr;
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return nullptr;
  saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (saved >= 0) dup2(nowhere, STDERR_FILENO);
  close(nowhere);
  return nullptr;
}

napi_value Restore(napi_env, napi_callback_info) {
  if (saved < 0) return nullptr;
  dup2(saved, STDERR_FILENO);
  close(saved);
  saved = -1;
  return nullptr;
}

napi_value Init(napi_env env, napi_value exports) {
  napi_value mute, restore;
  napi_create_function(env, "mute", NAPI_AUTO_LENGTH, Mute, nullptr, &mute);
  napi_create_function(env, "restore", NAPI_AUTO_LENGTH, Restore, nullptr, &restore);
  napi_set_named_property(env, exports, "mute", mute);
  napi_set_named_property(env, exports, "restore", restore);
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)
