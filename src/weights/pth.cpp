#include "weights/pth.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "weights/checkpoint_search.h"
#include "weights/materialize.h"
#include "weights/pickle.h"
#include "weights/text.h"
#include "weights/zip_archive.h"

namespace fovea::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "storages are read as they lie in the file");

// The first pickle of the stream: 0x1950a86a20f9469cfc6c, as a protocol 2 long.
constexpr std::string_view kStreamMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
constexpr int64_t kStreamProtocol = 1001;

std::string_view text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Where a container keeps the bytes of a storage. Called once a key.
using FindStorage = std::function<StorageBytes(const PickledStorage&)>;

StateDict collect(const Unpickler& pickle, ValueId root, std::string_view part, const FindStorage& find_storage, CopyBudget& budget) {
  StateDict result;
  CheckpointSearch search(pickle);
  Entries entries = part.empty() ? Entries() : search.find_named(root, part);
  const bool is_entry = !entries.empty();  // else the part is of the names
  if (!is_entry) entries = search.find(root, result.notes);

  struct Loaded {
    StorageBytes bytes;
    PickledStorage layout;
  };
  std::unordered_map<std::string_view, Loaded> storages;
  for (const auto& [name, id] : entries) {
    const PickleValue& item = pickle.value(id);
    const PickledTensor* pickled = item.kind == PickleKind::tensor ? &pickle.tensor(static_cast<size_t>(item.number)) : nullptr;
    if (!pickled || !pickled->type->dtype) {
      std::string what = pickled ? fmt::format("has elements of type {}, which fovea does not know", pickled->type->name) : describe(item);
      log("weights", "left out {}: it {}", in_quotes(name), what);
      result.unusable.emplace_back(name, std::move(what));
      continue;
    }
    Tensor tensor = in_context(printable(name), [&] {
      const PickledStorage& layout = pickle.storage(pickled->storage);
      auto found = storages.find(layout.key);
      if (found == storages.end()) {
        found = storages.emplace(layout.key, Loaded{aligned(find_storage(layout), std::min<size_t>(layout.type->bytes, 8), budget), layout})
                    .first;
      } else if (found->second.layout.elements != layout.elements || found->second.layout.type->bytes != layout.type->bytes) {
        fail(ErrorKind::format, "storage {} has {} elements of {} here and {} of {} elsewhere", in_quotes(layout.key), layout.elements,
             layout.type->name, found->second.layout.elements, found->second.layout.type->name);
      }
      return materialize(*pickled, layout, found->second.bytes, budget);
    });
    result.add(name, std::move(tensor));
  }
  if (result.empty()) {
    const auto tensor = std::ranges::find_if(result.unusable, [](const auto& one) { return one.second.starts_with("has elements"); });
    if (tensor != result.unusable.end()) fail(ErrorKind::unsupported, "{}: {}", printable(tensor->first), tensor->second);
  }
  result = without_wrapper_prefix(std::move(result));
  if (part.empty() || is_entry) return result;
  result.notes.clear();
  return without_wrapper_prefix(part_of(result, part));
}

size_t storage_bytes(const PickledStorage& storage) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(storage.elements, storage.type->bytes, &bytes)) {
    fail(ErrorKind::format, "storage {} of {} elements overflows", in_quotes(storage.key), storage.elements);
  }
  return static_cast<size_t>(bytes);
}

// -- The stream: magic, protocol, system, the object, the storages' keys; then each storage: int64 elements, bytes.

void check_system(const Unpickler& pickle, const PickleValue& system) {
  const auto little = pickle.find(system, "little_endian");
  if (!little || pickle.value(*little).kind != PickleKind::boolean) fail(ErrorKind::format, "the stream does not say its byte order");
  if (pickle.value(*little).number == 0)
    fail(ErrorKind::unsupported, "was written on a big-endian machine; only little-endian files are read");
}

