// Goal: every cut keeps the contract of voxel_cut.h, whatever the object's shape, the voxels' shape and the points;
// necks are found; bad requests are named. Method: shapes whose right cut is known; random objects, checked against the
// contract with a plain flood fill and a plain nearest-voxel search; the real seeded problems of the data set, with
// bounds on the share of wrong voxels (the bounds have slack: they catch a loss of quality, they are not the figures).
#include "cut/voxel_cut.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/test_scale.h"
#include "base/test_seed.h"
#include "cut/components.h"
#include "cut/points_testing.h"
#include "cut/split_cases_testing.h"

namespace cleave::cut {
namespace {

using testing::HasSubstr;

using Groups = std::vector<std::vector<VoxelPoint>>;
using Mask = Array3<uint8_t>;

absl::StatusOr<VoxelCut> Cut(const Mask& mask, const Groups& groups, VoxelSizeNm size = {1, 1, 1},
                             int64_t most_cells = VoxelCutRequest{}.most_cells) {
  return CutVoxels({.mask = mask.view(), .voxel_size_nm = size, .groups = groups, .most_cells = most_cells});
}

double SquareNm(VoxelPoint a, VoxelPoint b, VoxelSizeNm size) {
  const double x = static_cast<double>(a.x - b.x) * size.x;
  const double y = static_cast<double>(a.y - b.y) * size.y;
  const double z = static_cast<double>(a.z - b.z) * size.z;
  return z * z + y * y + x * x;
}

VoxelPoint NearestByBruteForce(const Mask& mask, VoxelPoint point, VoxelSizeNm size) {
  VoxelPoint nearest;
  double least = std::numeric_limits<double>::infinity();
  ForEachPoint(mask.extent(), [&](VoxelPoint p) {
    if (mask[p] != 0 && SquareNm(p, point, size) < least) {
      nearest = p;
      least = SquareNm(p, point, size);
    }
  });
  return nearest;
}

// What the header promises of every successful cut.
void ExpectContract(const Mask& mask, const Groups& groups, VoxelSizeNm size, const VoxelCut& cut) {
  ASSERT_EQ(cut.side.extent(), mask.extent());
  ASSERT_EQ(cut.seeds.size(), groups.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    ASSERT_EQ(cut.seeds[g].size(), groups[g].size());
    for (size_t i = 0; i < groups[g].size(); ++i) {
      EXPECT_EQ(cut.seeds[g][i], NearestByBruteForce(mask, groups[g][i], size));
      EXPECT_EQ(cut.side[cut.seeds[g][i]], g + 1);
    }
  }
  Array3<uint32_t> pieces(mask.extent());
  static_cast<void>(LabelComponents<uint8_t>(mask.view(), pieces.view()));
  std::map<uint32_t, bool> piece_has_seed;
  for (const auto& seeds : cut.seeds) {
    for (const VoxelPoint seed : seeds) {
      piece_has_seed[pieces[seed]] = true;
    }
  }
  int64_t unreached = 0;
  Array3<uint8_t> seeded_side(mask.extent());
  ForEachPoint(mask.extent(), [&](VoxelPoint p) {
    ASSERT_EQ(mask[p] != 0, cut.side[p] != 0) << p;
    ASSERT_LE(cut.side[p], groups.size());
    const bool reached = mask[p] != 0 && piece_has_seed.contains(pieces[p]);
    unreached += mask[p] != 0 && !reached;
    seeded_side[p] = reached ? cut.side[p] : 0;
  });
  EXPECT_EQ(cut.unreached, unreached);
  Array3<uint32_t> components(mask.extent());
  EXPECT_EQ(LabelComponents<uint8_t>(seeded_side.view(), components.view()), groups.size())
      << "each side is one piece of its component";
}

Mask Dumbbell(Extent3 extent, int axis, VoxelSizeNm size) {
  Mask mask(extent);
  const std::array<double, 3> nm = {size.x, size.y, size.z};
  ForEachPoint(extent, [&](VoxelPoint p) {
    std::array<double, 3> from_centre{};
    for (int i = 0; i < 3; ++i) {
      from_centre[i] = (static_cast<double>(p[i]) - static_cast<double>(extent[i] - 1) / 2) * nm[i];
    }
    const double along = std::abs(from_centre[axis]);
    const double across = std::hypot(from_centre[(axis + 1) % 3], from_centre[(axis + 2) % 3]);
    const bool in_ball = std::hypot(along - 200, across) <= 120;
    const bool in_neck = along <= 200 && across <= 30;
    mask[p] = in_ball || in_neck ? 1 : 0;
  });
  return mask;
}

TEST(VoxelCut, DumbbellIsCutInItsNeckInEveryOrientation) {
  for (const VoxelSizeNm size : {VoxelSizeNm{8, 8, 8}, VoxelSizeNm{8, 8, 40}, VoxelSizeNm{30, 4, 10}}) {
    for (int axis = 0; axis < 3; ++axis) {
      const std::array<double, 3> nm = {size.x, size.y, size.z};
      Extent3 extent;
      for (int i = 0; i < 3; ++i) {
        extent[i] = static_cast<int64_t>((i == axis ? 680 : 280) / nm[i]);
      }
      const Mask mask = Dumbbell(extent, axis, size);
      VoxelPoint middle{extent.x / 2, extent.y / 2, extent.z / 2};
      VoxelPoint low = middle;
      VoxelPoint high = middle;
      low[axis] -= static_cast<int64_t>(200 / nm[axis]);
      high[axis] += static_cast<int64_t>(200 / nm[axis]);
      const Groups groups = {{low}, {high}};
      const auto cut = Cut(mask, groups, size);
      ASSERT_TRUE(cut.ok()) << cut.status();
      ExpectContract(mask, groups, size, *cut);
      ForEachPoint(extent, [&](VoxelPoint p) {
        const double along = (static_cast<double>(p[axis]) - static_cast<double>(extent[axis] - 1) / 2) * nm[axis];
        if (mask[p] != 0 && std::abs(along) > 110) {
          EXPECT_EQ(cut->side[p], along < 0 ? 1 : 2) << "axis " << axis << " voxel " << p << " z size " << size.z;
        }
      });
    }
  }
}

// A point in a twig that is thinner than the neck: the least cross-section of all would cut off the twig.
TEST(VoxelCut, PointInATwigIsNotCutOffWithTheTwig) {
  const VoxelSizeNm size{8, 8, 8};
  Mask mask = Dumbbell({85, 60, 35}, 0, size);
  for (int64_t y = 40; y < 58; ++y) {  // up from the low ball
    for (int64_t x = 16; x < 20; ++x) {
      for (int64_t z = 16; z < 20; ++z) {
        mask[{x, y, z}] = 1;
      }
    }
  }
  for (const int64_t most_cells : {1000, 100000}) {
    const Groups groups = {{{18, 54, 18}}, {{67, 30, 17}}};
    const auto cut = Cut(mask, groups, size, most_cells);
    ASSERT_TRUE(cut.ok()) << cut.status();
    ExpectContract(mask, groups, size, *cut);
    ForEachPoint(mask.extent(), [&](VoxelPoint p) {
      if (mask[p] != 0 && (p.x < 28 || p.x > 56)) {
        EXPECT_EQ(cut->side[p], p.x < 42 ? 1 : 2) << p << " with at most " << most_cells << " cells";
      }
    });
  }
}

// Whatever the size of the cells, the neck is found; only its last voxels may differ.
TEST(VoxelCut, CellsOfEverySizeFindTheNeck) {
  const VoxelSizeNm size{8, 8, 40};
  const Mask mask = Dumbbell({85, 35, 7}, 0, size);
  const Groups groups = {{{17, 17, 3}}, {{67, 17, 3}}};
  for (const int64_t most_cells : {1, 10, 100, 1000, 100000}) {
    const auto cut = Cut(mask, groups, size, most_cells);
    ASSERT_TRUE(cut.ok()) << cut.status();
    ExpectContract(mask, groups, size, *cut);
    ForEachPoint(mask.extent(), [&](VoxelPoint p) {
      if (mask[p] != 0 && (p.x < 28 || p.x > 56)) {
        EXPECT_EQ(cut->side[p], p.x < 42 ? 1 : 2) << p << " with at most " << most_cells << " cells";
      }
    });
  }
}

// A process one slice thick, 90 voxels long: the predecessor's way of thinning failed on it.
TEST(VoxelCut, ThinProcessWithFlatVoxels) {
  Mask mask(Extent3{90, 3, 3});
  for (int64_t x = 0; x < 90; ++x) {
    mask[{x, 1, 1}] = 1;
  }
  const Groups groups = {{{2, 1, 1}, {20, 1, 1}}, {{70, 1, 1}, {88, 1, 1}}};
  const auto cut = Cut(mask, groups, {8, 8, 40});
  ASSERT_TRUE(cut.ok()) << cut.status();
  ExpectContract(mask, groups, {8, 8, 40}, *cut);
  EXPECT_EQ((cut->side[{44, 1, 1}]), 1);
  EXPECT_EQ((cut->side[{46, 1, 1}]), 2);
}

TEST(VoxelCut, ObjectThatTouchesEveryFaceOfItsArray) {
  const Mask mask(Extent3{7, 5, 4}, 1);
  const Groups groups = {{{0, 0, 0}}, {{6, 4, 3}}};
  const auto cut = Cut(mask, groups, {8, 8, 40});
  ASSERT_TRUE(cut.ok()) << cut.status();
  ExpectContract(mask, groups, {8, 8, 40}, *cut);
}

TEST(VoxelCut, MoreThanTwoGroups) {
  // A star of five arms, each with a point at its end.
  Mask mask(Extent3{41, 41, 9});
  Groups groups;
  for (int arm = 0; arm < 5; ++arm) {
    const double angle = arm * 2 * 3.14159265 / 5;
    for (int step = 0; step <= 18; ++step) {
      const VoxelPoint p{20 + std::lround(step * std::cos(angle)), 20 + std::lround(step * std::sin(angle)), 4};
      for (int64_t z = 3; z <= 5; ++z) {
        mask[{p.x, p.y, z}] = mask[{p.x + 1, p.y, z}] = mask[{p.x, p.y + 1, z}] = 1;
      }
      if (step == 17) {
        groups.push_back({p});
      }
    }
  }
  const auto cut = Cut(mask, groups, {8, 8, 8});
  ASSERT_TRUE(cut.ok()) << cut.status();
  ExpectContract(mask, groups, {8, 8, 8}, *cut);
}

TEST(VoxelCut, IslandsGoToTheNearestSide) {
  Mask mask(Extent3{40, 8, 8});
  for (int64_t x = 5; x < 35; ++x) {
    mask[{x, 4, 4}] = 1;
  }
  mask[{5, 1, 4}] = 1;   // near the first side
  mask[{34, 4, 7}] = 1;  // near the second
  mask[{34, 5, 7}] = 1;
  const Groups groups = {{{8, 4, 4}}, {{30, 4, 4}}};
  const auto cut = Cut(mask, groups, {8, 8, 8});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->unreached, 3);
  EXPECT_EQ((cut->side[{5, 1, 4}]), 1);
  EXPECT_EQ((cut->side[{34, 4, 7}]), 2);
  EXPECT_EQ((cut->side[{34, 5, 7}]), 2);
}

TEST(VoxelCut, PointsApartAreNamed) {
  Mask mask(Extent3{20, 5, 5});
  for (int64_t x = 0; x < 20; ++x) {
    mask[{x, 2, 2}] = x != 10;
  }
  const auto cut = Cut(mask, {{{2, 2, 2}, {15, 2, 2}}, {{5, 2, 2}}});
  EXPECT_EQ(cut.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(cut.status().message()), HasSubstr("group 1: point 15,2,2"));
  EXPECT_THAT(std::string(cut.status().message()), HasSubstr("another piece"));
}

TEST(VoxelCut, GroupsThatBarEachOthersWayAreNamed) {
  Mask mask(Extent3{20, 1, 1}, 1);
  const auto cut = Cut(mask, {{{2, 0, 0}, {12, 0, 0}}, {{7, 0, 0}}});
  EXPECT_EQ(cut.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(cut.status().message()), HasSubstr("group 1: point 12,0,0"));
  EXPECT_THAT(std::string(cut.status().message()), HasSubstr("without passing through another group"));
}

TEST(VoxelCut, GroupsWhoseWaysCrossGoAround) {
  // A plus of two bars whose middle is wide enough for a way round; each group has the two ends of a bar.
  Mask mask(Extent3{31, 31, 5});
  ForEachPoint(mask.extent(),
               [&](VoxelPoint p) { mask[p] = std::abs(p.x - 15) <= 2 || std::abs(p.y - 15) <= 2 ? 1 : 0; });
  const Groups groups = {{{1, 15, 2}, {29, 15, 2}}, {{15, 1, 2}, {15, 29, 2}}};
  const auto cut = Cut(mask, groups, {8, 8, 8});
  ASSERT_TRUE(cut.ok()) << cut.status();
  ExpectContract(mask, groups, {8, 8, 8}, *cut);
}

TEST(VoxelCut, BadRequestsAreNamed) {
  const auto expect = [](const absl::StatusOr<VoxelCut>& cut, const std::string& part) {
    EXPECT_EQ(cut.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(cut.status().message()), HasSubstr(part));
  };
  const Mask full(Extent3{9, 9, 9}, 1);
  expect(Cut(Mask(Extent3{4, 4, 4}), {{{0, 0, 0}}, {{1, 1, 1}}}), "mask is empty");
  expect(Cut(full, {{{0, 0, 0}}}), "2 to 200 groups");
  expect(Cut(full, Groups(201, {{0, 0, 0}})), "2 to 200 groups");
  expect(Cut(full, {{{0, 0, 0}}, {}}), "group 2 has no point");
  expect(Cut(full, {{{1, 2, 3}}, {{4, 4, 4}, {1, 2, 3}}}), "groups 1 and 2 both have a point in voxel 1,2,3");
  expect(Cut(full, {{{0, 0, 0}}, {{-5, -5, 0}}}), "nearest of the object to -5,-5,0");
  expect(Cut(full, {{{0, 0, 0}}, {{int64_t{1} << 50, 0, 0}}}), "nowhere near");
  expect(Cut(full, {{{0, 0, 0}}, {{8, 8, 8}}}, {8, 0, 8}), "voxel size 0");
}

TEST(VoxelCut, MaskIsAViewOfALargerArray) {
  Mask larger(Extent3{30, 20, 10});
  for (int64_t x = 5; x < 25; ++x) {
    larger[{x, 10, 5}] = 1;
  }
  const Box box{{5, 5, 2}, {25, 15, 8}};
  const Groups groups = {{{0, 5, 3}}, {{19, 5, 3}}};
  const auto cut = CutVoxels(
      {.mask = ArrayView3<const uint8_t>(larger.view()).Crop(box), .voxel_size_nm = {8, 8, 40}, .groups = groups});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->side.extent(), box.extent());
  EXPECT_EQ((cut->side[{0, 5, 3}]), 1);
  EXPECT_EQ((cut->side[{19, 5, 3}]), 2);
}

