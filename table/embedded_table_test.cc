// Goal: what the embedded engine promises beyond table.h: one process, durable batches, damage that is told.
// Method: reopening; a child process (this program, run again) that is killed while it writes; flipped, cut and removed
// files.
#include "table/embedded_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include <rocksdb/db.h>
#include <sys/wait.h>

#include "table/memory_table.h"
#include "table/test_table.h"

namespace cleave::table {
namespace {

const Column kColumnA{"0", "a"};
constexpr int kRowsPerBatch = 5;

std::unique_ptr<EmbeddedTable> Create(const std::string& folder) {
  return EmbeddedTable::Open(folder, {.create_if_missing = true}).value();
}

std::vector<RowMutation> Batch(int number) {
  std::vector<RowMutation> batch;
  for (int row = 0; row < kRowsPerBatch; ++row) {
    const std::string text = absl::StrCat("batch ", number);
    batch.push_back({absl::StrCat("row", row), {SetCell{kColumnA, absl::FromUnixMillis(number), text}}});
  }
  return batch;
}

std::set<std::string> Files(const std::string& folder, absl::string_view part) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (absl::StrContains(entry.path().filename().string(), part)) {
      files.insert(entry.path().string());
    }
  }
  return files;
}

TEST(EmbeddedTable, OpensOnlyWhatExistsUnlessAskedToCreate) {
  const TestFolder folder;
  const std::string path = folder.path() + "/deep/table";
  EXPECT_EQ(EmbeddedTable::Open(path, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(EmbeddedTable::Open(path, {.create_if_missing = true}).ok());
  EXPECT_TRUE(EmbeddedTable::Open(path, {}).ok());
  std::ofstream(folder.path() + "/file") << "no folder";
  EXPECT_FALSE(EmbeddedTable::Open(folder.path() + "/file", {.create_if_missing = true}).ok());
}

TEST(EmbeddedTable, KeepsEverythingWhenReopened) {
  const TestFolder folder;
  ASSERT_TRUE(Create(folder.path())->Apply(Batch(1)).ok());
  ASSERT_TRUE(Create(folder.path())->ApplyUnsynced(Batch(2)).ok());  // a clean end keeps these too
  EXPECT_EQ(Create(folder.path())->Increment("counter", kColumnA, 3).value(), 3);
  const auto table = EmbeddedTable::Open(folder.path(), {}).value();
  EXPECT_EQ(table->ReadRow("row0", {})->cells.at(kColumnA).size(), 2u);
  EXPECT_EQ(table->Increment("counter", kColumnA, 0).value(), 3);
}

TEST(EmbeddedTable, RandomSequencesSurviveFlushesCompactionsAndReopening) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(testing::Message() << "CLEAVE_TEST_SEED=" << seed);
  RandomTable random(seed);
  const TestFolder folder;
  TestClock clock;
  MemoryTable oracle(clock);
  const EmbeddedTableOptions options{.create_if_missing = true, .clock = &clock};
  auto table = EmbeddedTable::Open(folder.path(), options).value();
  for (int step = 0; step < 150; ++step) {
    clock.Advance(absl::Microseconds(random.Below(2000)));
    const std::vector<RowMutation> mutations = random.Mutations();
    ASSERT_TRUE((random.Below(2) == 0 ? table->Apply(mutations) : table->ApplyUnsynced(mutations)).ok());
    ASSERT_TRUE(oracle.Apply(mutations).ok());
    if (random.Below(5) == 0) {
      ASSERT_TRUE(table->Sync().ok());
    } else if (random.Below(10) == 0) {
      ASSERT_TRUE(table->Compact().ok());
    } else if (random.Below(20) == 0) {
      table.reset();
      table = EmbeddedTable::Open(folder.path(), options).value();
    }
    const Filter filter = random.RandomFilter();
    const std::vector<std::string> keys = random.Keys();
    ASSERT_EQ(table->ReadRows(keys, filter).value(), oracle.ReadRows(keys, filter).value());
    const RowRange range = random.Range();
    ASSERT_EQ(table->ReadRange(range, filter, 0).value(), oracle.ReadRange(range, filter, 0).value());
  }
}

TEST(EmbeddedTable, EveryRowOfALargeFileIsFoundThroughItsFilter) {
  // So many rows that the filter and the index of the file come in many pieces. Few keys a read: those ask the filter.
  constexpr int kRows = 60'000;
  const TestFolder folder;
  const std::unique_ptr<EmbeddedTable> table = Create(folder.path() + "/table");
  const Column later{"3", "z"};
  std::vector<RowMutation> rows;
  for (int row = 0; row < kRows; ++row) {
    rows.push_back({absl::StrCat(1'000'000 + 2 * row),
                    {SetCell{kColumnA, absl::FromUnixMillis(1), absl::StrCat(row)},
                     SetCell{later, absl::FromUnixMillis(2), absl::StrCat("z", row)}}});
  }
  ASSERT_TRUE(table->ApplyUnsynced(rows).ok());
  ASSERT_TRUE(table->Compact().ok());
  for (int row = 0; row < kRows; ++row) {
    const std::string keys[] = {rows[row].key, absl::StrCat(1'000'000 + 2 * row + 1)};
    for (const Column& column : {kColumnA, later}) {
      const std::vector<Row> found = table->ReadRows(keys, {.columns = {column}}).value();
      ASSERT_NE(found[0].Newest(column), nullptr) << keys[0];
      ASSERT_EQ(found[1].Newest(column), nullptr);
    }
    ASSERT_EQ(NewestCells(*table, {keys[0], keys[1]}, later, absl::InfiniteFuture())[0]->value, absl::StrCat("z", row));
  }
}

TEST(EmbeddedTable, ASecondOpenerIsToldThatItIsInUse) {
  const TestFolder folder;
  auto table = Create(folder.path());
  const absl::Status status = EmbeddedTable::Open(folder.path(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(status.message(), "project is in use by another process")) << status;
  table.reset();
  EXPECT_TRUE(EmbeddedTable::Open(folder.path(), {}).ok());
}

// Sets one key with RocksDB itself.
void PutBehindTheBack(const std::string& folder, const std::string& key, const std::string& value) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, folder, &opened).ok());
  const std::unique_ptr<rocksdb::DB> store(opened);
  ASSERT_TRUE(store->Put({}, key, value).ok());
}

