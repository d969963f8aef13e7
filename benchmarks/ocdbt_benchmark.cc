// One line of the comparison with TensorStore, measured: how long, and how much memory it takes beyond what was there.
//
//   ocdbt_benchmark LINE FOLDER [--count N] [--value-bytes N] [--labels PATH] [--box X,Y,Z]
//
// Lines, in an order in which each finds what it needs in FOLDER (benchmarks/compare_ocdbt runs them):
//   write_values    N values as one bulk fill of a new database; durable at the end
//   read_in_order   all of them, in the order of their keys, 256 at a time
//   read_at_random  as many, in a random order
//   bulk_load       N small keys as one bulk fill
//   point_reads     N/10 of them at random, 1000 at a time
//   list            all keys
//   commits         N commits of one key, one after the other
//   write_volume    labels as one write of a compressed_segmentation volume with chunks of 64^3
//   read_volume     boxes of it, off the grid of chunks, one after the other
// Prints {"seconds": S, "memory_mib": M, "check": C}; C tells that the right bytes were read, ocdbt_peer.py prints the
// same. Values and small keys are the peer's too: see Value() and SmallKey().
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "ocdbt/bulk_writer.h"
#include "ocdbt/database.h"
#include "ocdbt/database_store.h"
#include "store/store.h"
#include "volume/npy.h"
#include "volume/volume.h"

namespace cleave::ocdbt {
namespace {

struct Arguments {
  std::string line;
  std::string folder;
  int64_t count = 1000;
  int64_t value_bytes = 65536;
  std::string labels;
  Extent3 box{128, 128, 128};
};

// Resident memory in MiB: "VmRSS:" now, or "VmHWM:" at most since the process began or the mark was reset.
double MemoryMiB(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == field && status >> kib) {
      return kib / 1024;
    }
  }
  return 0;
}

// What a line reads or writes, as a number that does not depend on the order.
using Check = uint64_t;

// Runs `body` and prints what it took.
absl::Status Measure(const std::function<absl::StatusOr<Check>()>& body) {
  malloc_trim(0);  // what was freed before is not to count as there
  std::ofstream("/proc/self/clear_refs") << "5";
  const double before = MemoryMiB("VmRSS:");
  const auto start = std::chrono::steady_clock::now();
  CLEAVE_ASSIGN_OR_RETURN(const Check check, body());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("{\"seconds\": %.6f, \"memory_mib\": %.1f, \"check\": %llu}\n", seconds, MemoryMiB("VmHWM:") - before,
              static_cast<unsigned long long>(check));
  return absl::OkStatus();
}

constexpr int64_t kDistinctValues = 256;

// Value `which`, of bytes that do not compress: each eight bytes are the next number of splitmix64, seeded with it.
std::string Value(int64_t which, int64_t bytes) {
  std::string value;
  for (auto state = static_cast<uint64_t>(which); static_cast<int64_t>(value.size()) < bytes;) {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    value.append(reinterpret_cast<const char*>(&z), sizeof(z));
  }
  return value;
}

std::string ValueKey(int64_t i) { return absl::StrFormat("values/%08d", i); }
// 24 bytes, in no order.
std::string SmallKey(int64_t i) { return absl::StrFormat("k/%08x/%013d", static_cast<uint32_t>(i * 2654435761), i); }
std::string SmallValue(int64_t i) { return absl::StrFormat("value of %d", i); }

Check CheckOf(absl::string_view value) {
  return value.size() +
         (value.empty() ? 0 : static_cast<uint8_t>(value.front()) * 7 + static_cast<uint8_t>(value.back()));
}

// A permutation that every run and the peer have alike: a walk with a step that has no divisor in common with `count`.
std::vector<int64_t> Permutation(int64_t count, int64_t length) {
  int64_t step = count * 5 / 13 + 1;
  while (std::gcd(step, count) != 1) {
    ++step;
  }
  std::vector<int64_t> order(length);
  for (int64_t i = 0; i < length; ++i) {
    order[i] = i * step % count;
  }
  return order;
}

absl::StatusOr<std::unique_ptr<Database>> Create(const Arguments& arguments) {
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store,
                          store::OpenStore(absl::StrCat("file://", arguments.folder, "/")));
  return Database::Create(store, {});
}

