// ocdbt_peer: databases for another program to talk to, one request a line. Keys and values are hex, "-" is an empty
// one.
//
//   create URL INLINE NODE ARITY zstd|LEVEL|none single|numbered   makes a database and opens it
//   open URL [VERSION]                   opens it, perhaps pinned ("v7" or a time)
//   open_with URL MEMBER JSON            opens it, demanding that a member of its configuration has this value
//   fork BASE_URL FORK_URL NAME          seals the base, makes a fork if there is none, and opens it
//   commit OPERATION...                  put:KEY:VALUE  del:KEY  range:BEGIN:END     -> generation
//   bulk OPERATION...                    put only, as a bulk fill                    -> generation
//   fill_part PART OPERATION...          put only, as a part of a fill
//   fill_commit PART...                  the last step of the fill                   -> generation
//   get KEY                              -> value, or "absent"
//   list                                 -> KEY=VALUE ...
//   versions                             -> GENERATION:NUM_KEYS:COMMIT_TIME_NS ...
//   check                                checks every tree of every version
//   spec                                 -> TensorStore's specification
// An answer is "ok ..." or "error CODE: MESSAGE".
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "ocdbt/bulk_writer.h"
#include "ocdbt/database.h"
#include "ocdbt/fill.h"
#include "ocdbt/fork.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/tree_check.h"
#include "store/store.h"

namespace cleave::ocdbt {
namespace {

using Words = std::vector<std::string>;
using Answer = absl::StatusOr<std::string>;

std::string FromHex(absl::string_view text) { return text == "-" ? "" : absl::HexStringToBytes(text); }
std::string ToHex(absl::string_view bytes) { return bytes.empty() ? "-" : absl::BytesToHexString(bytes); }

class Peer {
 public:
  Answer Do(const Words& words) {
    const std::string& command = words[0];
    if (command == "create" && words.size() == 7) {
      return Create(words);
    }
    if (command == "open" && words.size() >= 2) {
      return Open(words[1], words.size() > 2 ? words[2] : "");
    }
    if (command == "open_with" && words.size() == 4) {
      return OpenWith(words[1], words[2], words[3]);
    }
    if (command == "fork" && words.size() == 4) {
      return Fork(words);
    }
    if (database_ == nullptr) {
      return absl::FailedPreconditionError("no database is open");
    }
    if (command == "commit" || command == "bulk") {
      return command == "bulk" ? Bulk(words) : Commit(words);
    }
    if (command == "fill_part" && words.size() >= 2) {
      return WriteFillPart(words);
    }
    if (command == "fill_commit") {
      CLEAVE_ASSIGN_OR_RETURN(const Fill fill, Fill::Create(*database_, "peer"));
      CLEAVE_ASSIGN_OR_RETURN(const CommitResult result, fill.Commit(std::span(words).subspan(1)));
      return absl::StrCat(result.generation.value);
    }
    if (command == "get" && words.size() == 2) {
      CLEAVE_ASSIGN_OR_RETURN(const Snapshot snapshot, database_->Newest());
      CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, snapshot.Read(FromHex(words[1])));
      return read.value ? ToHex(*read.value) : "absent";
    }
    if (command == "list") {
      return List();
    }
    if (command == "versions") {
      return Versions();
    }
    if (command == "check") {
      return Check();
    }
    return command == "spec" ? Answer(database_->KvStoreSpec()) : absl::InvalidArgumentError("unknown request");
  }

 private:
  Answer Create(const Words& words) {
    Config config;
    int arity_log2 = 0;
    if (!absl::SimpleAtoi(words[2], &config.max_inline_value_bytes) ||
        !absl::SimpleAtoi(words[3], &config.max_decoded_node_bytes) || !absl::SimpleAtoi(words[4], &arity_log2)) {
      return absl::InvalidArgumentError("expected numbers");
    }
    config.version_tree_arity_log2 = static_cast<uint8_t>(arity_log2);
    config.compression.zstd = words[5] != "none";
    if (words[5] != "none" && words[5] != "zstd" && !absl::SimpleAtoi(words[5], &config.compression.level)) {
      return absl::InvalidArgumentError("expected a compression");
    }
    config.manifest_kind = words[6] == "numbered" ? ManifestKind::kNumbered : ManifestKind::kSingle;
    CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store, store::OpenStore(words[1]));
    CLEAVE_ASSIGN_OR_RETURN(database_, Database::Create(store, config));
    return "";
  }