TEST(EmbeddedTable, StoresOfOthersAndOfOtherVersionsAreRefused) {
  const TestFolder foreign;
  PutBehindTheBack(foreign.path(), "key", "value");
  EXPECT_EQ(EmbeddedTable::Open(foreign.path(), {}).status().code(), absl::StatusCode::kFailedPrecondition);

  const TestFolder newer;
  Create(newer.path());
  PutBehindTheBack(newer.path(), std::string("\0\0format", 8), "cleave.table.2");
  const absl::Status status = EmbeddedTable::Open(newer.path(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(status.message(), "cleave.table.2")) << status;
}

// The child's part: writes batches until it is killed, and says which ones were acknowledged.
constexpr char kChildFolder[] = "CLEAVE_TABLE_TEST_FOLDER";
constexpr char kChildFirst[] = "CLEAVE_TABLE_TEST_FIRST";

TEST(EmbeddedTableChild, DISABLED_WritesUntilKilled) {
  const char* const folder = std::getenv(kChildFolder);
  if (folder == nullptr) {
    GTEST_SKIP() << "runs only as the child of KillLosesNothingAcknowledged";
  }
  const auto table = EmbeddedTable::Open(folder, {.create_if_missing = true, .write_buffer_bytes = 64 << 10}).value();
  for (int number = std::atoi(std::getenv(kChildFirst));; ++number) {
    ASSERT_TRUE(table->Apply(Batch(number)).ok());
    const std::string line = absl::StrCat("\nack ", number, "\n");
    ASSERT_EQ(write(STDERR_FILENO, line.data(), line.size()), std::ssize(line));
  }
}

struct Child {
  pid_t pid;
  int acknowledgements;  // file descriptor
};

Child StartChild(const std::string& folder, int first) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const std::string folder_setting = absl::StrCat(kChildFolder, "=", folder);
  const std::string first_setting = absl::StrCat(kChildFirst, "=", first);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDERR_FILENO);
    putenv(const_cast<char*>(folder_setting.c_str()));
    putenv(const_cast<char*>(first_setting.c_str()));
    execl("/proc/self/exe", "table_test", "--gtest_also_run_disabled_tests",
          "--gtest_filter=EmbeddedTableChild.DISABLED_WritesUntilKilled", nullptr);
    _exit(127);
  }
  close(ends[1]);
  return {pid, ends[0]};
}

// Reads acknowledgements until `count` have come or the pipe ends; returns the last number.
int ReadAcknowledgements(int descriptor, int count, int last) {
  std::string text;
  char buffer[4096];
  for (int seen = 0; seen < count;) {
    const ssize_t size = read(descriptor, buffer, sizeof(buffer));
    if (size <= 0) {
      break;
    }
    text.append(buffer, static_cast<size_t>(size));
    std::vector<std::string> lines = absl::StrSplit(text, '\n');
    text = std::move(lines.back());
    lines.pop_back();
    for (const std::string& line : lines) {
      if (absl::StartsWith(line, "ack ")) {
        last = std::atoi(line.c_str() + 4);
        ++seen;
      }
    }
  }
  return last;
}

