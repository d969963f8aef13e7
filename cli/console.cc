#include "cli/console.h"

#include <unistd.h>

#include <string>

#include "nlohmann/json.hpp"

namespace cleave::cli {

Console::Console(std::ostream& out, std::ostream& err, OutputMode mode)
    : out_(out),
      err_(err),
      mode_(mode),
      bar_(mode.json || mode.quiet ? nullptr : MakeProgressBar()),
      progress_(bar_ == nullptr ? &Progress::Silent() : bar_.get()) {}

void Console::Show(const nlohmann::ordered_json& json, absl::string_view text) {
  if (mode_.json) {
    out_ << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  } else {
    out_ << text;
  }
  out_.flush();
  shown_ = true;
}

void Console::Note(absl::string_view remark, bool important) {
  if (important || !(mode_.json || mode_.quiet)) {
    err_ << "cleave: " << remark << std::endl;
  }
}

void Console::ShowError(const absl::Status& error) {
  if (bar_ != nullptr && isatty(STDERR_FILENO) != 0) {
    err_ << "\r\033[K";  // a bar may stand there, unfinished
  }
  err_ << "cleave: " << error.message() << std::endl;
  if (mode_.json && !shown_) {
    const nlohmann::ordered_json json = {
        {"error",
         {{"code", std::string(absl::StatusCodeToString(error.code()))}, {"message", std::string(error.message())}}}};
    Show(json, "");
  }
}

}  // namespace cleave::cli