// Random blobs with specks: several pieces, thin places, touching corners.
Mask RandomObject(std::mt19937_64& random, Extent3 extent) {
  Mask mask(extent);
  for (uint64_t blob = 0; blob < 2 + random() % 8; ++blob) {
    const VoxelPoint centre{static_cast<int64_t>(random() % extent.x), static_cast<int64_t>(random() % extent.y),
                            static_cast<int64_t>(random() % extent.z)};
    const auto radius = static_cast<double>(1 + random() % 6);
    ForEachPoint(extent, [&](VoxelPoint p) {
      if (SquareNm(p, centre, {1, 1, 1}) <= radius * radius) {
        mask[p] = 1;
      }
    });
  }
  const uint64_t specks = random() % 20;
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (random() % 100 < specks) {
      mask.data()[i] = mask.data()[i] == 0 ? 1 : 0;
    }
  }
  return mask;
}

TEST(VoxelCut, RandomObjectsKeepTheContract) {
  std::mt19937_64 random(TestSeed());
  int cuts = 0;
  for (int round = 0; round < 400; ++round) {
    const Extent3 extent{1 + static_cast<int64_t>(random() % 24), 1 + static_cast<int64_t>(random() % 24),
                         1 + static_cast<int64_t>(random() % 24)};
    const Mask mask = RandomObject(random, extent);
    const VoxelSizeNm size{static_cast<double>(1 + random() % 10), static_cast<double>(1 + random() % 10),
                           static_cast<double>(1 + random() % 50)};
    Groups groups(2 + random() % 4);
    for (auto& group : groups) {
      group.resize(1 + random() % 3);
      for (VoxelPoint& point : group) {
        point = {static_cast<int64_t>(random() % (extent.x + 6)) - 3,
                 static_cast<int64_t>(random() % (extent.y + 6)) - 3,
                 static_cast<int64_t>(random() % (extent.z + 6)) - 3};
      }
    }
    const std::array<int64_t, 4> most_cells = {1, 30, 400, 60000};  // from huge cells to single voxels
    const auto cut = Cut(mask, groups, size, most_cells[random() % 4]);
    if (cut.ok()) {
      ++cuts;
      ExpectContract(mask, groups, size, *cut);
    } else {
      EXPECT_THAT(cut.status().code(),
                  testing::AnyOf(absl::StatusCode::kInvalidArgument, absl::StatusCode::kFailedPrecondition));
    }
  }
  EXPECT_GT(cuts, 40);
}

