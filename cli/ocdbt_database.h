// The argument DB of `cleave ocdbt ...`, and what goes with it: the database, one of its branches, a version.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

#include "ocdbt/database.h"

namespace CLI {
class App;
}

namespace cleave::cli {

struct DatabaseText {
  std::string database;  // a folder, or a URL
  std::string fork_of;   // the same of the sealed base, when `database` is a fork; else ""
  std::string branch;    // "" is the database itself
};

// Adds DB, --fork-of and, unless the command is about all branches, --branch.
void RegisterDatabase(CLI::App& app, DatabaseText& text, bool with_branch = true);

enum class Access { kRead, kWrite };

// What a command asks for: the database, or the branch.
struct OpenedDatabase {
  std::shared_ptr<store::Store> store;  // of the database itself, without the branch
  std::unique_ptr<ocdbt::Database> database;
};
// NOT_FOUND when there is no such database or branch, FAILED_PRECONDITION when it is sealed and is to be written.
[[nodiscard]] absl::StatusOr<OpenedDatabase> OpenDatabase(const DatabaseText& text, Access access);
// The store alone, where there need not be a database.
[[nodiscard]] absl::StatusOr<std::shared_ptr<store::Store>> OpenDatabaseStore(const DatabaseText& text);

// Adds --version.
void RegisterVersion(CLI::App& app, std::string& version);
// The newest version for "", else as ocdbt::FindSnapshot.
[[nodiscard]] absl::StatusOr<ocdbt::Snapshot> FindVersion(const ocdbt::Database& database, absl::string_view version);

// A key as it is shown: with bytes that are not printable, or not UTF-8, as \xNN.
[[nodiscard]] std::string KeyText(absl::string_view key);
// {"key": text}, and "key_hex" where the text does not tell all.
void AddKey(nlohmann::ordered_json& json, absl::string_view key);
// Adds --hex, and reads keys accordingly.
void RegisterHex(CLI::App& app, bool& hex);
[[nodiscard]] absl::StatusOr<std::string> ParseKey(absl::string_view text, bool hex);

// {"generation", "commit_time", "keys", "bytes" ...}; times with nanoseconds, as TensorStore takes them.
[[nodiscard]] nlohmann::ordered_json VersionJson(const ocdbt::Version& version);
[[nodiscard]] std::string CommitTimeText(const ocdbt::Version& version);
// "12 B", "3.4 MB".
[[nodiscard]] std::string BytesText(uint64_t bytes);

}  // namespace cleave::cli
