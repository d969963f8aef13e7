// The files of embedded tables as a power cut would leave them, for tests.
//
//   PowerCutFiles files;                        // before the table is opened
//   ... EmbeddedTable::Open(folder), changes ...
//   const auto found = files.AfterPowerCut(folder);   // what a new process would find if the power failed now
//
// The worst that POSIX allows of what was not synced: a file has the bytes that it had when it was last synced, and a
// name that was made or replaced since its folder was synced is as it was before. Files are only appended to, which is
// all that the engine does. One at a time, and no table may be open at its beginning or end. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>

namespace cleave::table {

class PowerCutFiles {
 public:
  PowerCutFiles();
  PowerCutFiles(const PowerCutFiles&) = delete;
  PowerCutFiles& operator=(const PowerCutFiles&) = delete;
  ~PowerCutFiles();

  // Names in `folder`, and their bytes. Files that were there before are taken for synced.
  [[nodiscard]] std::map<std::string, std::string> AfterPowerCut(const std::string& folder) const;

 private:
  class Files;
  std::unique_ptr<Files> files_;
};

}  // namespace cleave::table