absl::StatusOr<std::unique_ptr<Database>> Open(const Arguments& arguments) {
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store,
                          store::OpenStore(absl::StrCat("file://", arguments.folder, "/")));
  return Database::Open(store);
}

absl::Status WriteValues(const Arguments& arguments) {
  std::vector<std::string> values;
  for (int64_t i = 0; i < kDistinctValues; ++i) {
    values.push_back(Value(i, arguments.value_bytes));
  }
  return Measure([&]() -> absl::StatusOr<Check> {
    CLEAVE_ASSIGN_OR_RETURN(const auto database, Create(arguments));
    CLEAVE_ASSIGN_OR_RETURN(const auto writer, BulkWriter::Create(*database));
    CLEAVE_RETURN_IF_ERROR(ParallelFor(arguments.count, DefaultThreadCount(), [&](int64_t i) {
      return writer->Put(ValueKey(i), values[i % kDistinctValues]);
    }));
    CLEAVE_ASSIGN_OR_RETURN(const CommitResult result, writer->Finish());
    return result.changed ? Check{1} : Check{0};
  });
}

// Reads the keys of `order`, some at a time, as a user does who wants them soon and not all in memory.
absl::Status ReadKeys(const Arguments& arguments, const std::vector<int64_t>& order, size_t at_a_time,
                      std::string (*key_of)(int64_t)) {
  return Measure([&]() -> absl::StatusOr<Check> {
    CLEAVE_ASSIGN_OR_RETURN(const auto database, Open(arguments));
    CLEAVE_ASSIGN_OR_RETURN(const Snapshot snapshot, database->Newest());
    Check check = 0;
    std::vector<std::string> keys;
    for (size_t begin = 0; begin < order.size(); begin += at_a_time) {
      keys.clear();
      for (size_t i = begin; i < std::min(order.size(), begin + at_a_time); ++i) {
        keys.push_back(key_of(order[i]));
      }
      CLEAVE_ASSIGN_OR_RETURN(const auto values, snapshot.ReadMany(keys));
      for (const std::optional<std::string>& value : values) {
        check += value ? CheckOf(*value) : 0;
      }
    }
    return check;
  });
}

absl::Status ReadInOrder(const Arguments& arguments) {
  std::vector<int64_t> order(arguments.count);
  std::iota(order.begin(), order.end(), int64_t{0});
  return ReadKeys(arguments, order, 256, ValueKey);
}

absl::Status ReadAtRandom(const Arguments& arguments) {
  return ReadKeys(arguments, Permutation(arguments.count, arguments.count), 256, ValueKey);
}

absl::Status BulkLoad(const Arguments& arguments) {
  return Measure([&]() -> absl::StatusOr<Check> {
    CLEAVE_ASSIGN_OR_RETURN(const auto database, Create(arguments));
    CLEAVE_ASSIGN_OR_RETURN(const auto writer, BulkWriter::Create(*database));
    for (int64_t i = 0; i < arguments.count; ++i) {
      CLEAVE_RETURN_IF_ERROR(writer->Put(SmallKey(i), SmallValue(i)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const CommitResult result, writer->Finish());
    return result.changed ? Check{1} : Check{0};
  });
}

absl::Status PointReads(const Arguments& arguments) {
  return ReadKeys(arguments, Permutation(arguments.count, arguments.count / 10), 1000, SmallKey);
}

absl::Status List(const Arguments& arguments) {
  return Measure([&]() -> absl::StatusOr<Check> {
    CLEAVE_ASSIGN_OR_RETURN(const auto database, Open(arguments));
    CLEAVE_ASSIGN_OR_RETURN(const Snapshot snapshot, database->Newest());
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, snapshot.List({}));
    return keys.size();
  });
}

absl::Status Commits(const Arguments& arguments) {
  return Measure([&]() -> absl::StatusOr<Check> {
    CLEAVE_ASSIGN_OR_RETURN(const auto database, Create(arguments));
    for (int64_t i = 0; i < arguments.count; ++i) {
      WriteBatch batch;
      batch.Put(SmallKey(i), SmallValue(i));
      CLEAVE_RETURN_IF_ERROR(database->Commit(batch).status());
    }
    CLEAVE_ASSIGN_OR_RETURN(const Snapshot snapshot, database->Newest());
    return snapshot.version().root.statistics.num_keys;
  });
}

absl::Status WriteVolume(const Arguments& arguments) {
  CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, volume::ReadNpy<uint64_t>(arguments.labels));
  volume::Scale scale{
      .key = "scale", .resolution = {16, 16, 40}, .size = labels.extent(), .voxel_offset = {}, .other_members = {}};
  scale.encoding = volume::Encoding::kCompressedSegmentation;
  volume::Info info;
  info.scales.push_back(scale);
  return Measure([&]() -> absl::StatusOr<Check> {
    CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<Database> database, Create(arguments));
    const auto store = std::make_shared<DatabaseStore>(database);
    CLEAVE_ASSIGN_OR_RETURN(const auto volume, volume::Volume::Create(store, "seg/", info));
    CLEAVE_RETURN_IF_ERROR(volume->WriteBox(0, scale.bounds(), labels.view()));
    return Check{1};
  });
}

