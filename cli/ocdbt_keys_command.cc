// `cleave ocdbt create|ls|get|put|rm`: a database as a map.
#include <fstream>
#include <iostream>
#include <iterator>

#include "CLI/CLI.hpp"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/ocdbt_database.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "store/key_text.h"

namespace cleave::cli {
namespace {

Json SpecJson(const ocdbt::Database& database) {
  const Json json = Json::parse(database.KvStoreSpec(), nullptr, /*allow_exceptions=*/false);
  return json.is_discarded() ? Json() : json;
}

class OcdbtCreateCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt create", "", "Make an empty database",
            "cleave ocdbt create store\n"
            "cleave ocdbt create store --max-inline-value-bytes 100 --compression zstd:9 --manifest-kind numbered"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_, /*with_branch=*/false);
    app.remove_option(app.get_option("--fork-of"));
    app.add_option("--max-inline-value-bytes", config_.max_inline_value_bytes, "Longer values lie outside of the tree")
        ->capture_default_str();
    app.add_option("--max-decoded-node-bytes", config_.max_decoded_node_bytes, "The size of a node; 0: no limit")
        ->capture_default_str();
    app.add_option("--version-tree-arity-log2", arity_log2_, "A node of the version tree has 2 to this many children")
        ->capture_default_str();
    app.add_option("--compression", compression_, "Of nodes: zstd, zstd:LEVEL or none")->capture_default_str();
    app.add_option("--manifest-kind", kind_, "single, or numbered for stores without compare-and-swap")
        ->capture_default_str()
        ->check(CLI::IsMember({"single", "numbered"}));
  }

  absl::Status Run(Console& console) override {
    if (arity_log2_ > 16) {
      return absl::InvalidArgumentError("--version-tree-arity-log2 must be 1 to 16");
    }
    config_.version_tree_arity_log2 = static_cast<uint8_t>(arity_log2_);
    config_.manifest_kind = kind_ == "numbered" ? ocdbt::ManifestKind::kNumbered : ocdbt::ManifestKind::kSingle;
    config_.compression.zstd = compression_ != "none";
    absl::string_view level = compression_;
    if (config_.compression.zstd && compression_ != "zstd" &&
        (!absl::ConsumePrefix(&level, "zstd:") || !absl::SimpleAtoi(level, &config_.compression.level))) {
      return absl::InvalidArgumentError(
          absl::StrCat("--compression: '", compression_, "' is not zstd, zstd:LEVEL or none"));
    }
    CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store, OpenDatabaseStore(text_));
    CLEAVE_ASSIGN_OR_RETURN(const auto database, ocdbt::Database::Create(std::move(store), config_));
    console.Show({{"database", text_.database},
                  {"config", Json::parse(ocdbt::ConfigJson(database->config()))},
                  {"kvstore", SpecJson(*database)}},
                 absl::StrCat("made ", database->Describe(), "\n"));
    return absl::OkStatus();
  }

 private:
  DatabaseText text_;
  ocdbt::Config config_;
  uint32_t arity_log2_ = config_.version_tree_arity_log2;
  std::string compression_ = "zstd";
  std::string kind_ = "single";
};

class OcdbtLsCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt ls", "", "List keys and the sizes of their values",
            "cleave ocdbt ls store\ncleave ocdbt ls store 8_8_40/ --version 7 --limit 20"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_);
    app.add_option("PREFIX", prefix_, "Only keys that begin so");
    RegisterVersion(app, version_);
    RegisterHex(app, hex_);
    app.add_option("--limit", limit_, "At most so many keys; 0: all")->capture_default_str();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const std::string prefix, ParseKey(prefix_, hex_));
    CLEAVE_ASSIGN_OR_RETURN(const OpenedDatabase opened, OpenDatabase(text_, Access::kRead));
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot snapshot, FindVersion(*opened.database, version_));
    Json keys = Json::array();
    std::string lines;
    bool more = false;
    CLEAVE_RETURN_IF_ERROR(snapshot.Scan(store::KeyRange::Prefix(prefix), [&](const ocdbt::ScannedEntry& entry) {
      more = limit_ > 0 && keys.size() >= limit_;
      if (!more) {
        Json json;
        AddKey(json, entry.key);
        json["bytes"] = entry.value.length();
        json["inline"] = !entry.value.indirect;
        keys.push_back(std::move(json));
        absl::StrAppendFormat(&lines, "%12d  %s\n", entry.value.length(), KeyText(entry.key));
      }
      return !more;
    }));
    console.Show({{"generation", snapshot.generation().value}, {"keys", std::move(keys)}, {"more", more}}, lines);
    if (more) {
      console.Note(absl::StrCat("there are more than ", limit_, " keys"));
    }
    return absl::OkStatus();
  }

 private:
  DatabaseText text_;
  std::string prefix_;
  std::string version_;
  bool hex_ = false;
  uint64_t limit_ = 0;
};

class OcdbtGetCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt get", "", "Read one value",
            "cleave ocdbt get store info\ncleave ocdbt get store info --version 7 --out info.json"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_);
    app.add_option("KEY", key_, "The key")->required();
    RegisterVersion(app, version_);
    RegisterHex(app, hex_);
    app.add_option("--out", out_, "Write the value to this file instead of standard output")->type_name("FILE");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const std::string key, ParseKey(key_, hex_));
    CLEAVE_ASSIGN_OR_RETURN(const OpenedDatabase opened, OpenDatabase(text_, Access::kRead));
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot snapshot, FindVersion(*opened.database, version_));
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, snapshot.Read(key));
    if (!read.value) {
      return absl::NotFoundError(
          absl::StrCat("there is no key ", store::Quoted(key), " in version ", snapshot.generation().value));
    }
    Json json = {{"generation", snapshot.generation().value}};
    AddKey(json, key);
    json["bytes"] = read.value->size();
    if (!out_.empty()) {
      std::ofstream file(out_, std::ios::binary);
      file.write(read.value->data(), static_cast<std::streamsize>(read.value->size()));
      if (!file.flush()) {
        return absl::InvalidArgumentError(absl::StrCat("cannot write ", out_));
      }
      json["out"] = out_;
      console.Show(json, absl::StrCat(read.value->size(), " bytes to ", out_, "\n"));
      return absl::OkStatus();
    }
    json["value"] = KeyText(*read.value);
    json["value_hex"] = absl::BytesToHexString(*read.value);
    console.Show(json, *read.value);
    return absl::OkStatus();
  }

 private:
  DatabaseText text_;
  std::string key_;
  std::string version_;
  std::string out_;
  bool hex_ = false;
};

Json CommitJson(const ocdbt::CommitResult& committed) {
  return {{"generation", committed.generation.value},
          {"commit_time", ocdbt::FormatVersionSpec(ocdbt::CommittedBy{committed.commit_time})},
          {"changed", committed.changed}};
}

std::string CommitText(const ocdbt::CommitResult& committed) {
  return committed.changed ? absl::StrCat("committed version ", committed.generation.value, "\n")
                           : absl::StrCat("no change; the version is still ", committed.generation.value, "\n");
}

class OcdbtPutCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt put", "", "Write one value, as a new version",
            "cleave ocdbt put store greeting 'good morning'\ncleave ocdbt put store info --file info.json --if-absent"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_);
    app.add_option("KEY", key_, "The key")->required();
    CLI::Option* value = app.add_option("VALUE", value_, "The value");
    app.add_option("--file", file_, "Take the value from this file; - is standard input")
        ->type_name("FILE")
        ->excludes(value);
    app.add_flag("--if-absent", if_absent_, "Only if there is no such key yet; else exit code 4");
    RegisterHex(app, hex_);
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const std::string key, ParseKey(key_, hex_));
    if (!file_.empty()) {
      CLEAVE_RETURN_IF_ERROR(ReadFile());
    } else if (!value_) {
      return absl::InvalidArgumentError("give VALUE or --file; see --help");
    }
    CLEAVE_ASSIGN_OR_RETURN(const OpenedDatabase opened, OpenDatabase(text_, Access::kWrite));
    ocdbt::WriteBatch batch;
    batch.Put(key, *value_, if_absent_ ? std::optional(store::Generation::Absent()) : std::nullopt);
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::CommitResult committed, opened.database->Commit(batch));
    console.Show(CommitJson(committed), CommitText(committed));
    return absl::OkStatus();
  }

 private:
  absl::Status ReadFile() {
    std::ifstream file;
    if (file_ != "-") {
      file.open(file_, std::ios::binary);
      if (!file) {
        return absl::InvalidArgumentError(absl::StrCat("cannot read ", file_));
      }
    }
    std::istream& in = file_ == "-" ? std::cin : file;
    value_.emplace(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    return in.bad() ? absl::InvalidArgumentError(absl::StrCat("cannot read ", file_)) : absl::OkStatus();
  }

  DatabaseText text_;
  std::string key_;
  std::optional<std::string> value_;
  std::string file_;
  bool if_absent_ = false;
  bool hex_ = false;
};

class OcdbtRmCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt rm", "", "Delete keys, or all keys with a prefix, as a new version",
            "cleave ocdbt rm store greeting info\ncleave ocdbt rm store --prefix 16_16_40/"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_);
    app.add_option("KEY", keys_, "Keys to delete; one that is not there is no error");
    app.add_option("--prefix", prefixes_, "Delete all keys that begin so. May be given again")->type_name("TEXT ...");
    RegisterHex(app, hex_);
  }

  absl::Status Run(Console& console) override {
    if (keys_.empty() && prefixes_.empty()) {
      return absl::InvalidArgumentError("give KEY or --prefix; see --help");
    }
    ocdbt::WriteBatch batch;
    for (const std::string& text : keys_) {
      CLEAVE_ASSIGN_OR_RETURN(const std::string key, ParseKey(text, hex_));
      batch.Delete(key);
    }
    for (const std::string& text : prefixes_) {
      CLEAVE_ASSIGN_OR_RETURN(const std::string prefix, ParseKey(text, hex_));
      batch.DeleteRange(store::KeyRange::Prefix(prefix));
    }
    CLEAVE_ASSIGN_OR_RETURN(const OpenedDatabase opened, OpenDatabase(text_, Access::kWrite));
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::CommitResult committed, opened.database->Commit(batch));
    console.Show(CommitJson(committed), CommitText(committed));
    return absl::OkStatus();
  }

 private:
  DatabaseText text_;
  std::vector<std::string> keys_;
  std::vector<std::string> prefixes_;
  bool hex_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeOcdbtCreateCommand() { return std::make_unique<OcdbtCreateCommand>(); }
std::unique_ptr<Command> MakeOcdbtGetCommand() { return std::make_unique<OcdbtGetCommand>(); }
std::unique_ptr<Command> MakeOcdbtLsCommand() { return std::make_unique<OcdbtLsCommand>(); }
std::unique_ptr<Command> MakeOcdbtPutCommand() { return std::make_unique<OcdbtPutCommand>(); }
std::unique_ptr<Command> MakeOcdbtRmCommand() { return std::make_unique<OcdbtRmCommand>(); }

}  // namespace cleave::cli