// Two seeds in different pieces fail exactly when a flood fill says that they are apart.
TEST(VoxelCut, ErrorsAgreeWithAFloodFill) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 100; ++round) {
    const Mask mask = RandomObject(random, {16, 16, 16});
    std::vector<VoxelPoint> set;
    ForEachPoint(mask.extent(), [&](VoxelPoint p) {
      if (mask[p] != 0) {
        set.push_back(p);
      }
    });
    const Groups groups = {{set[random() % set.size()], set[random() % set.size()]}, {set[random() % set.size()]}};
    const auto cut = Cut(mask, groups);
    Array3<uint32_t> pieces(mask.extent());
    static_cast<void>(LabelComponents<uint8_t>(mask.view(), pieces.view()));
    const bool apart = pieces[groups[0][0]] != pieces[groups[0][1]];
    const bool same = groups[0][0] == groups[1][0] || groups[0][1] == groups[1][0];
    if (same) {
      EXPECT_EQ(cut.status().code(), absl::StatusCode::kInvalidArgument);
    } else if (apart) {
      EXPECT_EQ(cut.status().code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_THAT(std::string(cut.status().message()), HasSubstr("another piece"));
    }
  }
}

Mask Moved(const Mask& mask, Extent3 low_margin, Extent3 high_margin) {
  const Extent3 e = mask.extent();
  Mask moved(Extent3{e.x + low_margin.x + high_margin.x, e.y + low_margin.y + high_margin.y,
                     e.z + low_margin.z + high_margin.z});
  CopyArray(mask.view(), moved.view().Crop(BoxAt(VoxelPoint{} + low_margin, e)));
  return moved;
}

