// A table as pandas writes and reads it by default: {"COLUMN": {"0": value, "1": value, ...}, ...}.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"

namespace cleave::server {

class ColumnJson {
 public:
  explicit ColumnJson(std::vector<std::string> names) : names_(std::move(names)) {
    for (const std::string& name : names_) {
      columns_[name] = nlohmann::json::object();
    }
  }
  // REQUIRES: one value for each column.
  void AddRow(std::vector<nlohmann::json> values) {
    const std::string number = std::to_string(row_count_++);
    for (size_t i = 0; i < names_.size(); ++i) {
      columns_[names_[i]][number] = std::move(values[i]);
    }
  }
  [[nodiscard]] nlohmann::json Take() && { return std::move(columns_); }

 private:
  std::vector<std::string> names_;
  nlohmann::json columns_ = nlohmann::json::object();
  size_t row_count_ = 0;
};

}  // namespace cleave::server
