// Goal: rows come out of a dump as they went in, compressed or not; a file that is cut short, damaged or something else
// is refused with its line; an older file stays until the new one is whole. Method: random rows with any bytes in keys
// and values; every prefix and single-byte changes of small files.
#include "table/dump_file.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "table/test_table.h"

namespace cleave::table {
namespace {

using testing::HasSubstr;

std::string RandomBytes(std::mt19937_64& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random());
  }
  return bytes;
}

Row RandomRow(std::mt19937_64& random) {
  Row row{RandomBytes(random, 1 + random() % 20), {}};
  for (uint64_t i = 0; i < random() % 4; ++i) {
    std::vector<Cell>& cells = row.cells[{std::string(1, static_cast<char>('0' + random() % 5)), absl::StrCat("c", i)}];
    for (int64_t k = 3; k > 0; --k) {
      cells.push_back({absl::FromUnixMillis(1700000000000 + 7 * k), RandomBytes(random, random() % 300)});
    }
  }
  return row;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

absl::StatusOr<std::vector<Row>> ReadAll(const std::string& path) {
  absl::StatusOr<std::unique_ptr<DumpReader>> reader = DumpReader::Open(path);
  if (!reader.ok()) {
    return reader.status();
  }
  std::vector<Row> rows;
  for (;;) {
    absl::StatusOr<std::optional<Row>> row = (*reader)->Next();
    if (!row.ok()) {
      return row.status();
    }
    if (!row->has_value()) {
      return rows;
    }
    rows.push_back(*std::move(*row));
  }
}

class DumpFileTest : public testing::TestWithParam<const char*> {
 protected:
  std::string Path() const { return absl::StrCat(folder_.path(), "/", GetParam()); }
  TestFolder folder_;
};

TEST_P(DumpFileTest, RowsComeOutAsTheyWentIn) {
  std::mt19937_64 random(1);
  std::vector<Row> rows;
  const auto writer = DumpWriter::Create(Path());
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (int i = 0; i < 2000; ++i) {
    rows.push_back(RandomRow(random));
    ASSERT_TRUE((*writer)->Append(rows.back()).ok());
  }
  EXPECT_FALSE(std::filesystem::exists(Path()));
  ASSERT_TRUE((*writer)->Finish().ok());
  const auto read = ReadAll(Path());
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ((*read)[i].key, rows[i].key);
    EXPECT_EQ((*read)[i].cells, rows[i].cells);
  }
}

TEST_P(DumpFileTest, ACutFileIsAnError) {
  std::mt19937_64 random(2);
  const auto writer = DumpWriter::Create(Path());
  ASSERT_TRUE(writer.ok());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE((*writer)->Append(RandomRow(random)).ok());
  }
  ASSERT_TRUE((*writer)->Finish().ok());
  const std::string whole = ReadFile(Path());
  for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 300) {
    WriteFile(Path(), whole.substr(0, size));
    const auto read = ReadAll(Path());
    if (read.ok()) {  // only a text that ends with a line can look whole
      EXPECT_FALSE(absl::EndsWith(GetParam(), ".zst"));
      EXPECT_EQ(whole[size - 1], '\n');
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, DumpFileTest, testing::Values("dump.jsonl", "dump.jsonl.zst"));

TEST(DumpWriterTest, GivenUpItLeavesTheOlderFile) {
  const TestFolder folder;
  const std::string path = folder.path() + "/d";
  WriteFile(path, "older");
  { ASSERT_TRUE(DumpWriter::Create(path).ok()); }
  EXPECT_EQ(ReadFile(path), "older");
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
}

TEST(DumpReaderTest, SaysWhatIsWrong) {
  const TestFolder folder;
  const std::string path = folder.path() + "/d";
  EXPECT_EQ(DumpReader::Open(path).status().code(), absl::StatusCode::kNotFound);
  WriteFile(path, "hello\n");
  EXPECT_EQ(DumpReader::Open(path).status().code(), absl::StatusCode::kDataLoss);
  WriteFile(path, "{\"format\":\"cleave-table-dump\",\"version\":2}\n");
  EXPECT_EQ(DumpReader::Open(path).status().code(), absl::StatusCode::kFailedPrecondition);
  for (const auto& [line, says] : std::vector<std::pair<std::string, std::string>>{
           {"{}", "'row' and 'cells'"},
           {R"({"row":"??","cells":[]})", "row key is not base64"},
           {R"({"row":"","cells":[]})", "row key is empty"},
           {R"({"row":"YQ==","cells":[["0","c",1]]})", "a cell is not"},
           {R"({"row":"YQ==","cells":[["0","c",1.5,""]]})", "a cell is not"},
           {R"({"row":"YQ==","cells":[["","c",1,""]]})", "family is empty"},
           {R"({"row":"YQ==","cells":[["0","c",9007199254740993000,""]]})", "out of range"}}) {
    WriteFile(path, absl::StrCat("{\"format\":\"cleave-table-dump\",\"version\":1}\n", line, "\n"));
    const absl::Status status = ReadAll(path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << line;
    EXPECT_THAT(std::string(status.message()), HasSubstr(says));
    EXPECT_THAT(std::string(status.message()), HasSubstr("line 2"));
  }
}

TEST(DumpReaderTest, CellsMayComeInAnyOrder) {
  const auto row = DecodeDumpRow(R"({"row":"YQ==","cells":[["0","c",1,"YQ=="],["0","c",3,"Yg=="],["0","c",2,""]]})");
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_EQ(row->Newest({"0", "c"})->value, "b");
}

}  // namespace
}  // namespace cleave::table
