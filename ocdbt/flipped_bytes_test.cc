// Goal: no changed byte of a database ever becomes a wrong value, and none crashes the reader. Method: of a small
// database with every kind of object (manifest, numbered manifests, version-tree nodes of several heights, interior
// nodes, leaves, values in and outside of the tree) every byte is changed, one at a time (one bit, or all of its bits),
// and all versions are read anew in every way there is: key by key, many keys at once, and by scan.
//
// What is guaranteed, for each changed byte of the store:
//   - In a manifest or a node, which hold all inline values and all references: DATA_LOSS that names the object. Not
//   one
//     value that depends on it is given out, right or wrong; what does not depend on it is read as before.
//   - In a value outside of the tree, for which the format has no checksum: reading that value gives its true length
//   and
//     the changed byte, nothing else of the database is touched. This is the only wrong answer there is.
//   - In bytes to which nothing refers (an older numbered manifest, padding): nothing changes.
#include <array>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ocdbt/database.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/test_bytes.h"
#include "store/memory_store.h"

namespace cleave::ocdbt {
namespace {

using testing::HasSubstr;

constexpr int kFlipSteps = 4;

// (generation, key) -> value.
using Everything = std::map<std::pair<uint64_t, std::string>, std::string>;

std::shared_ptr<store::MemoryStore> MakeDatabase(ManifestKind kind, bool zstd) {
  const auto memory = std::make_shared<store::MemoryStore>();
  Config config;
  config.max_decoded_node_bytes = 250;
  config.max_inline_value_bytes = 20;
  config.version_tree_arity_log2 = 1;
  config.manifest_kind = kind;
  config.compression.zstd = zstd;
  OpenOptions options;
  options.prefixes.value = "values/";  // so that a test can tell them from nodes
  const auto database = Database::Create(memory, config, options).value();
  for (int step = 0; step < kFlipSteps; ++step) {
    WriteBatch batch;
    for (int i = 0; i < 4; ++i) {
      batch.Put(absl::StrCat("key/", step, "/", i), absl::StrCat("value ", step, std::string(i == 1 ? 40 : 5, '.')));
    }
    batch.Put("last", absl::StrCat(step));
    batch.Delete(absl::StrCat("key/", step - 1, "/0"));
    EXPECT_TRUE(database->Commit(batch).ok());
  }
  return memory;
}

// Notes which bytes of which object are asked for: those are the ones that something refers to.
class NotingStore final : public store::Store {
 public:
  explicit NotingStore(std::shared_ptr<store::Store> inner) : inner_(std::move(inner)) {}
  absl::StatusOr<store::ReadResult> Read(absl::string_view key, const store::ReadOptions& options) const override {
    auto read = inner_->Read(key, options);
    for (uint64_t i = 0; read.ok() && read->value && i < read->value->size(); ++i) {
      used_.insert({std::string(key), options.range.begin + i});
    }
    return read;
  }
  absl::StatusOr<store::Generation> Write(absl::string_view, absl::string_view, const store::WriteOptions&) override {
    return absl::UnimplementedError("");
  }
  absl::Status Delete(absl::string_view, const store::WriteOptions&) override { return absl::UnimplementedError(""); }
  absl::StatusOr<std::vector<std::string>> List(const store::KeyRange& range) const override {
    return inner_->List(range);
  }
  std::string Describe(absl::string_view key) const override { return inner_->Describe(key); }
  std::string KvStoreSpec() const override { return {}; }
  bool Used(const std::string& object, uint64_t byte) const { return used_.contains({object, byte}); }

 private:
  const std::shared_ptr<store::Store> inner_;
  mutable std::set<std::pair<std::string, uint64_t>> used_;
};

enum class Ways { kAll, kOneByOne };

// One reading of the whole database by a process that remembers nothing. Where something cannot be read it goes on with
// the next.
class Reading {
 public:
  Reading(const std::shared_ptr<store::Store>& store, const std::set<std::string>& keys, Ways ways = Ways::kAll)
      : ways_(ways) {
    const auto database = Database::Open(store);
    if (!database.ok()) {
      Fail(database.status());
      return;
    }
    for (uint64_t generation = 1; generation <= kFlipSteps + 1; ++generation) {
      const auto snapshot = (*database)->At(GenerationNumber{generation});
      if (snapshot.ok()) {
        ReadVersion(*snapshot, keys);
      } else {
        Fail(snapshot.status());
      }
    }
  }
  const Everything& values() const { return values_; }
  const std::vector<absl::Status>& errors() const { return errors_; }

