// A database with a long history of small random commits, and the map that each version must be; for tests.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "ocdbt/database.h"

namespace cleave::ocdbt {

using Map = std::map<std::string, std::string>;

inline Config HistoryConfig(uint8_t arity_log2, ManifestKind kind = ManifestKind::kSingle) {
  Config config;
  config.max_decoded_node_bytes = 300;
  config.max_inline_value_bytes = 20;
  config.version_tree_arity_log2 = arity_log2;
  config.manifest_kind = kind;
  return config;
}

inline Map ReadAll(const Snapshot& snapshot) {
  Map all;
  const absl::Status status = snapshot.Scan({}, [&](const ScannedEntry& entry) -> absl::StatusOr<bool> {
    absl::StatusOr<std::string> value = snapshot.ReadValue(entry.value);
    if (!value.ok()) {
      return value.status();
    }
    all[std::string(entry.key)] = *std::move(value);
    return true;
  });
  EXPECT_TRUE(status.ok()) << status;
  return all;
}

// Writes to a database, and knows what it must hold.
class History {
 public:
  explicit History(uint32_t seed) : random_(seed) {}

  // Puts a few keys of `key_count`, deletes some; every third value is too long for the tree.
  GenerationNumber Commit(Database& database, Map& map, int key_count = 60) {
    WriteBatch batch;
    for (int i = 0; i < 4; ++i) {
      const std::string key = absl::StrCat("key/", 100 + Below(key_count));
      if (Below(5) == 0) {
        batch.Delete(key);
        map.erase(key);
      } else {
        map[key] = absl::StrCat(++count_, std::string(Below(3) == 0 ? 60 : 5, '.'));
        batch.Put(key, map[key]);
      }
    }
    map["count"] = absl::StrCat(++count_);
    batch.Put("count", map["count"]);
    const absl::StatusOr<CommitResult> committed = database.Commit(batch);
    EXPECT_TRUE(committed.ok()) << committed.status();
    return committed.ok() ? committed->generation : GenerationNumber{};
  }

  // Fills `versions`, by generation.
  void CommitMany(Database& database, int commits, std::map<uint64_t, Map>& versions) {
    for (int i = 0; i < commits; ++i) {
      Map next = versions.empty() ? Map() : versions.rbegin()->second;
      const GenerationNumber generation = Commit(database, next);
      versions[generation.value] = std::move(next);
    }
  }

  int Below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }

 private:
  std::mt19937 random_;
  int count_ = 0;
};

}  // namespace cleave::ocdbt
