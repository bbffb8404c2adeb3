// What a C library hands out, in a std::unique_ptr.
#pragma once

namespace fovea::image {

// Calls the library's own function.
template <auto free>
struct FreeWith {
  template <class T>
  void operator()(T* value) const {
    free(value);
  }
};

}  // namespace fovea::image
