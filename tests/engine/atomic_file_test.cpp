#include "base/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class AtomicFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fovea-files-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  size_t entries() const { return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator())); }
  static struct stat status(const fs::path& path) {
    struct stat info {};
    EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
    return info;
  }
  // The message of the error that writing gives, which says so before anything is written, too.
  std::string refusal(const fs::path& path, ErrorKind kind = ErrorKind::io) {
    std::string first;
    const auto message = [&](auto&& call) -> std::string {
      try {
        call();
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), kind);
        return error.what();
      }
      ADD_FAILURE() << path << " is written";
      return "";
    };
    const std::string before = message([&] { require_writable(path); });
    EXPECT_EQ(message([&] { write_text(path, "x"); }), before);
    return before;
  }

  fs::path folder_;
};

TEST_F(AtomicFiles, ReplacesAFileWholeAndKeepsItsMode) {
  const fs::path path = folder_ / "file";
  write_text(path, "first");
  EXPECT_EQ(
      status(path).st_mode & 0777, 0666 & ~[] {
        const mode_t mask = umask(0);
        umask(mask);
        return mask;
      }());
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  const ino_t before = status(path).st_ino;
  {
    AtomicFile file(path);
    file.write("half");
    EXPECT_EQ(read_text(path), "first");
  }
  EXPECT_EQ(read_text(path), "first");
  EXPECT_EQ(entries(), 1u);
  write_text(path, "second");
  EXPECT_EQ(read_text(path), "second");
  EXPECT_EQ(status(path).st_mode & 07777, 0600u);
  EXPECT_NE(status(path).st_ino, before);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicFiles, FollowsLinksAlsoToWhatIsNotThereYet) {
  fs::create_directory(folder_ / "far");
  write_text(folder_ / "far/old", "old");
  fs::create_symlink("far/old", folder_ / "one");
  fs::create_symlink("one", folder_ / "two");
  fs::create_symlink("far/new", folder_ / "dangling");
  write_text(folder_ / "two", "through two");
  write_text(folder_ / "dangling", "new");
  EXPECT_TRUE(fs::is_symlink(folder_ / "one") && fs::is_symlink(folder_ / "two") && fs::is_symlink(folder_ / "dangling"));
  EXPECT_EQ(read_text(folder_ / "far/old"), "through two");
  EXPECT_EQ(read_text(folder_ / "far/new"), "new");
  fs::create_symlink("loop", folder_ / "loop");
  EXPECT_THAT(refusal(folder_ / "loop"), HasSubstr("loop"));
  fs::create_symlink("nowhere/file", folder_ / "lost");
  EXPECT_THAT(refusal(folder_ / "lost"), HasSubstr("there is no folder"));
}

TEST_F(AtomicFiles, WritesIntoAFileWithSeveralNames) {
  write_text(folder_ / "one", "a long text that is written over");
  fs::create_hard_link(folder_ / "one", folder_ / "two");
  ASSERT_EQ(chmod((folder_ / "one").c_str(), 0640), 0);
  {
    AtomicFile file(folder_ / "two");
    file.write("dropped");
  }
  EXPECT_EQ(read_text(folder_ / "one"), "a long text that is written over");
  write_text(folder_ / "two", "short");
  EXPECT_EQ(read_text(folder_ / "one"), "short");
  EXPECT_EQ(status(folder_ / "one").st_ino, status(folder_ / "two").st_ino);
  EXPECT_EQ(status(folder_ / "one").st_mode & 07777, 0640u);
  EXPECT_EQ(entries(), 2u);
}

TEST_F(AtomicFiles, WritesThroughAFifo) {
  const fs::path fifo = folder_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  require_writable(fifo);  // does not wait for a reader
  for (const bool comes_back : {false, true}) {
    std::string got;
    std::thread reader([&] {
      const int from = open(fifo.c_str(), O_RDONLY);
      char part[16];
      for (ssize_t bytes; (bytes = read(from, part, sizeof part)) > 0;) got.append(part, static_cast<size_t>(bytes));
      close(from);
    });
    AtomicFile file(fifo, comes_back);
    file.write("0123456789");
    if (comes_back) file.write_at(2, "ab", 2);
    file.commit();
    reader.join();
    EXPECT_EQ(got, comes_back ? "01ab456789" : "0123456789");
  }
  EXPECT_TRUE(fs::is_fifo(fifo));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicFiles, WritesThroughADevice) {
  const fs::path null = folder_ / "null", full = folder_ / "full";
  if (mknod(null.c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0 || mknod(full.c_str(), S_IFCHR | 0600, makedev(1, 7)) != 0)
    GTEST_SKIP() << "devices are made by root alone";
  const int attempt = open(null.c_str(), O_WRONLY);
  if (attempt < 0) GTEST_SKIP() << "devices do not work in " << folder_;
  close(attempt);
  write_text(null, "gone");
  EXPECT_TRUE(S_ISCHR(status(null).st_mode));
  require_writable(full);
  try {
    write_text(full, "nothing fits");
    ADD_FAILURE() << "written to a full device";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("No space left"));
  }
  EXPECT_TRUE(S_ISCHR(status(full).st_mode));
}

