// A folder for one test, removed with all it holds at the end.
#pragma once

#include <string>

namespace cleave::store {

class TemporaryFolder {
 public:
  // Makes a new empty folder below $TMPDIR (or /tmp). Ends the program when it cannot.
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  // Absolute, without '/' at the end.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string url() const { return "file://" + path_ + "/"; }

 private:
  std::string path_;
};

}  // namespace cleave::store
