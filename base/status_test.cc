// Goal: the macros pass errors up and values down, and Annotate keeps code and payload.
#include "base/status.h"

#include <memory>
#include <utility>

#include "absl/strings/cord.h"
#include "gtest/gtest.h"

namespace cleave {
namespace {

absl::StatusOr<std::unique_ptr<int>> MakeEven(int value) {
  if (value % 2 != 0) {
    return absl::InvalidArgumentError("odd");
  }
  return std::make_unique<int>(value);
}

absl::StatusOr<int> Half(int value) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<int> even, MakeEven(value));
  return *even / 2;
}

TEST(Status, AssignOrReturnMovesTheValueOrPassesTheError) {
  EXPECT_EQ(Half(8).value(), 4);
  EXPECT_EQ(Half(7).status(), absl::InvalidArgumentError("odd"));
}

TEST(Status, AnnotateKeepsCodeAndPayload) {
  absl::Status status = absl::DataLossError("bad bytes");
  status.SetPayload("url", absl::Cord("payload"));
  const absl::Status annotated = Annotate(status, "file:///a");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(annotated.message(), "file:///a: bad bytes");
  EXPECT_EQ(annotated.GetPayload("url"), absl::Cord("payload"));
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
}

}  // namespace
}  // namespace cleave