TEST(VoxelCut, MarginsAndPlaceDoNotMatter) {
  std::mt19937_64 random(TestSeed());
  int compared = 0;
  for (int round = 0; round < 60; ++round) {
    const Mask mask = RandomObject(random, {20, 18, 12});
    const Groups groups = {{{3, 3, 3}}, {{16, 15, 9}, {14, 15, 9}}};
    const Extent3 margin{static_cast<int64_t>(random() % 9), static_cast<int64_t>(random() % 9),
                         static_cast<int64_t>(random() % 9)};
    Groups moved_groups = groups;
    for (auto& group : moved_groups) {
      for (VoxelPoint& point : group) {
        point = point + margin;
      }
    }
    const int64_t most_cells = round % 2 == 0 ? 60000 : 200;
    const auto cut = Cut(mask, groups, {8, 8, 40}, most_cells);
    const auto moved = Cut(Moved(mask, margin, {5, 1, 3}), moved_groups, {8, 8, 40}, most_cells);
    ASSERT_EQ(cut.ok(), moved.ok());
    if (cut.ok()) {
      ++compared;
      ForEachPoint(mask.extent(), [&](VoxelPoint p) { ASSERT_EQ(cut->side[p], moved->side[p + margin]); });
    }
  }
  EXPECT_GT(compared, 10);
}

