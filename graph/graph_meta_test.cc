// Goal: project.json says what a graph is, exactly; a damaged or foreign file is refused with a message that helps.
// Method: round trips, then one defect at a time.
#include "graph/graph_meta.h"

#include <string>
#include <utility>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cleave::graph {
namespace {

using testing::HasSubstr;

GraphMeta Example() {
  return {.graph_id = "pinky-40_a",
          .volume = BoxAt({-7, 100, 3}, {130, 64, 65}),
          .chunk_size = {64, 32, 16},
          .voxel_size_nm = {8, 8.5, 40},
          .ingested = absl::FromUnixMillis(1769860800123)};
}

// Over a volume whose chunks are half as large as the graph's along x, and reach beyond the only chunk along y.
GraphMeta OverlayExample() {
  GraphMeta meta = Example();
  volume::Scale scale;
  scale.key = "mip/0";
  scale.resolution = {8, 8.5, 40};
  scale.voxel_offset = meta.volume.lo;
  scale.size = meta.volume.extent();
  scale.chunk_size = {32, 100, 16};
  meta.chunk_size.y = 64;
  meta.original = volume::OriginalVolume{"file:///data/seg \u00e9/", {}};
  meta.original->info.scales = {scale};
  return meta;
}

TEST(GraphMeta, RoundTrips) {
  GraphMeta with_scales = Example();
  with_scales.scale_count = 3;
  for (const GraphMeta& example : {Example(), OverlayExample(), with_scales}) {
    const absl::StatusOr<GraphMeta> decoded = DecodeGraphMeta(EncodeGraphMeta(example));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, example);
  }
}

TEST(GraphMeta, AnOverlayHasAVersionThatOlderProgramsRefuse) {
  const std::string text = EncodeGraphMeta(OverlayExample());
  EXPECT_THAT(text, HasSubstr("\"version\": 2"));
  for (const auto& [from, to] :
       {std::pair("\"original\"", "\"unknown\""), std::pair("\"url\"", "\"u\""), std::pair("\"info\"", "\"i\""),
        std::pair("uint64", "nothing"), std::pair("\"mip/0\"", "7"), std::pair("[32,100,16]", "[24,100,16]")}) {
    const absl::Status status = DecodeGraphMeta(absl::StrReplaceAll(text, {{from, to}})).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << to << ": " << status;
  }
}

TEST(GraphMeta, AnOriginalFitsTheGraph) {
  EXPECT_TRUE(ValidateGraphMeta(OverlayExample()).ok()) << ValidateGraphMeta(OverlayExample());
  GraphMeta meta = OverlayExample();
  meta.chunk_size.x = 48;
  EXPECT_THAT(std::string(ValidateGraphMeta(meta).message()), HasSubstr("would lie in two chunks"));
  meta = OverlayExample();
  meta.volume.lo.x += 1;
  EXPECT_THAT(std::string(ValidateGraphMeta(meta).message()), HasSubstr("where they are"));
  meta = OverlayExample();
  meta.original->url = "file:///\xff/";
  EXPECT_EQ(ValidateGraphMeta(meta).code(), absl::StatusCode::kInvalidArgument);
}

TEST(GraphMeta, IsTextForPeople) {
  EXPECT_EQ(EncodeGraphMeta(Example()),
            "{\n"
            "  \"format\": \"cleave-project\",\n"
            "  \"version\": 1,\n"
            "  \"graph_id\": \"pinky-40_a\",\n"
            "  \"voxel_offset\": [-7,100,3],\n"
            "  \"size\": [130,64,65],\n"
            "  \"chunk_size\": [64,32,16],\n"
            "  \"voxel_size_nm\": [8.0,8.5,40.0],\n"
            "  \"ingested\": \"2026-01-31T12:00:00.123Z\"\n"
            "}\n");
}

TEST(GraphMeta, UnknownMembersAreIgnored) {
  const std::string text = absl::StrReplaceAll(EncodeGraphMeta(Example()), {{"\"size\"", "\"note\": 1, \"size\""}});
  const absl::StatusOr<GraphMeta> decoded = DecodeGraphMeta(text);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, Example());
}

TEST(GraphMeta, NewerVersionIsRefused) {
  const std::string text = absl::StrReplaceAll(EncodeGraphMeta(Example()), {{"\"version\": 1", "\"version\": 3"}});
  const absl::Status status = DecodeGraphMeta(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("version 3"));
}

TEST(GraphMeta, DamageIsNamed) {
  struct Damage {
    const char* from;
    const char* to;
    const char* message;
  };
  const Damage damages[] = {
      {"{\n", "[\n", "not JSON"},
      {"cleave-project", "something", "format"},
      {"\"version\": 1,", "", "version"},
      {"\"pinky-40_a\"", "7", "graph_id"},
      {"pinky-40_a", "../elsewhere", "graph id"},
      {"pinky-40_a", "base", "graph id"},
      {"[-7,100,3]", "[-7,100]", "voxel_offset"},
      {"[-7,100,3]", "[-7,100,9223372036854775807]", "voxel_offset"},
      {"[130,64,65]", "[130,64.5,65]", "size"},
      {"[130,64,65]", "[130,64,18446744073709551615]", "size"},
      {"[130,64,65]", "[130,0,65]", "empty"},
      {"[64,32,16]", "[64,0,16]", "chunk size"},
      {"[8.0,8.5,40.0]", "[8,\"8\",40]", "voxel_size_nm"},
      {"[8.0,8.5,40.0]", "[8,0,40]", "voxel size"},
      {"2026-01-31T12", "yesterday", "ingested"},
      {"2026-01-31T12", "1969-01-31T12", "1970"},
      {"2026-01-31T12:00:00.123Z", "infinite-future", "1970"},
  };
  for (const Damage& damage : damages) {
    const std::string text = absl::StrReplaceAll(EncodeGraphMeta(Example()), {{damage.from, damage.to}});
    const absl::Status status = DecodeGraphMeta(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << damage.to;
    EXPECT_THAT(std::string(status.message()), HasSubstr(damage.message));
  }
}

TEST(GraphMeta, ValidateNamesWhatIsWrong) {
  GraphMeta meta = Example();
  EXPECT_TRUE(ValidateGraphMeta(meta).ok());
  meta.graph_id = "";
  EXPECT_EQ(ValidateGraphMeta(meta).code(), absl::StatusCode::kInvalidArgument);
  meta = Example();
  meta.voxel_size_nm.z = -1;
  EXPECT_THAT(std::string(ValidateGraphMeta(meta).message()), HasSubstr("voxel size 8,8.5,-1"));
  meta = Example();
  meta.volume.hi.y = kVoxelCoordinateMax + 1;
  EXPECT_THAT(std::string(ValidateGraphMeta(meta).message()), HasSubstr("reaches beyond"));
  meta = Example();
  meta.ingested = absl::InfiniteFuture();
  EXPECT_EQ(ValidateGraphMeta(meta).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cleave::graph
