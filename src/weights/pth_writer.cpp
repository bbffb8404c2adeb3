#include "weights/pth_writer.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "weights/zip_writer.h"

namespace fovea::weights {
namespace {

const char* storage_class(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "FloatStorage";
    case DType::f64:
      return "DoubleStorage";
    case DType::f16:
      return "HalfStorage";
    case DType::bf16:
      return "BFloat16Storage";
    case DType::i64:
      return "LongStorage";
    case DType::i32:
      return "IntStorage";
    case DType::u8:
      return "ByteStorage";
  }
  return "";
}

// The operations of pickle's protocol 2 that a state dict takes (Python's pickletools.py says what each does).
class Pickler {
 public:
  Pickler() { out_ = "\x80\x02"; }

  void mark() { out_ += '('; }
  void tuple() { out_ += 't'; }  // of everything since the mark
  void empty_tuple() { out_ += ')'; }
  void call() { out_ += 'R'; }       // function, arguments -> result
  void refer() { out_ += 'Q'; }      // a tuple -> the object outside the pickle that it names
  void set_items() { out_ += 'u'; }  // into the dictionary before the mark
  void no() { out_ += '\x89'; }
  void global(std::string_view module, std::string_view name) { out_.append("c").append(module).append("\n").append(name).append("\n"); }
  void text(std::string_view text) {
    out_ += 'X';
    little_endian(text.size(), 4);
    out_ += text;
  }
  void number(int64_t number) {  // not negative
    const bool short_one = number <= 0x7FFFFFFF;
    out_ += short_one ? "J" : "\x8a\x08";
    little_endian(static_cast<uint64_t>(number), short_one ? 4 : 8);
  }
  std::string finish() { return out_ + "."; }

 private:
  void little_endian(uint64_t number, int bytes) {
    for (int i = 0; i < bytes; ++i) out_ += static_cast<char>(number >> (8 * i));
  }
  std::string out_;
};

void numbers(Pickler& pickle, const std::vector<int64_t>& values) {
  pickle.mark();
  for (int64_t value : values) pickle.number(value);
  pickle.tuple();
}

std::vector<int64_t> strides_of(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<int64_t>(shape[i], 1);
  return strides;
}

// torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks), the storage named by its entry.
void tensor(Pickler& pickle, const Tensor& tensor, const std::string& key) {
  pickle.global("torch._utils", "_rebuild_tensor_v2");
  pickle.mark();
  pickle.mark();
  pickle.text("storage");
  pickle.global("torch", storage_class(tensor.dtype()));
  pickle.text(key);
  pickle.text("cpu");
  pickle.number(tensor.size());
  pickle.tuple();
  pickle.refer();
  pickle.number(0);
  numbers(pickle, tensor.shape());
  numbers(pickle, strides_of(tensor.shape()));
  pickle.no();
  pickle.global("collections", "OrderedDict");
  pickle.empty_tuple();
  pickle.call();
  pickle.tuple();
  pickle.call();
}

std::string pickled(const StateDict& tensors) {
  Pickler pickle;
  pickle.global("collections", "OrderedDict");
  pickle.empty_tuple();
  pickle.call();
  pickle.mark();
  for (size_t i = 0; i < tensors.size(); ++i) {
    pickle.text(tensors[i].name);
    tensor(pickle, tensors[i].tensor, std::to_string(i));
  }
  pickle.set_items();
  return pickle.finish();
}

}  // namespace

void write_pth(const std::filesystem::path& path, const StateDict& tensors) {
  const std::string root = "archive/";
  AtomicFile file(path, true);
  ZipWriter zip(file);
  zip.add(root + "data.pkl", pickled(tensors));
  zip.add(root + "byteorder", "little");
  for (size_t i = 0; i < tensors.size(); ++i)
    zip.add(root + "data/" + std::to_string(i), tensors[i].tensor.raw(), tensors[i].tensor.bytes());
  zip.add(root + "version", "3\n");
  zip.finish();
  file.commit();
}

}  // namespace fovea::weights