TEST_F(AtomicFiles, GoesOnWhereADescriptorIs) {
  const fs::path path = folder_ / "redirected";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT, 0644);
  ASSERT_EQ(write(descriptor, "before ", 7), 7);
  const fs::path name = fmt::format("/proc/self/fd/{}", descriptor);
  require_writable(name);
  write_text(name, "between");
  fs::create_symlink(name, folder_ / "link");
  write_text(folder_ / "link", " links");
  ASSERT_EQ(write(descriptor, " after", 6), 6);
  close(descriptor);
  EXPECT_EQ(read_text(path), "before between links after");
}

TEST_F(AtomicFiles, RefusesBeforeTheWork) {
  EXPECT_THAT(refusal(folder_), HasSubstr("Is a directory"));
  EXPECT_THAT(refusal(folder_ / ""), HasSubstr("Is a directory"));
  EXPECT_THAT(refusal(folder_ / "new/"), HasSubstr("directory"));
  EXPECT_THAT(refusal(folder_ / "missing/file"), HasSubstr("there is no folder " + (folder_ / "missing").string()));
  write_text(folder_ / "file", "kept");
  EXPECT_THAT(refusal(folder_ / "file/below"), HasSubstr("Not a directory"));
  EXPECT_THAT(refusal(folder_ / std::string(256, 'n')), HasSubstr("too long"));
  refusal("", ErrorKind::usage);
  if (geteuid() != 0) {
    ASSERT_EQ(chmod((folder_ / "file").c_str(), 0400), 0);
    EXPECT_THAT(refusal(folder_ / "file"), HasSubstr("Permission denied"));
    ASSERT_EQ(chmod(folder_.c_str(), 0500), 0);
    EXPECT_THAT(refusal(folder_ / "other"), HasSubstr("Permission denied"));
    ASSERT_EQ(chmod(folder_.c_str(), 0700), 0);
  }
  EXPECT_EQ(read_text(folder_ / "file"), "kept");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicFiles, TakesTheLongestNames) {
  for (const size_t length : {240, 245, 254, 255}) {
    const fs::path path = folder_ / std::string(length, 'n');
    write_text(path, "long");
    EXPECT_EQ(read_text(path), "long");
  }
  EXPECT_EQ(entries(), 4u);
}

TEST_F(AtomicFiles, ThreadsWriteOneFileWithoutMixing) {
  const fs::path path = folder_ / "file";
  std::vector<std::thread> writers;
  for (char letter : {'a', 'b', 'c', 'd'})
    writers.emplace_back([&path, letter] {
      for (int i = 0; i < 10; ++i) write_text(path, std::string(10'000, letter));
    });
  for (std::thread& writer : writers) writer.join();
  const std::string text = read_text(path);
  EXPECT_EQ(text, std::string(10'000, text.at(0)));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicFiles, AFileThatMayGrowNoMoreIsAnError) {
  write_text(folder_ / "file", "kept");
  write_text(folder_ / "shared", "kept");
  fs::create_hard_link(folder_ / "shared", folder_ / "other");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  for (const char* name : {"file", "shared", "new"}) {
    try {
      write_text(folder_ / name, std::string(2000, 'x'));
      ADD_FAILURE() << name << " is written";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("File too large"));
    }
  }
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(read_text(folder_ / "file"), "kept");
  EXPECT_EQ(read_text(folder_ / "other"), "kept");
  EXPECT_EQ(entries(), 3u);
}

TEST_F(AtomicFiles, OnlyWhatDeadProcessesLeftIsRemoved) {
  const std::string alive = fmt::format("a.partial-{}-0", getppid());
  for (const std::string& name : {std::string("b.partial-99999999-3"), std::string("c.partial-99999999"), alive, std::string("a.partial-")})
    write_text(folder_ / name, "x");
  remove_partial_files(folder_);
  EXPECT_EQ(entries(), 2u);
  EXPECT_TRUE(fs::exists(folder_ / alive));
}

TEST_F(AtomicFiles, RoomIsAskedForInMegabytes) {
  require_room(folder_, 1);
  try {
    require_room(folder_, uint64_t{1} << 62);
    ADD_FAILURE() << "more than any disk has";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("MB are needed"));
  }
}

TEST(Endings, DecideOrAreRefused) {
  for (const char* good : {"m.onnx", "M.ONNX", "folder.x/m", "m"}) require_ending(good, ".onnx", "a network");
  for (const char* bad : {"m.pb", "m.onnx.gz", "m.pth"}) {
    try {
      require_ending(bad, ".onnx", "a network");
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_THAT(error.what(), HasSubstr("a network is written as .onnx"));
    }
  }
}

}  // namespace
}  // namespace fovea
