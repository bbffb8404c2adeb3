// libcurl as far as fovea calls it, loaded when it is first called: libcurl stands on dozens of libraries that differ between
// distributions, while its own interface, libcurl.so.4, has been the same on all of them since 2006.
#include <curl/curl.h>
#include <dlfcn.h>

#include <cstdarg>

namespace {

void* library() {
  static void* const handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  return handle;
}

// Where the library is missing curl_global_init fails, and nothing else may be called.
template <class Function>
Function* find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(library(), name));
}

}  // namespace

#define FOVEA_FIND(function) static const auto found = find<decltype(function)>(#function)

extern "C" {

CURLcode curl_global_init(long flags) {
  if (!library()) return CURLE_FAILED_INIT;
  FOVEA_FIND(curl_global_init);
  return found(flags);
}

CURL* curl_easy_init() {
  FOVEA_FIND(curl_easy_init);
  return found();
}

void curl_easy_cleanup(CURL* curl) {
  FOVEA_FIND(curl_easy_cleanup);
  found(curl);
}

CURLcode curl_easy_perform(CURL* curl) {
  FOVEA_FIND(curl_easy_perform);
  return found(curl);
}

const char* curl_easy_strerror(CURLcode code) {
  FOVEA_FIND(curl_easy_strerror);
  return found(code);
}

// The one argument of every option, and of every answer, is a long, a curl_off_t or a pointer: 64 bits in the same register.
CURLcode curl_easy_setopt(CURL* curl, CURLoption option, ...) {
  va_list arguments;
  va_start(arguments, option);
  void* const value = va_arg(arguments, void*);
  va_end(arguments);
  FOVEA_FIND(curl_easy_setopt);
  return found(curl, option, value);
}

CURLcode curl_easy_getinfo(CURL* curl, CURLINFO info, ...) {
  va_list arguments;
  va_start(arguments, info);
  void* const value = va_arg(arguments, void*);
  va_end(arguments);
  FOVEA_FIND(curl_easy_getinfo);
  return found(curl, info, value);
}

}  // extern "C"
