#include "server/served_dataset.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::server {

absl::Status ValidateName(const std::string& name) {
  constexpr size_t kLengthMax = 100;
  const bool is_plain = std::ranges::all_of(name, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
  if (name.empty() || name.size() > kLengthMax || !is_plain || name[0] == '.' || name == "base") {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name.substr(0, kLengthMax), "' cannot be the name of a dataset: use up to ", kLengthMax,
                     " letters, digits, '_', '-' and '.', no '.' in front, and not 'base'"));
  }
  return absl::OkStatus();
}

absl::Status ValidateNames(std::span<const ServedDataset> datasets) {
  if (datasets.empty()) {
    return absl::InvalidArgumentError("there is no dataset to serve");
  }
  std::set<std::string> seen;
  for (const ServedDataset& served : datasets) {
    CLEAVE_RETURN_IF_ERROR(ValidateName(served.name));
    if (!seen.insert(served.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("two datasets are named '", served.name, "'"));
    }
  }
  return absl::OkStatus();
}

}  // namespace cleave::server