StateDict read_stream(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string_view part) {
  Unpickler pickle(bytes);
  pickle.read();  // the magic, already compared
  const PickleValue& protocol = pickle.value(pickle.read());
  if (protocol.kind != PickleKind::integer || protocol.number != kStreamProtocol) {
    fail(ErrorKind::unsupported, "has stream protocol {}, {} is the one that is read", protocol.number, kStreamProtocol);
  }
  check_system(pickle, pickle.value(pickle.read()));
  const ValueId root = pickle.read();
  const PickleValue& keys = pickle.value(pickle.read());
  if (keys.kind != PickleKind::list) fail(ErrorKind::format, "the list of storages is {}", to_string(keys.kind));

  std::unordered_map<std::string_view, PickledStorage> declared;
  for (size_t i = 0; i < pickle.storage_count(); ++i) declared.emplace(pickle.storage(i).key, pickle.storage(i));
  struct Run {
    size_t start, bytes;
    int64_t elements;
  };
  std::unordered_map<std::string_view, Run> runs;
  size_t position = pickle.position();
  for (ValueId id : keys.items) {
    const PickleValue& key = pickle.value(id);
    const auto found = declared.find(key.text);
    if (key.kind != PickleKind::text || found == declared.end())
      fail(ErrorKind::format, "lists a storage {} that nothing refers to", in_quotes(key.text));
    const size_t wanted = storage_bytes(found->second);
    int64_t elements = 0;
    if (bytes.size() - position < sizeof elements || bytes.size() - position - sizeof elements < wanted) {
      fail(ErrorKind::format, "is truncated: storage {} needs {} bytes at {}, the file has {}", in_quotes(key.text), wanted,
           position + sizeof elements, bytes.size());
    }
    std::memcpy(&elements, bytes.data() + position, sizeof elements);
    if (elements != found->second.elements) {
      fail(ErrorKind::format, "storage {} has {} elements in its pickle and {} in the stream", in_quotes(key.text), found->second.elements,
           elements);
    }
    position += sizeof elements;
    if (!runs.emplace(key.text, Run{position, wanted, elements}).second)
      fail(ErrorKind::format, "lists storage {} twice", in_quotes(key.text));
    position += wanted;
  }

  CopyBudget budget(bytes.size());
  return collect(
      pickle, root, part,
      [&](const PickledStorage& storage) -> StorageBytes {
        const auto found = runs.find(storage.key);
        if (found == runs.end()) fail(ErrorKind::format, "its storage {} is not in the file", in_quotes(storage.key));
        if (storage_bytes(storage) != found->second.bytes) {
          fail(ErrorKind::format, "its storage {} has {} bytes, the file's has {}", in_quotes(storage.key), storage_bytes(storage),
               found->second.bytes);
        }
        return {bytes.subspan(found->second.start, found->second.bytes), owner};
      },
      budget);
}

// -- The zip: NAME/data.pkl, NAME/data/KEY, NAME/byteorder.

std::string find_root(const ZipArchive& archive) {
  for (const std::string& name : archive.names()) {
    if (name == "data.pkl" || name.ends_with("/data.pkl")) return name.substr(0, name.size() - std::strlen("data.pkl"));
  }
  fail(ErrorKind::format, "is a zip archive without a data.pkl: not a PyTorch checkpoint");
}

StateDict read_zip(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string_view part) {
  const ZipArchive archive(bytes);
  const std::string root = find_root(archive);
  if (archive.contains(root + "constants.pkl")) {
    fail(ErrorKind::unsupported, "is a TorchScript program, not a state dict; save model.state_dict() instead");
  }
  CopyBudget budget(bytes.size());
  if (archive.contains(root + "byteorder")) {
    const auto order = archive.read(root + "byteorder", 64);
    if (text_of(order.bytes) == "big")
      fail(ErrorKind::unsupported, "was written on a big-endian machine; only little-endian files are read");
    if (text_of(order.bytes) != "little") fail(ErrorKind::format, "has the byte order {}", in_quotes(text_of(order.bytes)));
  }
  const auto program = archive.read(root + "data.pkl", budget.left());
  if (program.owned) budget.take(program.bytes.size());
  Unpickler pickle(program.bytes);
  const ValueId object = pickle.read();
  return collect(
      pickle, object, part,
      [&](const PickledStorage& storage) -> StorageBytes {
        const auto contents = archive.read(root + "data/" + std::string(storage.key), budget.left());
        if (contents.owned) budget.take(contents.bytes.size());
        if (contents.bytes.size() != storage_bytes(storage)) {
          fail(ErrorKind::format, "its storage {} has {} bytes, the archive's entry {}", in_quotes(storage.key), storage_bytes(storage),
               contents.bytes.size());
        }
        return {contents.bytes, contents.owned ? contents.owned : owner};
      },
      budget);
}

}  // namespace

bool is_pth_zip(std::span<const std::byte> bytes) { return text_of(bytes).starts_with(std::string_view("PK\x03\x04", 4)); }
bool is_pth_stream(std::span<const std::byte> bytes) { return text_of(bytes).starts_with(kStreamMagic); }

StateDict read_pth(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string_view part) {
  if (is_pth_zip(bytes)) return read_zip(bytes, std::move(owner), part);
  if (is_pth_stream(bytes)) return read_stream(bytes, std::move(owner), part);
  fail(ErrorKind::format, "is not a PyTorch checkpoint: starts with {}",
       in_quotes(text_of(bytes.first(std::min<size_t>(bytes.size(), 16)))));
}

StateDict read_pth(const std::filesystem::path& path) {
  return in_context(path.string(), [&] {
    const auto file = MappedFile::open(path);
    return read_pth(file->bytes(), file);
  });
}

}  // namespace fovea::weights