 private:
  void Fail(const absl::Status& status) { errors_.push_back(status); }
  void Keep(const Snapshot& snapshot, const std::string& key, const std::string& value) {
    const auto [kept, fresh] = values_.emplace(std::pair(snapshot.generation().value, key), value);
    EXPECT_EQ(kept->second, value) << "one way of reading " << key << " differs from another";
  }
  void ReadVersion(const Snapshot& snapshot, const std::set<std::string>& keys) {
    for (const std::string& key : keys) {
      const auto read = snapshot.Read(key);
      if (!read.ok()) {
        Fail(read.status());
      } else if (read->value) {
        Keep(snapshot, key, *read->value);
      }
    }
    if (ways_ == Ways::kOneByOne) {
      return;
    }
    const std::vector<std::string> list(keys.begin(), keys.end());
    if (const auto many = snapshot.ReadMany(list); !many.ok()) {
      Fail(many.status());
    } else {
      for (size_t i = 0; i < list.size(); ++i) {
        if ((*many)[i]) {
          Keep(snapshot, list[i], *(*many)[i]);
        }
      }
    }
    const absl::Status scanned = snapshot.Scan({}, [&](const ScannedEntry& entry) {
      const auto value = snapshot.ReadValue(entry.value);
      if (value.ok()) {
        Keep(snapshot, std::string(entry.key), *value);
      } else {
        Fail(value.status());
      }
      return true;
    });
    if (!scanned.ok()) {
      Fail(scanned);
    }
  }

  const Ways ways_;
  Everything values_;
  std::vector<absl::Status> errors_;
};

class FlippedBytes : public testing::TestWithParam<std::pair<ManifestKind, bool>> {
 protected:
  // Compares one reading of the damaged database with the true contents.
  void Check(const Reading& found, const std::string& object, size_t byte) {
    const bool is_value = absl::StartsWith(object, "values/");
    for (const absl::Status& error : found.errors()) {
      EXPECT_EQ(error.code(), absl::StatusCode::kDataLoss) << error;
      EXPECT_THAT(error.message(), HasSubstr(memory_->Describe(object)));
    }
    int different = 0;
    for (const auto& [where, value] : found.values()) {
      const auto truth = true_.find(where);
      ASSERT_NE(truth, true_.end()) << where.second << " never was in generation " << where.first;
      different += value == truth->second ? 0 : 1;
      if (value != truth->second) {
        ASSERT_TRUE(is_value) << where.second << " is wrong, and nothing was said";
        ExpectOneByteDiffers(value, truth->second);
      }
    }
    if (found.errors().empty()) {
      EXPECT_EQ(found.values().size(), true_.size()) << "something is missing, and nothing was said";
    }
    EXPECT_EQ(different > 0 || !found.errors().empty(), used_->Used(object, byte)) << object << " byte " << byte;
    errors_ += found.errors().empty() ? 0 : 1;
    wrong_ += different > 0 ? 1 : 0;
  }

  static void ExpectOneByteDiffers(const std::string& value, const std::string& truth) {
    ASSERT_EQ(value.size(), truth.size());
    int bytes = 0;
    for (size_t i = 0; i < value.size(); ++i) {
      bytes += value[i] == truth[i] ? 0 : 1;
    }
    EXPECT_EQ(bytes, 1);
  }

  const std::shared_ptr<store::MemoryStore> memory_ = MakeDatabase(GetParam().first, GetParam().second);
  const std::shared_ptr<NotingStore> used_ = std::make_shared<NotingStore>(memory_);
  Everything true_;
  int errors_ = 0;
  int wrong_ = 0;
};

TEST_P(FlippedBytes, AreNoticedWhereTheFormatHasAChecksum) {
  std::set<std::string> keys = {"", "absent", "key/9/9", "zzz"};
  for (int step = 0; step < kFlipSteps; ++step) {
    for (int i = 0; i < 4; ++i) {
      keys.insert(absl::StrCat("key/", step, "/", i));
    }
  }
  keys.insert("last");
  const Reading undamaged(used_, keys, Ways::kOneByOne);
  ASSERT_TRUE(undamaged.errors().empty()) << undamaged.errors().front();
  true_ = undamaged.values();
  ASSERT_GT(true_.size(), 30);
  int flips = 0, value_flips = 0;
  const std::vector<std::string> objects = memory_->List({}).value();
  for (const std::string& object : objects) {
    const std::string bytes = *memory_->Read(object)->value;
    for (size_t i = 0; i < bytes.size() && !HasFatalFailure(); i += SmallScale() ? 7 : 1) {
      const int mask = std::array{0x01, 0x80, 0xff}[i % 3];
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ mask);
      ASSERT_TRUE(memory_->Write(object, changed).ok());
      Check(Reading(memory_, keys), object, i);
      ++flips;
      value_flips += absl::StartsWith(object, "values/") ? 1 : 0;
    }
    ASSERT_TRUE(memory_->Write(object, bytes).ok());
  }
  std::printf("%d flips: %d noticed, %d in values without a checksum\n", flips, errors_, wrong_);
  EXPECT_EQ(wrong_, value_flips);
}

INSTANTIATE_TEST_SUITE_P(Shapes, FlippedBytes,
                         testing::Values(std::pair(ManifestKind::kSingle, false),
                                         std::pair(ManifestKind::kSingle, true),
                                         std::pair(ManifestKind::kNumbered, false)));

}  // namespace
}  // namespace cleave::ocdbt
