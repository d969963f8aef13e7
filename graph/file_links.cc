#include "graph/file_links.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::graph {
namespace {

namespace fs = std::filesystem;

absl::Status FileError(const std::error_code& error, absl::string_view what, const fs::path& path) {
  const std::string message = absl::StrCat(what, " ", path.string(), ": ", error.message());
  return error == std::errc::no_space_on_device ? absl::ResourceExhaustedError(message)
                                                : absl::UnavailableError(message);
}

absl::Status LinkFile(const fs::path& from, const fs::path& to, LinkCounts& counts) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (!error) {
    ++counts.linked;
    return absl::OkStatus();
  }
  if (error == std::errc::file_exists) {
    return FileError(error, "cannot make", to);
  }
  fs::copy_file(from, to, error);
  if (error) {
    return FileError(error, "cannot copy", from);
  }
  ++counts.copied;
  return absl::OkStatus();
}

}  // namespace

absl::Status LinkFolder(const std::string& from, const std::string& to, LinkCounts& counts) {
  std::error_code error;
  if (!fs::exists(from, error)) {
    return absl::OkStatus();
  }
  fs::create_directories(to, error);
  for (auto entry = fs::recursive_directory_iterator(from, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    const fs::path target = fs::path(to) / fs::relative(entry->path(), from, error);
    if (error) {
      break;
    }
    if (entry->is_directory(error)) {
      fs::create_directories(target, error);
    } else if (!absl::EndsWith(target.filename().string(), ".__lock")) {
      CLEAVE_RETURN_IF_ERROR(LinkFile(entry->path(), target, counts));
    }
  }
  return error ? FileError(error, "cannot read", from) : absl::OkStatus();
}

absl::Status SyncFolder(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool done = descriptor >= 0 && syncfs(descriptor) == 0;
  const std::error_code error(errno, std::generic_category());
  if (descriptor >= 0) {
    close(descriptor);
  }
  return done ? absl::OkStatus() : FileError(error, "cannot bring to disk", folder);
}

}  // namespace cleave::graph
