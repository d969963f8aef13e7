// A table in one file, for other programs to read and write.
//
// JSON lines, UTF-8; as one zstd frame where the file's name ends in ".zst". Bytes are base64 (RFC 4648, padded).
//
//   {"format":"cleave-table-dump","version":1}
//   {"row":"MDAx...","cells":[["0","children",1700000000000,"KLUv/..."],...]}
//
// "row" is the row key; a cell is family, qualifier, milliseconds since 1970, value. A row may stand on several lines:
// its cells are then those of all of them. Rows and cells come in any order.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "table/table.h"

namespace cleave::table {

// One line, without its end; and back. DATA_LOSS says what is wrong with a line.
[[nodiscard]] std::string EncodeDumpRow(const Row& row);
[[nodiscard]] absl::StatusOr<Row> DecodeDumpRow(absl::string_view line);

// Writes a new file, which takes the place of an older one when it is whole. Not thread-safe.
class DumpWriter {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<DumpWriter>> Create(const std::string& path);
  ~DumpWriter();
  [[nodiscard]] absl::Status Append(const Row& row);
  [[nodiscard]] absl::Status Finish();

 private:
  struct State;
  explicit DumpWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Reads a file from its beginning. Not thread-safe.
class DumpReader {
 public:
  // NOT_FOUND when there is no such file; DATA_LOSS when it is no dump, FAILED_PRECONDITION when of another version.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<DumpReader>> Open(const std::string& path);
  ~DumpReader();
  // The next row; nothing at the end. DATA_LOSS names the line, or says that the file is cut short.
  [[nodiscard]] absl::StatusOr<std::optional<Row>> Next();

 private:
  struct State;
  explicit DumpReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cleave::table
