// Where a command says what it found: results on standard output, all else on standard error.
#pragma once

#include <memory>
#include <ostream>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

#include "base/progress.h"

namespace cleave::cli {

struct OutputMode {
  bool json = false;   // results as one JSON object on one line; no progress, no notes
  bool quiet = false;  // no progress, no notes
};

// Borrows both streams. Not thread-safe, but for what progress() returns.
class Console {
 public:
  Console(std::ostream& out, std::ostream& err, OutputMode mode);

  // The result of a command, in the form that was asked for. `text` ends with a line break.
  void Show(const nlohmann::ordered_json& json, absl::string_view text);
  // A remark for a person that is no part of the result. `important` ones are also said when the console is quiet.
  void Note(absl::string_view remark, bool important = false);
  // "cleave: MESSAGE" on standard error; with JSON also {"error": {"code": ..., "message": ...}} on standard output,
  // unless a result stands there already.
  void ShowError(const absl::Status& error);
  [[nodiscard]] Progress& progress() { return *progress_; }

 private:
  std::ostream& out_;
  std::ostream& err_;
  const OutputMode mode_;
  std::unique_ptr<Progress> bar_;
  Progress* progress_;
  bool shown_ = false;
};

}  // namespace cleave::cli
