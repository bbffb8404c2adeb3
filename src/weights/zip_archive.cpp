#include "weights/zip_archive.h"

#include <minizip/unzip.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/memory.h"
#include "weights/text.h"

namespace fovea::weights {

// What minizip takes for its file: bytes, and where it is in them.
struct ArchiveBytes {
  std::span<const std::byte> bytes;
  uint64_t position = 0;
};

namespace {

// minizip reads through these instead of a FILE.
voidpf open_memory(voidpf opaque, const void*, int) { return opaque; }

uLong read_memory(voidpf, voidpf stream, void* to, uLong bytes) {
  auto& memory = *static_cast<ArchiveBytes*>(stream);
  const uint64_t there = memory.position < memory.bytes.size() ? memory.bytes.size() - memory.position : 0;
  const uint64_t count = std::min<uint64_t>(bytes, there);
  if (count > 0) std::memcpy(to, memory.bytes.data() + memory.position, count);
  memory.position += count;
  return static_cast<uLong>(count);
}

uLong write_memory(voidpf, voidpf, const void*, uLong) { return 0; }

ZPOS64_T tell_memory(voidpf, voidpf stream) { return static_cast<ArchiveBytes*>(stream)->position; }

long seek_memory(voidpf, voidpf stream, ZPOS64_T offset, int origin) {
  auto& memory = *static_cast<ArchiveBytes*>(stream);
  uint64_t base = 0;
  if (origin == ZLIB_FILEFUNC_SEEK_CUR) base = memory.position;
  if (origin == ZLIB_FILEFUNC_SEEK_END) base = memory.bytes.size();
  const uint64_t target = base + offset;
  if (target < base || target > memory.bytes.size()) return -1;
  memory.position = target;
  return 0;
}

int close_memory(voidpf, voidpf) { return 0; }
int error_memory(voidpf, voidpf) { return 0; }

constexpr uLong kEncrypted = 1;
constexpr uLong kStored = 0;
// More entries than any checkpoint has; the directory of a hostile file ends here.
constexpr size_t kMostEntries = 1 << 20;

}  // namespace

struct ZipArchive::Stream {
  ArchiveBytes memory;
  zlib_filefunc64_def functions{};
  unzFile file = nullptr;
  ~Stream() {
    if (file) unzClose(file);
  }
};

ZipArchive::ZipArchive(std::span<const std::byte> bytes) : bytes_(bytes), stream_(std::make_unique<Stream>()) {
  stream_->memory.bytes = bytes;
  stream_->functions = {open_memory, read_memory, write_memory, tell_memory, seek_memory, close_memory, error_memory, &stream_->memory};
  stream_->file = unzOpen2_64("", &stream_->functions);
  if (!stream_->file) fail(ErrorKind::format, "is a zip archive without a readable directory at its end: it is truncated or damaged");
  std::vector<char> name(65536);
  for (int state = unzGoToFirstFile(stream_->file); state != UNZ_END_OF_LIST_OF_FILE; state = unzGoToNextFile(stream_->file)) {
    unz_file_info64 info{};
    unz64_file_pos position{};
    if (state != UNZ_OK || names_.size() >= kMostEntries ||
        unzGetCurrentFileInfo64(stream_->file, &info, name.data(), name.size(), nullptr, 0, nullptr, 0) != UNZ_OK ||
        unzGetFilePos64(stream_->file, &position) != UNZ_OK) {
      fail(ErrorKind::format, "is a zip archive whose directory is damaged at entry {}", names_.size());
    }
    const Entry entry{position.pos_in_zip_directory, position.num_of_file, info.uncompressed_size, info.compressed_size, info.flag,
                      info.compression_method};
    std::string text(name.data(), std::min<size_t>(info.size_filename, name.size() - 1));
    if (!entries_.emplace(text, entry).second) fail(ErrorKind::format, "is a zip archive with two entries named {}", in_quotes(text));
    names_.push_back(std::move(text));
  }
}

ZipArchive::~ZipArchive() = default;

const ZipArchive::Entry& ZipArchive::entry(std::string_view name) const {
  const auto found = entries_.find(std::string(name));
  if (found == entries_.end()) fail(ErrorKind::format, "has no entry {}", in_quotes(name));
  return found->second;
}

size_t ZipArchive::size_of(std::string_view name) const { return entry(name).size; }

ZipArchive::Contents ZipArchive::read(std::string_view name, size_t memory_limit_bytes) const {
  const Entry& wanted = entry(name);
  if (wanted.flags & kEncrypted) fail(ErrorKind::format, "entry {} is encrypted", in_quotes(name));
  unz64_file_pos position{wanted.directory_position, wanted.number};
  if (unzGoToFilePos64(stream_->file, &position) != UNZ_OK || unzOpenCurrentFile(stream_->file) != UNZ_OK) {
    fail(ErrorKind::format, "entry {} has a damaged header or an unknown compression ({})", in_quotes(name), wanted.method);
  }
  struct Closer {
    unzFile file;
    ~Closer() { unzCloseCurrentFile(file); }
  } closer{stream_->file};
  const uint64_t start = unzGetCurrentFileZStreamPos64(stream_->file);
  if (start > bytes_.size() || wanted.compressed_size > bytes_.size() - start) {
    fail(ErrorKind::format, "entry {} points outside the archive: {} bytes at {}, the archive has {}", in_quotes(name),
         wanted.compressed_size, start, bytes_.size());
  }
  if (wanted.method == kStored) {
    if (wanted.size != wanted.compressed_size) {
      fail(ErrorKind::format, "entry {} is stored as {} bytes but claims {}", in_quotes(name), wanted.compressed_size, wanted.size);
    }
    return {bytes_.subspan(start, wanted.size), nullptr};
  }
  if (wanted.size > memory_limit_bytes) {
    fail(ErrorKind::format, "entry {} claims {} bytes decompressed, at most {} are accepted here", in_quotes(name), wanted.size,
         memory_limit_bytes);
  }
  const std::shared_ptr<std::byte> copy = aligned_memory(wanted.size);
  uint64_t done = 0;
  while (done < wanted.size) {
    const int count =
        unzReadCurrentFile(stream_->file, copy.get() + done, static_cast<unsigned>(std::min<uint64_t>(wanted.size - done, 1 << 30)));
    if (count <= 0)
      fail(ErrorKind::format, "entry {} cannot be decompressed: it ends after {} of {} bytes", in_quotes(name), done, wanted.size);
    done += static_cast<uint64_t>(count);
  }
  // What minizip returns once everything has been read: the checksum's verdict.
  const int verdict = unzCloseCurrentFile(std::exchange(closer.file, nullptr));
  if (verdict == UNZ_CRCERROR) fail(ErrorKind::format, "entry {} is damaged: its checksum does not match", in_quotes(name));
  return {{copy.get(), wanted.size}, copy};
}

}  // namespace fovea::weights
