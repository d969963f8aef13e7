#include "cli/ocdbt_database.h"

#include <filesystem>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "ocdbt/branch.h"
#include "ocdbt/fork.h"

namespace cleave::cli {
namespace {

using Json = nlohmann::ordered_json;

// The store of a folder or a URL.
absl::StatusOr<std::shared_ptr<store::Store>> StoreOf(const std::string& text) {
  if (text.find("://") != std::string::npos) {
    return store::OpenStore(text);
  }
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(text, error);
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a folder: ", error.message()));
  }
  return store::OpenStore(absl::StrCat("file://", absolute.lexically_normal().string()));
}

std::string LastComponent(const std::string& text) {
  const absl::string_view trimmed = absl::StripSuffix(text, "/");
  return std::string(trimmed.substr(trimmed.rfind('/') + 1));
}

struct Place {
  std::shared_ptr<store::Store> store;
  ocdbt::OpenOptions options;
};

absl::StatusOr<Place> PlaceOf(const DatabaseText& text) {
  Place place;
  CLEAVE_ASSIGN_OR_RETURN(place.store, StoreOf(text.database));
  if (!text.fork_of.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> base, StoreOf(text.fork_of));
    CLEAVE_ASSIGN_OR_RETURN(
        ocdbt::ForkedStore fork,
        ocdbt::StackFork({.base = std::move(base), .folder = place.store, .name = LastComponent(text.database)}));
    place.store = std::move(fork.store);
    place.options.prefixes = std::move(fork.prefixes);
  }
  return place;
}

}  // namespace

void RegisterDatabase(CLI::App& app, DatabaseText& text, bool with_branch) {
  app.add_option("DB", text.database, "The database: its folder, or a URL")->required();
  app.add_option("--fork-of", text.fork_of, "DB is a fork (a project's, say); this is the sealed database it is of")
      ->type_name("DB");
  if (with_branch) {
    app.add_option("--branch", text.branch, "This branch instead of the database itself")->type_name("NAME");
  }
}

absl::StatusOr<std::shared_ptr<store::Store>> OpenDatabaseStore(const DatabaseText& text) {
  CLEAVE_ASSIGN_OR_RETURN(Place place, PlaceOf(text));
  return std::move(place.store);
}

absl::StatusOr<OpenedDatabase> OpenDatabase(const DatabaseText& text, Access access) {
  CLEAVE_ASSIGN_OR_RETURN(Place place, PlaceOf(text));
  place.options.read_only = access == Access::kRead;
  absl::StatusOr<std::unique_ptr<ocdbt::Database>> database =
      text.branch.empty() ? ocdbt::Database::Open(place.store, place.options)
                          : ocdbt::OpenName(place.store, ocdbt::NameKind::kBranch, text.branch, place.options);
  CLEAVE_RETURN_IF_ERROR(database.status());
  return OpenedDatabase{std::move(place.store), *std::move(database)};
}

void RegisterVersion(CLI::App& app, std::string& version) {
  app.add_option("--version", version, "A past state: a number, a time (2026-01-31T12:00:00Z), or the name of a tag")
      ->type_name("VERSION");
}

absl::StatusOr<ocdbt::Snapshot> FindVersion(const ocdbt::Database& database, absl::string_view version) {
  return version.empty() ? database.Newest() : ocdbt::FindSnapshot(database, version);
}

std::string KeyText(absl::string_view key) {
  try {
    (void)Json(std::string(key)).dump();  // throws unless it is UTF-8
    return absl::Utf8SafeCHexEscape(key);
  } catch (const Json::exception&) {
    return absl::CHexEscape(key);
  }
}

void AddKey(Json& json, absl::string_view key) {
  const std::string text = KeyText(key);
  json["key"] = text;
  if (text != key) {  // something is escaped
    json["key_hex"] = absl::BytesToHexString(key);
  }
}

void RegisterHex(CLI::App& app, bool& hex) { app.add_flag("--hex", hex, "Keys are given as hexadecimal digits"); }

absl::StatusOr<std::string> ParseKey(absl::string_view text, bool hex) {
  if (!hex) {
    return std::string(text);
  }
  std::string key = absl::HexStringToBytes(text);
  if (absl::BytesToHexString(key) != absl::AsciiStrToLower(text)) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not an even number of hexadecimal digits"));
  }
  return key;
}

Json VersionJson(const ocdbt::Version& version) {
  const ocdbt::Statistics& statistics = version.root.statistics;
  return {{"generation", version.generation.value},
          {"commit_time", CommitTimeText(version)},
          {"keys", statistics.num_keys},
          {"bytes", statistics.num_tree_bytes + statistics.num_indirect_value_bytes},
          {"node_bytes", statistics.num_tree_bytes},
          {"value_bytes", statistics.num_indirect_value_bytes}};
}

std::string CommitTimeText(const ocdbt::Version& version) {
  return ocdbt::FormatVersionSpec(ocdbt::CommittedBy{version.commit_time});
}

std::string BytesText(uint64_t bytes) {
  if (bytes < 1000) {
    return absl::StrCat(bytes, " B");
  }
  double amount = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* larger : {"kB", "MB", "GB", "TB", "PB"}) {
    if (amount < 1000) {
      break;
    }
    amount /= 1000;
    unit = larger;
  }
  return absl::StrFormat("%.1f %s", amount, unit);
}

}  // namespace cleave::cli