  Answer Open(const std::string& url, const std::string& version) {
    CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store, store::OpenStore(url));
    OpenOptions options;
    options.read_only = true;
    if (!version.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(options.version, ParseVersionSpec(version));
    }
    CLEAVE_ASSIGN_OR_RETURN(const bool sealed, IsSealed(*store));
    options.read_only = sealed;
    CLEAVE_ASSIGN_OR_RETURN(database_, Database::Open(store, options));
    return "";
  }

  Answer OpenWith(const std::string& url, const std::string& member, const std::string& json) {
    const nlohmann::json value = nlohmann::json::parse(json);
    OpenOptions options;
    if (member == "uuid") {
      const std::string bytes = absl::HexStringToBytes(value.get<std::string>());
      std::copy(bytes.begin(), bytes.end(), options.config.uuid.emplace().begin());
    } else if (member == "manifest_kind") {
      options.config.manifest_kind = value == "numbered" ? ManifestKind::kNumbered : ManifestKind::kSingle;
    } else if (member == "max_inline_value_bytes") {
      options.config.max_inline_value_bytes = value.get<uint32_t>();
    } else if (member == "max_decoded_node_bytes") {
      options.config.max_decoded_node_bytes = value.get<uint32_t>();
    } else if (member == "version_tree_arity_log2") {
      options.config.version_tree_arity_log2 = value.get<uint8_t>();
    } else {
      options.config.compression = value.is_null() ? Compression{false, 0} : Compression{true, value.value("level", 0)};
    }
    CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store, store::OpenStore(url));
    CLEAVE_ASSIGN_OR_RETURN(database_, Database::Open(store, options));
    return "";
  }

  Answer Fork(const Words& words) {
    ForkPlace place;
    CLEAVE_ASSIGN_OR_RETURN(place.base, store::OpenStore(words[1]));
    CLEAVE_ASSIGN_OR_RETURN(place.folder, store::OpenStore(words[2]));
    place.name = words[3];
    CLEAVE_RETURN_IF_ERROR(SealDatabase(*place.base));
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult manifest, place.folder->Read(kManifestKey));
    if (!manifest.value) {
      CLEAVE_RETURN_IF_ERROR(ForkDatabase(place));
    }
    CLEAVE_ASSIGN_OR_RETURN(database_, OpenFork(place));
    return "";
  }

  Answer Commit(const Words& words) {
    WriteBatch batch;
    for (size_t i = 1; i < words.size(); ++i) {
      const Words parts = absl::StrSplit(words[i], ':');
      if (parts[0] == "put" && parts.size() == 3) {
        batch.Put(FromHex(parts[1]), FromHex(parts[2]));
      } else if (parts[0] == "del" && parts.size() == 2) {
        batch.Delete(FromHex(parts[1]));
      } else if (parts[0] == "range" && parts.size() == 3) {
        batch.DeleteRange({FromHex(parts[1]), FromHex(parts[2])});
      } else {
        return absl::InvalidArgumentError(words[i]);
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const CommitResult result, database_->Commit(batch));
    return absl::StrCat(result.generation.value);
  }

  // Words from `first` on are operations.
  template <typename Writer>
  static absl::Status PutAll(const Words& words, size_t first, Writer& writer) {
    for (size_t i = first; i < words.size(); ++i) {
      const Words parts = absl::StrSplit(words[i], ':');
      if (parts.size() != 3 || parts[0] != "put") {
        return absl::InvalidArgumentError(words[i]);
      }
      CLEAVE_RETURN_IF_ERROR(writer.Put(FromHex(parts[1]), FromHex(parts[2])));
    }
    return absl::OkStatus();
  }

  Answer WriteFillPart(const Words& words) {
    CLEAVE_ASSIGN_OR_RETURN(const Fill fill, Fill::Create(*database_, "peer"));
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<FillPart> part, fill.BeginPart(words[1], {.memory_bytes = 2000}));
    CLEAVE_RETURN_IF_ERROR(PutAll(words, 2, *part));
    CLEAVE_RETURN_IF_ERROR(part->Finish());
    return "";
  }

  Answer Bulk(const Words& words) {
    BulkOptions options;
    options.memory_bytes = 2000;
    CLEAVE_ASSIGN_OR_RETURN(const auto writer, BulkWriter::Create(*database_, options));
    CLEAVE_RETURN_IF_ERROR(PutAll(words, 1, *writer));
    CLEAVE_ASSIGN_OR_RETURN(const CommitResult result, writer->Finish());
    return absl::StrCat(result.generation.value);
  }

  Answer List() {
    CLEAVE_ASSIGN_OR_RETURN(const Snapshot snapshot, database_->Newest());
    std::string out;
    CLEAVE_RETURN_IF_ERROR(snapshot.Scan({}, [&](const ScannedEntry& entry) -> absl::StatusOr<bool> {
      CLEAVE_ASSIGN_OR_RETURN(const std::string value, snapshot.ReadValue(entry.value));
      absl::StrAppend(&out, out.empty() ? "" : " ", ToHex(entry.key), "=", ToHex(value));
      return true;
    }));
    return out;
  }

  Answer Versions() {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Version> versions, database_->ListVersions());
    std::string out;
    for (const Version& version : versions) {
      absl::StrAppend(&out, out.empty() ? "" : " ", version.generation.value, ":", version.root.statistics.num_keys,
                      ":", absl::ToUnixNanos(version.commit_time));
    }
    return out;
  }

  Answer Check() {
    ManifestStore manifests(database_->store());
    CLEAVE_ASSIGN_OR_RETURN(const auto current, manifests.Read());
    CLEAVE_ASSIGN_OR_RETURN(const Snapshot newest, database_->Newest());
    CLEAVE_RETURN_IF_ERROR(CheckVersionTree(current->manifest, newest.reader()));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Version> versions, database_->ListVersions());
    for (const Version& version : versions) {
      CLEAVE_RETURN_IF_ERROR(CheckTree(newest.reader(), version));
    }
    return absl::StrCat(versions.size());
  }

  std::unique_ptr<Database> database_;
};

}  // namespace
}  // namespace cleave::ocdbt

int main() {
  cleave::ocdbt::Peer peer;
  for (std::string line; std::getline(std::cin, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.empty()) {
      continue;
    }
    const absl::StatusOr<std::string> answer = peer.Do(words);
    std::cout << (answer.ok() ? absl::StrCat("ok ", *answer) : absl::StrCat("error ", answer.status().ToString()))
              << std::endl;
  }
  return 0;
}