TEST(EmbeddedTable, KillLosesNothingAcknowledgedAndTearsNoBatch) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(testing::Message() << "CLEAVE_TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  const TestFolder folder;
  int acknowledged = 0;
  for (int round = 0; round < 4; ++round) {
    const Child child = StartChild(folder.path(), acknowledged + 1);
    const int before = acknowledged;
    acknowledged = ReadAcknowledgements(child.acknowledgements, 20 + static_cast<int>(random() % 200), acknowledged);
    ASSERT_GT(acknowledged, before) << "the child does not write";
    kill(child.pid, SIGKILL);
    acknowledged = ReadAcknowledgements(child.acknowledgements, 1 << 30, acknowledged);
    close(child.acknowledgements);
    int status = 0;
    ASSERT_EQ(waitpid(child.pid, &status, 0), child.pid);
    ASSERT_TRUE(WIFSIGNALED(status));

    const auto table = EmbeddedTable::Open(folder.path(), {}).value();
    const std::vector<Row> rows = table->ReadRange({"row", "rox"}, {}, 0).value();
    ASSERT_EQ(rows.size(), static_cast<size_t>(kRowsPerBatch));
    for (const Row& row : rows) {
      EXPECT_EQ(row.cells, rows[0].cells) << "a torn batch";
    }
    const auto stored = std::ssize(rows[0].cells.at(kColumnA));
    EXPECT_GE(stored, acknowledged);
    EXPECT_LE(stored, acknowledged + 1);  // one may have been written and not yet acknowledged
    acknowledged = static_cast<int>(stored);
  }
}

TEST(EmbeddedTable, AnotherProcessIsToldThatItIsInUse) {
  const TestFolder folder;
  const Child child = StartChild(folder.path(), 1);
  ASSERT_GE(ReadAcknowledgements(child.acknowledgements, 1, 0), 1);
  EXPECT_EQ(EmbeddedTable::Open(folder.path(), {}).status().code(), absl::StatusCode::kUnavailable);
  kill(child.pid, SIGKILL);
  close(child.acknowledgements);
  waitpid(child.pid, nullptr, 0);
  EXPECT_TRUE(EmbeddedTable::Open(folder.path(), {}).ok());
}

// What a power cut leaves of a log: its first bytes, and then either nothing or zeros, as a file system does that has
// made room for the rest and not written it.
enum class LostBytes { kCutOff, kZero };

// The count of batches in a copy of `folder` whose only log has lost what follows its first `kept_bytes`; checks that
// these are the first ones and none is torn.
int BatchesAfterPowerCut(const std::string& folder, int64_t kept_bytes, LostBytes lost) {
  const TestFolder copy;
  std::filesystem::copy(folder, copy.path(), std::filesystem::copy_options::recursive);
  const std::string log = *Files(copy.path(), ".log").begin();
  const auto full_bytes = std::filesystem::file_size(log);
  std::filesystem::resize_file(log, static_cast<uintmax_t>(kept_bytes));
  if (lost == LostBytes::kZero) {
    std::filesystem::resize_file(log, full_bytes);
  }
  const auto table = EmbeddedTable::Open(copy.path(), {});
  EXPECT_TRUE(table.ok()) << table.status() << " with " << kept_bytes << " bytes of the log";
  if (!table.ok()) {
    return -1;
  }
  const std::vector<Row> rows = (*table)->ReadRange({"row", "rox"}, {}, 0).value();
  if (rows.empty()) {
    return 0;
  }
  EXPECT_EQ(rows.size(), static_cast<size_t>(kRowsPerBatch));
  const std::vector<Cell>& cells = rows[0].cells.at(kColumnA);
  for (const Row& row : rows) {
    EXPECT_EQ(row.cells, rows[0].cells) << "a torn batch";
  }
  const auto count = static_cast<int>(cells.size());
  EXPECT_EQ(cells.front().value, absl::StrCat("batch ", count)) << "a batch is lost and a later one is there";
  return count;
}

// Ordered writes are on disk together with the next durable one, so that the row which commits an operation is never
// there without the rows that were written before it.
TEST(EmbeddedTable, APowerCutLosesOnlyTheEndOfWhatWasNotSynced) {
  constexpr int kBatches = 24;
  const TestFolder folder;
  const auto table = Create(folder.path());
  const std::string log = *Files(folder.path(), ".log").begin();
  std::vector<int64_t> log_bytes;  // after each batch
  for (int number = 1; number <= kBatches; ++number) {
    const bool durable = number % 4 == 0;
    ASSERT_TRUE((durable ? table->Apply(Batch(number)) : table->ordered().Apply(Batch(number))).ok());
    log_bytes.push_back(static_cast<int64_t>(std::filesystem::file_size(log)));
  }
  int cuts = 0;
  for (const LostBytes lost : {LostBytes::kCutOff, LostBytes::kZero}) {
    for (int64_t kept = log_bytes.front(); kept <= log_bytes.back(); kept += 97) {
      const int whole = static_cast<int>(std::ranges::upper_bound(log_bytes, kept) - log_bytes.begin());
      ASSERT_EQ(BatchesAfterPowerCut(folder.path(), kept, lost), whole) << kept << " bytes are left";
      ++cuts;
    }
  }
  EXPECT_GT(cuts, 50);
}