absl::Status ReadVolume(const Arguments& arguments) {
  return Measure([&]() -> absl::StatusOr<Check> {
    CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<Database> database, Open(arguments));
    CLEAVE_ASSIGN_OR_RETURN(const Snapshot snapshot, database->Newest());
    CLEAVE_ASSIGN_OR_RETURN(const auto volume,
                            volume::Volume::Open(std::make_shared<DatabaseStore>(database, snapshot), "seg/"));
    const Extent3 size = volume->info().scales[0].size;
    const Extent3 box = arguments.box;
    Check check = 0;
    for (int64_t z = box.z / 4; z + box.z <= size.z; z += box.z) {
      for (int64_t y = box.y / 4; y + box.y <= size.y; y += box.y) {
        for (int64_t x = box.x / 4; x + box.x <= size.x; x += box.x) {
          CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, volume->ReadBox(0, BoxAt({x, y, z}, box)));
          check += labels.data()[0] + labels.data()[labels.size() - 1] + labels.size();
        }
      }
    }
    return check;
  });
}

bool Parse(const std::vector<std::string>& words, Arguments& arguments) {
  if (words.size() < 2 || words.size() % 2 != 0) {
    return false;
  }
  arguments.line = words[0];
  arguments.folder = words[1];
  for (size_t i = 2; i < words.size(); i += 2) {
    const std::string& value = words[i + 1];
    const std::vector<std::string> xyz = absl::StrSplit(value, ',');
    const bool known = (words[i] == "--count" && absl::SimpleAtoi(value, &arguments.count)) ||
                       (words[i] == "--value-bytes" && absl::SimpleAtoi(value, &arguments.value_bytes)) ||
                       (words[i] == "--labels" && !(arguments.labels = value).empty()) ||
                       (words[i] == "--box" && xyz.size() == 3 && absl::SimpleAtoi(xyz[0], &arguments.box.x) &&
                        absl::SimpleAtoi(xyz[1], &arguments.box.y) && absl::SimpleAtoi(xyz[2], &arguments.box.z));
    if (!known) {
      return false;
    }
  }
  return true;
}

const std::map<std::string, absl::Status (*)(const Arguments&)>& Lines() {
  static const auto& lines = *new std::map<std::string, absl::Status (*)(const Arguments&)>{
      {"write_values", WriteValues}, {"read_in_order", ReadInOrder}, {"read_at_random", ReadAtRandom},
      {"bulk_load", BulkLoad},       {"point_reads", PointReads},    {"list", List},
      {"commits", Commits},          {"write_volume", WriteVolume},  {"read_volume", ReadVolume}};
  return lines;
}

}  // namespace
}  // namespace cleave::ocdbt

int main(int argc, char** argv) {
  using cleave::ocdbt::Lines;
  cleave::KeepFreedMemory();  // as the program `cleave` does
  cleave::ocdbt::Arguments arguments;
  if (!cleave::ocdbt::Parse({argv + 1, argv + argc}, arguments) || !Lines().contains(arguments.line)) {
    std::fprintf(stderr,
                 "usage: ocdbt_benchmark LINE FOLDER [--count N] [--value-bytes N] [--labels PATH] [--box X,Y,Z]\n");
    return 2;
  }
  const absl::Status status = Lines().at(arguments.line)(arguments);
  if (!status.ok()) {
    std::fprintf(stderr, "ocdbt_benchmark: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
