#include "cli/arguments.h"

#include <array>
#include <cmath>
#include <functional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "cut/graph_cut.h"

namespace cleave::cli {
namespace {

absl::Status Unexpected(absl::string_view text, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not ", expected));
}

// `count` numbers between commas.
template <typename T, typename Parse>
absl::StatusOr<std::vector<T>> ParseNumbers(absl::string_view text, size_t count, absl::string_view expected,
                                            Parse parse) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  std::vector<T> numbers(parts.size());
  bool good = parts.size() == count;
  for (size_t i = 0; good && i < parts.size(); ++i) {
    good = parse(absl::StripAsciiWhitespace(parts[i]), &numbers[i]);
  }
  if (!good) {
    return Unexpected(text, expected);
  }
  return numbers;
}

absl::StatusOr<std::vector<int64_t>> ParseIntegers(absl::string_view text, size_t count, absl::string_view expected) {
  return ParseNumbers<int64_t>(text, count, expected, [](absl::string_view part, int64_t* number) {
    constexpr int64_t kLimit = int64_t{1} << 40;  // sums of coordinates never overflow
    return absl::SimpleAtoi(part, number) && *number > -kLimit && *number < kLimit;
  });
}

template <typename T, typename Parse>
absl::StatusOr<std::vector<T>> ParseEach(const std::vector<std::string>& texts, Parse parse) {
  std::vector<T> values;
  for (const std::string& text : texts) {
    CLEAVE_ASSIGN_OR_RETURN(T value, parse(text));
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace

absl::StatusOr<VoxelPoint> ParsePoint(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> n, ParseIntegers(text, 3, "a point X,Y,Z of three integers"));
  return VoxelPoint{n[0], n[1], n[2]};
}

absl::StatusOr<std::vector<VoxelPoint>> ParsePoints(const std::vector<std::string>& texts) {
  return ParseEach<VoxelPoint>(texts, ParsePoint);
}

absl::StatusOr<SidedText> ParseSided(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  int side = 0;
  if (!absl::SimpleAtoi(parts.first, &side) || side < 1 || side > cut::kTeamsMax || parts.second.empty()) {
    return Unexpected(text, absl::StrCat("SIDE:..., a side from 1 to ", cut::kTeamsMax, " and what belongs to it"));
  }
  return SidedText{side, parts.second};
}

absl::StatusOr<Extent3> ParseExtent(absl::string_view text) {
  constexpr absl::string_view kExpected = "a size X,Y,Z of three positive integers";
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> n, ParseIntegers(text, 3, kExpected));
  if (n[0] <= 0 || n[1] <= 0 || n[2] <= 0) {
    return Unexpected(text, kExpected);
  }
  return Extent3{n[0], n[1], n[2]};
}

absl::StatusOr<VoxelSizeNm> ParseVoxelSize(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<double> n,
                          ParseNumbers<double>(text, 3, "a voxel size X,Y,Z of three positive numbers (nm)",
                                               [](absl::string_view part, double* number) {
                                                 return absl::SimpleAtod(part, number) && std::isfinite(*number) &&
                                                        *number > 0;
                                               }));
  return VoxelSizeNm{n[0], n[1], n[2]};
}

absl::StatusOr<Box> ParseBox(absl::string_view text) {
  constexpr absl::string_view kExpected = "a box X0,Y0,Z0,X1,Y1,Z1 of six integers";
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> n, ParseIntegers(text, 6, kExpected));
  const Box box{{n[0], n[1], n[2]}, {n[3], n[4], n[5]}};
  if (box.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("box '", text, "' is empty: its upper end is excluded"));
  }
  return box;
}

absl::StatusOr<absl::Time> ParseTime(absl::string_view text) {
  constexpr double kLatestSecond = 1e11;
  if (double seconds = 0; absl::SimpleAtod(text, &seconds) && std::abs(seconds) < kLatestSecond) {
    // A double holds microseconds of our time, but not exactly; the milliseconds of a table must not fall short.
    return absl::FromUnixMicros(std::llround(seconds * 1e6));
  }
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error) && time != absl::InfiniteFuture() &&
      time != absl::InfinitePast()) {
    return time;
  }
  return Unexpected(text, "a time: expected 2026-01-31T12:00:00Z or seconds since 1970");
}

absl::StatusOr<graph::NodeId> ParseNodeId(absl::string_view text) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number == 0) {
    return Unexpected(text, "an id: expected a positive decimal number");
  }
  return graph::NodeId{number};
}

absl::StatusOr<std::vector<graph::NodeId>> ParseNodeIds(const std::vector<std::string>& texts) {
  return ParseEach<graph::NodeId>(texts, ParseNodeId);
}

absl::StatusOr<graph::EdgeEnds> ParseEdge(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<uint64_t> ids,
      ParseNumbers<uint64_t>(text, 2, "an edge A,B of two supervoxel ids",
                             [](absl::string_view part, uint64_t* id) { return absl::SimpleAtoi(part, id); }));
  return graph::EdgeEnds{graph::NodeId{ids[0]}, graph::NodeId{ids[1]}};
}

absl::StatusOr<std::vector<graph::EdgeEnds>> ParseEdges(const std::vector<std::string>& texts) {
  return ParseEach<graph::EdgeEnds>(texts, ParseEdge);
}

absl::StatusOr<graph::OperationId> ParseOperation(absl::string_view text) {
  constexpr uint64_t kFirstNode = uint64_t{1} << 56;  // ids from there on are those of nodes
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number == 0 || number >= kFirstNode) {
    return Unexpected(text, "the number of an operation");
  }
  return graph::OperationId{number};
}

absl::StatusOr<std::vector<graph::OperationId>> ParseOperations(const std::vector<std::string>& texts) {
  return ParseEach<graph::OperationId>(texts, ParseOperation);
}

absl::StatusOr<ingest::FusePair> ParseFusePair(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<uint64_t> n,
      ParseNumbers<uint64_t>(text, 2, "a pair of labels A,B", [](absl::string_view part, uint64_t* number) {
        return absl::SimpleAtoi(part, number) && *number != 0;
      }));
  return ingest::FusePair{n[0], n[1]};
}

}  // namespace cleave::cli