void FlipByte(const std::string& file, double place) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  const auto at = static_cast<std::streamoff>(place * static_cast<double>(std::filesystem::file_size(file)));
  stream.seekg(at);
  const int byte = stream.get();
  stream.seekp(at);
  stream.put(static_cast<char>(byte ^ 0x55));
}

// The first error of opening the table and reading all of it.
absl::Status OpenAndRead(const std::string& folder) {
  const auto table = EmbeddedTable::Open(folder, {});
  return table.ok() ? (*table)->ReadRange({"", ""}, {}, 0).status() : table.status();
}

class Damage : public testing::Test {
 protected:
  // 200 batches in a sorted file, 50 in the log.
  void SetUp() override {
    const auto table = Create(folder_.path());
    for (int number = 0; number < 250; ++number) {
      ASSERT_TRUE((number < 200 ? table->ApplyUnsynced(Batch(number)) : table->Apply(Batch(number))).ok());
      if (number == 199) {
        ASSERT_TRUE(table->Compact().ok());
      }
    }
  }
  void ExpectDataLoss(const std::string& named) {
    const absl::Status status = OpenAndRead(folder_.path());
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), named)) << status << " should name " << named;
  }
  std::string OnlyFile(absl::string_view part) {
    const std::set<std::string> files = Files(folder_.path(), part);
    EXPECT_FALSE(files.empty());
    return *files.begin();
  }
  static std::string Name(const std::string& file) { return std::filesystem::path(file).filename().string(); }

  TestFolder folder_;
};

TEST_F(Damage, NoneIsFine) { EXPECT_TRUE(OpenAndRead(folder_.path()).ok()); }

TEST_F(Damage, AFlippedByteInASortedFile) {
  const std::string file = OnlyFile(".sst");
  FlipByte(file, 0.1);
  ExpectDataLoss(Name(file));
}

TEST_F(Damage, ASortedFileCutShort) {
  const std::string file = OnlyFile(".sst");
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  ExpectDataLoss(Name(file));
}

TEST_F(Damage, ASortedFileIsMissing) {
  const std::string file = OnlyFile(".sst");
  std::filesystem::remove(file);
  ExpectDataLoss(Name(file));
}

TEST_F(Damage, TheManifestIsMissing) {
  const std::string file = OnlyFile("MANIFEST");
  std::filesystem::remove(file);
  ExpectDataLoss(Name(file));
}

TEST_F(Damage, AFlippedByteInTheManifest) {
  const std::string file = OnlyFile("MANIFEST");
  FlipByte(file, 0.5);
  ExpectDataLoss("MANIFEST");
}

TEST_F(Damage, CurrentIsMissingOrGarbage) {
  std::ofstream(folder_.path() + "/CURRENT") << "garbage";
  ExpectDataLoss("CURRENT");
  std::filesystem::remove(folder_.path() + "/CURRENT");
  ExpectDataLoss("CURRENT");
  EXPECT_EQ(EmbeddedTable::Open(folder_.path(), {.create_if_missing = true}).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(EmbeddedTable, AFlippedByteInTheLogIsDataLossAndNoQuietLoss) {
  const TestFolder folder;
  const Child child = StartChild(folder.path(), 1);
  ASSERT_GE(ReadAcknowledgements(child.acknowledgements, 20, 0), 20);
  kill(child.pid, SIGKILL);  // a clean end would move the log into a sorted file
  close(child.acknowledgements);
  waitpid(child.pid, nullptr, 0);
  const std::set<std::string> logs = Files(folder.path(), ".log");
  ASSERT_EQ(logs.size(), 1u);
  FlipByte(*logs.begin(), 0.3);
  const absl::Status status = OpenAndRead(folder.path());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), ".log")) << status;
}

TEST(EmbeddedTable, BulkWritesMeetSyncedOnesOnTheSameRows) {
  const TestFolder folder;
  const auto table = Create(folder.path());
  std::thread bulk([&] {
    for (int number = 0; number < 300; ++number) {
      EXPECT_TRUE(table->ApplyUnsynced(Batch(number)).ok());
    }
    EXPECT_TRUE(table->Sync().ok());
  });
  for (int i = 1; i <= 30; ++i) {
    EXPECT_EQ(table->Increment("row0", {"1", "counter"}, 1).value(), i);
  }
  bulk.join();
  EXPECT_EQ(table->ReadRow("row0", {})->cells.at(kColumnA).size(), 300u);
}

}  // namespace
}  // namespace cleave::table