TEST(VoxelCut, SameRequestSameAnswer) {
  std::mt19937_64 random(TestSeed());
  const Mask mask = RandomObject(random, {40, 40, 20});
  const Groups groups = {{{3, 3, 3}}, {{36, 35, 17}}};
  const auto first = Cut(mask, groups, {8, 8, 40});
  const auto second = Cut(mask, groups, {8, 8, 40});
  ASSERT_EQ(first.ok(), second.ok());
  if (first.ok()) {
    EXPECT_TRUE(std::equal(first->side.data(), first->side.data() + first->side.size(), second->side.data()));
  }
}

TEST(VoxelCut, AnyNumberOfThreadsGivesTheSameAnswer) {
  const VoxelSizeNm size{4, 4, 8};
  const Mask mask = Dumbbell({170, 70, 35}, 0, size);
  const Groups groups = {{{35, 35, 17}}, {{135, 35, 17}}};
  ASSERT_EQ(setenv("CLEAVE_THREADS", "1", 1), 0);
  const auto one = Cut(mask, groups, size);
  ASSERT_EQ(setenv("CLEAVE_THREADS", "3", 1), 0);
  const auto three = Cut(mask, groups, size);
  unsetenv("CLEAVE_THREADS");
  ASSERT_TRUE(one.ok() && three.ok());
  EXPECT_TRUE(std::equal(one->side.data(), one->side.data() + one->side.size(), three->side.data()));
}

