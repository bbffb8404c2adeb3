// The one way in which fovea writes files.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace fovea {

// A regular file is written beside and renamed when it is whole and on the disk: after a crash or on a full disk the path names the old
// file or the new one, never a part of it. Links are followed; mode and owner stay. What rename would tear apart (a file with several
// names, or one whose owner the new file could not have) is written beside too, and then copied into the place. What is no regular file (a
// device, a FIFO, /dev/stdout) is written through. Throws Error(io) with the system's reason; nothing is left beside the path then.
class AtomicFile {
 public:
  // `comes_back`: whether `write_at` will be called, for which what goes through to a device or a FIFO is collected first.
  explicit AtomicFile(const std::filesystem::path& path, bool comes_back = false);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Writes over what is there already.
  void write_at(uint64_t position, const void* data, size_t bytes);
  // What was written is on the disk, and nothing is written after it: of several files that belong together all are flushed before the
  // first is committed.
  void flush();
  // Makes it permanent; without it the destructor drops what was written.
  void commit();

 private:
  void open_beside(mode_t mode);
  void give_name();
  void copy_into_place() const;
  void close_all();
  void write_through(const void* data, size_t bytes) const;
  [[noreturn]] void fail_here(const char* doing) const;

  // A number that no other file that this process is writing beside its path has.
  class Number {
   public:
    Number();
    ~Number();
    Number(const Number&) = delete;
    Number& operator=(const Number&) = delete;
    uint64_t value() const { return value_; }

   private:
    uint64_t value_;
  };
  void take_name();

  std::optional<Number> number_;  // of the file beside, while it has a name
  std::filesystem::path path_;    // as it was given, for messages
  std::filesystem::path target_;  // where its links lead
  std::string name_, partial_;    // in the folder; partial_ is empty for a file that has no name yet
  int folder_ = -1, descriptor_ = -1;
  bool through_ = false, collects_ = false, in_place_ = false, flushed_ = false;
  std::string collected_;
};

// Throws what writing the path would throw at its beginning: where its folder is missing or not to be written to, where it is a folder, is
// not to be written to itself, or has too long a name. Nothing changes.
void require_writable(const std::filesystem::path& path);

// Throws Error(usage) where the path has another ending than what it will hold (".onnx"); none at all is good, and capitals do not matter.
void require_ending(const std::string& path, std::string_view ending, std::string_view what);

// Throws Error(io) where the file system of `folder`, which exists, has less room than that.
void require_room(const std::filesystem::path& folder, uint64_t bytes);

// What processes that were killed left of such files in a folder goes; those of living ones stay, and of this process those that it is
// writing.
void remove_partial_files(const std::filesystem::path& folder);

void write_text(const std::filesystem::path& path, std::string_view text);

}  // namespace fovea
