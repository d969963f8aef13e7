// A filter for kvdbclient_interop_test.py: each line of standard input is a request, each line of standard output its
// answer, both "KIND HEX". The program decodes HEX as a cell of KIND and encodes it again; an answer "error TEXT" tells
// why it could not. KIND "key-..." takes a decimal id and answers the row key.
#include <array>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "table/pickle.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::table {
namespace {

using Answer = absl::StatusOr<std::string>;
using Pair = std::array<uint64_t, 2>;
using Point = std::array<int64_t, 3>;

template <typename T>
Answer Array(const std::string& cell) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<T> values, DecodeArray<T>(cell));
  return EncodeArray(values);
}

template <typename T>
Answer CompressedArray(const std::string& cell) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<T> values, DecodeCompressedArray<T>(cell));
  return EncodeCompressedArray(values);
}

Answer Number(const std::string& cell) {
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t value, DecodeValue<uint64_t>(cell));
  return EncodeValue(value);
}

Answer IdText(const std::string& cell) {
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, DecodeIdText(cell));
  return EncodeIdText(id);
}

Answer Counter(const std::string& cell) {
  CLEAVE_ASSIGN_OR_RETURN(const int64_t count, DecodeCounter(cell));
  return EncodeCounter(count);
}

Answer PickledInteger(const std::string& cell) {
  CLEAVE_ASSIGN_OR_RETURN(const int64_t value, DecodePickledInteger(cell));
  return EncodePickledInteger(value);
}

Answer PickledTime(const std::string& cell) {
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, DecodePickledTime(cell));
  return EncodePickledTime(time);
}

std::function<Answer(const std::string&)> Key(const std::function<std::string(uint64_t)>& key_of) {
  return [key_of](const std::string& digits) -> Answer {
    uint64_t id = 0;
    if (!absl::SimpleAtoi(digits, &id)) {
      return absl::InvalidArgumentError("not a decimal id");
    }
    return key_of(id);
  };
}

const std::map<std::string, std::function<Answer(const std::string&)>>& Kinds() {
  static const auto& kinds = *new std::map<std::string, std::function<Answer(const std::string&)>>{
      {"u64", Number},
      {"u64-array", Array<uint64_t>},
      {"pairs", Array<Pair>},
      {"points", Array<Point>},
      {"f32-array", Array<float>},
      {"compressed-u64-array", CompressedArray<uint64_t>},
      {"compressed-pairs", CompressedArray<Pair>},
      {"id-text", IdText},
      {"text", [](const std::string& cell) { return DecodeText(cell); }},
      {"counter", Counter},
      {"pickled-integer", PickledInteger},
      {"pickled-time", PickledTime},
      {"key-node", Key(NodeRowKey)},
      {"key-counter", Key(ChunkCounterRowKey)},
      {"key-edited-edges", Key(EditedEdgesRowKey)},
  };
  return kinds;
}

Answer AnswerTo(const std::string& line) {
  const std::pair<std::string, std::string> request = absl::StrSplit(line, absl::MaxSplits(' ', 1));
  const auto kind = Kinds().find(request.first);
  if (kind == Kinds().end()) {
    return absl::InvalidArgumentError(absl::StrCat("unknown kind ", request.first));
  }
  return kind->second(absl::HexStringToBytes(request.second));
}

}  // namespace
}  // namespace cleave::table

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto answer = cleave::table::AnswerTo(line);
    if (answer.ok()) {
      std::cout << "ok " << absl::BytesToHexString(*answer) << std::endl;
    } else {
      std::cout << "error " << answer.status().ToString() << std::endl;
    }
  }
  return 0;
}