TEST(VoxelCut, SwappingTheGroupsSwapsTheSides) {
  const VoxelSizeNm size{8, 8, 40};
  const Mask mask = Dumbbell({85, 35, 7}, 0, size);
  const Groups groups = {{{17, 17, 3}}, {{67, 17, 3}}};
  const auto cut = Cut(mask, groups, size);
  const auto swapped = Cut(mask, {groups[1], groups[0]}, size);
  ASSERT_TRUE(cut.ok() && swapped.ok());
  // The two ends of the neck are equally good.
  ForEachPoint(mask.extent(), [&](VoxelPoint p) {
    if (mask[p] != 0 && (p.x < 28 || p.x > 56)) {
      EXPECT_EQ(cut->side[p] + swapped->side[p], 3) << p;
    }
  });
}

// The share of wrong voxels, by kind of problem: median and 90th percentile may not rise above these.
struct Bound {
  double median;
  double p90;
};

TEST(VoxelCut, RealCasesKeepTheContractAndTheirQuality) {
  const std::string folder = DataFolder(CLEAVE_SOURCE_DIR);
  if (!HasData(folder)) {
    GTEST_SKIP() << "no data in " << folder;
  }
  const int voxels_max = SmallTests() ? 60000 : 300000;  // the benchmark has the large ones
  SplitCaseReader reader(folder);
  std::map<std::string, std::vector<double>> wrong;
  for (const nlohmann::json& description : reader.List()) {
    if (description.contains("voxels") &&
        description["voxels"][0].get<int>() + description["voxels"][1].get<int>() > voxels_max) {
      continue;
    }
    const SplitCase split_case = reader.Build(description);
    const auto cut = Cut(split_case.mask, split_case.groups, split_case.voxel_size_nm);
    ASSERT_TRUE(cut.ok()) << split_case.id << ": " << cut.status();
    SCOPED_TRACE(split_case.id);
    ExpectContract(split_case.mask, split_case.groups, split_case.voxel_size_nm, *cut);
    wrong[split_case.group].push_back(WrongShare(split_case, cut->side));
  }
  if (SmallTests()) {
    return;  // too few for a median
  }
  const std::map<std::string, Bound> bounds = {
      {"bridge", {0.01, 0.40}}, {"genuine", {0.09, 0.20}}, {"whole_contact", {0.06, 0.50}}};
  for (auto& [group, shares] : wrong) {
    std::sort(shares.begin(), shares.end());
    EXPECT_LE(shares[shares.size() / 2], bounds.at(group).median) << group;
    EXPECT_LE(shares[shares.size() * 9 / 10], bounds.at(group).p90) << group;
  }
}

}  // namespace
}  // namespace cleave::cut
