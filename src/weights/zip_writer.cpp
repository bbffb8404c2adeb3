#include "weights/zip_writer.h"

#include <minizip/zip.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/error.h"

namespace fovea::weights {

// What minizip writes through in place of a FILE. It comes back to an entry's header once the checksum is known.
struct ZipWriter::Stream {
  AtomicFile& file;
  uint64_t position = 0, end = 0;
  std::exception_ptr failure;  // no exception may pass through a C library
  zlib_filefunc64_def functions{};
  zipFile zip = nullptr;

  void write(const char* data, size_t bytes) {
    const size_t over = static_cast<size_t>(std::min<uint64_t>(bytes, end - position));
    if (over > 0) file.write_at(position, data, over);
    if (bytes > over) file.write(data + over, bytes - over);
    position += bytes;
    end = std::max(end, position);
  }
};

namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint64_t kLocalHeaderBytes = 30, kFieldHeaderBytes = 4, kZip64FieldBytes = 20;  // without name; of an extra field; minizip's own
constexpr uint64_t kZip64From = 0xFFFFFFFF;
constexpr uLong kFirstDosDate = (1 << 5 | 1);  // 1980-01-01, in the upper half; the same content gives the same file

template <class Stream>
zlib_filefunc64_def functions_of(Stream& stream) {
  zlib_filefunc64_def functions{};
  functions.zopen64_file = [](voidpf opaque, const void*, int) { return opaque; };
  functions.zread_file = [](voidpf, voidpf, void*, uLong) -> uLong { return 0; };
  functions.zwrite_file = [](voidpf, voidpf self, const void* data, uLong bytes) -> uLong {
    auto& to = *static_cast<Stream*>(self);
    try {
      to.write(static_cast<const char*>(data), bytes);
      return bytes;
    } catch (...) {
      to.failure = std::current_exception();
      return 0;
    }
  };
  functions.ztell64_file = [](voidpf, voidpf self) -> ZPOS64_T { return static_cast<Stream*>(self)->position; };
  functions.zseek64_file = [](voidpf, voidpf self, ZPOS64_T offset, int origin) -> long {
    auto& to = *static_cast<Stream*>(self);
    const uint64_t base = origin == ZLIB_FILEFUNC_SEEK_CUR ? to.position : origin == ZLIB_FILEFUNC_SEEK_END ? to.end : 0;
    if (base + offset > to.end) return -1;
    to.position = base + offset;
    return 0;
  };
  functions.zclose_file = [](voidpf, voidpf) { return 0; };
  functions.zerror_file = [](voidpf, voidpf) { return 0; };
  functions.opaque = &stream;
  return functions;
}

// An extra field ("FB", as PyTorch calls it) that moves the entry's bytes to the next multiple of the alignment.
std::string padding(uint64_t start, size_t name_bytes, bool zip64) {
  const uint64_t plain = start + kLocalHeaderBytes + name_bytes + (zip64 ? kZip64FieldBytes : 0) + kFieldHeaderBytes;
  const auto bytes = static_cast<size_t>((kAlignment - plain % kAlignment) % kAlignment);
  std::string field = {'F', 'B', static_cast<char>(bytes), 0};
  return field.append(bytes, 'Z');
}

}  // namespace

ZipWriter::ZipWriter(AtomicFile& file) : stream_(new Stream{file, 0, 0, nullptr, {}, nullptr}) {
  stream_->functions = functions_of(*stream_);
  stream_->zip = zipOpen2_64("", APPEND_STATUS_CREATE, nullptr, &stream_->functions);
  if (!stream_->zip) fail(ErrorKind::internal, "minizip cannot begin an archive");
}

ZipWriter::~ZipWriter() {
  if (stream_->zip) zipClose(stream_->zip, nullptr);
}

void ZipWriter::check(int status) {
  if (stream_->failure) std::rethrow_exception(std::exchange(stream_->failure, nullptr));
  if (status != ZIP_OK) fail(ErrorKind::internal, "minizip gives {}", status);
}

void ZipWriter::add(const std::string& name, const void* data, size_t bytes) {
  zip_fileinfo info{};
  info.dosDate = kFirstDosDate << 16;
  const bool zip64 = bytes >= kZip64From;
  const std::string field = padding(stream_->end, name.size(), zip64);
  check(zipOpenNewFileInZip2_64(stream_->zip, name.c_str(), &info, field.data(), static_cast<uInt>(field.size()), nullptr, 0, nullptr, 0, 0,
                                0, zip64));
  constexpr size_t kMostAtOnce = size_t{1} << 30;  // minizip counts in 32 bits
  const char* next = static_cast<const char*>(data);
  for (size_t left = bytes; left > 0;) {
    const size_t part = std::min(left, kMostAtOnce);
    check(zipWriteInFileInZip(stream_->zip, next, static_cast<unsigned>(part)));
    next += part;
    left -= part;
  }
  check(zipCloseFileInZip(stream_->zip));
}

void ZipWriter::finish() { check(zipClose(std::exchange(stream_->zip, nullptr), nullptr)); }

}  // namespace fovea::weights
