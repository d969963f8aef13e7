// How fast the graph answers, on a graph of millions of supervoxels: roots of one, a thousand and a million supervoxels
// now and in the past, leaves of the largest object, a merge; bytes a supervoxel, memory.
//
//   graph_benchmark [--chunks N] [--supervoxels N] [--merges N] [--project FOLDER] [--json]
//
// The graph has N^3 chunks (default 16) with so many supervoxels each (default 1280: 5.2 million in all), and is made
// of rows alone, without voxels: one object that goes through every chunk with 64 supervoxels in each, and pieces of
// four supervoxels of which a fifth goes on into each neighbouring chunk, the way neurites do. Then merges are made, so
// that now and the past differ. It is kept in FOLDER where one is given, and taken from there if it is there already.
//
// "cold" is the first question after opening: blocks come from the operating system's memory and are unpacked. "warm"
// is the median of five more. Every answer is checked against how the graph was made.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include <nlohmann/json.hpp>

#include "base/parallel.h"
#include "base/progress.h"
#include "base/status.h"
#include "benchmarks/measure.h"
#include "edit/editor.h"
#include "graph/dataset.h"
#include "graph/descend.h"
#include "ingest/node_rows.h"
#include "ingest/parent_layer.h"
#include "table/row_keys.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;
using graph::NodeId;
using graph::Segment;

constexpr int64_t kChunkVoxels = 64;
constexpr int64_t kLargePiece = 64;  // supervoxels of piece 0 in every chunk
constexpr int64_t kPiece = 4;        // of every other
constexpr uint64_t kGoesOnPercent = 20;

struct Arguments {
  int64_t chunks = 16;
  int64_t supervoxels = 1280;
  int64_t merges = 300;
  std::string project;
  bool json = false;
};

uint64_t Mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// How the graph is made, from numbers alone.
class Design {
 public:
  Design(const graph::IdLayout& layout, const Arguments& arguments)
      : layout_(layout), chunks_(arguments.chunks), pieces_(1 + (arguments.supervoxels - kLargePiece) / kPiece) {}

  [[nodiscard]] int64_t pieces() const { return pieces_; }
  [[nodiscard]] int64_t supervoxels() const { return kLargePiece + (pieces_ - 1) * kPiece; }
  [[nodiscard]] ChunkPoint ChunkAt(int64_t index) const {
    return {index % chunks_, index / chunks_ % chunks_, index / (chunks_ * chunks_)};
  }
  [[nodiscard]] NodeId Supervoxel(ChunkPoint chunk, int64_t number) const {
    return layout_.MakeNode({graph::kSupervoxelLayer, chunk}, Segment{static_cast<uint64_t>(number) + 1});
  }
  [[nodiscard]] NodeId L2Node(ChunkPoint chunk, int64_t piece) const {
    return layout_.MakeNode({graph::kL2Layer, chunk}, Segment{static_cast<uint64_t>(piece) + 1});
  }
  [[nodiscard]] graph::PlannedNode Piece(ChunkPoint chunk, int64_t piece) const {
    graph::PlannedNode node{L2Node(chunk, piece), {}, {}};
    const int64_t first = piece == 0 ? 0 : kLargePiece + (piece - 1) * kPiece;
    for (int64_t i = 0; i < (piece == 0 ? kLargePiece : kPiece); ++i) {
      node.children.push_back(Supervoxel(chunk, first + i));
    }
    for (int axis = 0; axis < 3; ++axis) {
      for (const int64_t step : {-1, 1}) {
        ChunkPoint neighbour = chunk;
        (axis == 0 ? neighbour.x : axis == 1 ? neighbour.y : neighbour.z) += step;
        const bool inside = std::min({neighbour.x, neighbour.y, neighbour.z}) >= 0 &&
                            std::max({neighbour.x, neighbour.y, neighbour.z}) < chunks_;
        if (inside && GoesOn(step < 0 ? neighbour : chunk, axis, piece)) {
          const graph::EdgeEnds edge{Supervoxel(chunk, first), Supervoxel(neighbour, first)};
          node.cross_edges[layout_.EdgeLayer(edge.node1, edge.node2)].push_back(edge);
        }
      }
    }
    return node;
  }

 private:
  bool GoesOn(ChunkPoint chunk, int axis, int64_t piece) const {
    const auto place = static_cast<uint64_t>(((chunk.z * chunks_ + chunk.y) * chunks_ + chunk.x) * 3 + axis);
    return piece == 0 || Mix(place * 1'000'003 + static_cast<uint64_t>(piece)) % 100 < kGoesOnPercent;
  }

  const graph::IdLayout& layout_;
  const int64_t chunks_;
  const int64_t pieces_;
};

absl::Status MakeGraph(graph::Dataset& dataset, const Arguments& arguments) {
  const Design design(dataset.layout(), arguments);
  const int64_t chunk_count = arguments.chunks * arguments.chunks * arguments.chunks;
  CLEAVE_RETURN_IF_ERROR(ParallelFor(chunk_count, DefaultThreadCount(), [&](int64_t index) {
    const ChunkPoint chunk = design.ChunkAt(index);
    std::vector<table::RowMutation> rows;
    for (int64_t piece = 0; piece < design.pieces(); ++piece) {
      ingest::AppendNodeRows(design.Piece(chunk, piece), dataset.meta().ingested, rows);
    }
    ingest::AppendCounterRow(dataset.layout(), {graph::kSupervoxelLayer, chunk},
                             Segment{static_cast<uint64_t>(design.supervoxels())}, dataset.meta().ingested, rows);
    ingest::AppendCounterRow(dataset.layout(), {graph::kL2Layer, chunk},
                             Segment{static_cast<uint64_t>(design.pieces())}, dataset.meta().ingested, rows);
    return dataset.ApplyUnsynced(rows);
  }));
  ingest::StepClock clock;
  const ingest::Workplace workplace{dataset, DefaultThreadCount(), clock, Progress::Silent()};
  ingest::IngestState state{.layer = graph::kL2Layer + 1};
  CLEAVE_RETURN_IF_ERROR(ingest::MakeParentLayers(workplace, ingest::Resumable::kNo, state));
  return dataset.SealBase();
}

class Report {
 public:
  explicit Report(bool json) : json_(json) {}
  void Add(const std::string& name, double value, const std::string& unit) {
    lines_[name] = {{"value", value}, {"unit", unit}};
    if (!json_) {
      std::printf("%-62s %12.4f %s\n", name.c_str(), value, unit.c_str());
      std::fflush(stdout);
    }
  }
  ~Report() {
    if (json_) {
      std::printf("%s\n", lines_.dump().c_str());
    }
  }

 private:
  const bool json_;
  nlohmann::ordered_json lines_;
};

// Times a question: the first time, and the median of five more.
template <typename Ask>
absl::Status Measure(Report& report, const std::string& name, double per, const std::string& unit, Ask ask) {
  std::vector<double> seconds;
  for (int run = 0; run < 6; ++run) {
    const auto start = std::chrono::steady_clock::now();
    CLEAVE_RETURN_IF_ERROR(ask());
    seconds.push_back(SecondsSince(start));
  }
  report.Add(name + ", cold", seconds.front() * per, unit);
  std::sort(seconds.begin() + 1, seconds.end());
  report.Add(name + ", warm", seconds[3] * per, unit);
  return absl::OkStatus();
}

absl::Status CheckRoots(const graph::GraphView& view, const std::vector<NodeId>& supervoxels,
                        absl::StatusOr<std::vector<NodeId>> roots) {
  CLEAVE_RETURN_IF_ERROR(roots.status());
  for (size_t i = 0; i < roots->size(); ++i) {
    if (view.layout().LayerOf((*roots)[i]) != view.layout().layer_count()) {
      return absl::InternalError(absl::StrCat("supervoxel ", Value(supervoxels[i]), " has no root"));
    }
  }
  return absl::OkStatus();
}

absl::Status AskRoots(graph::Dataset& dataset, const Design& design, int64_t chunk_count, Report& report) {
  std::mt19937_64 random(1);
  const auto any = [&] {
    const auto chunk = static_cast<int64_t>(random() % static_cast<uint64_t>(chunk_count));
    return design.Supervoxel(design.ChunkAt(chunk),
                             static_cast<int64_t>(random() % static_cast<uint64_t>(design.supervoxels())));
  };
  for (const bool past : {false, true}) {
    const graph::GraphView view = past ? dataset.View(dataset.meta().ingested) : dataset.Now();
    const std::string when = past ? " in the past" : " now";
    std::vector<NodeId> some(1'000);
    std::ranges::generate(some, any);
    const auto one_by_one = [&]() -> absl::Status {
      for (const NodeId supervoxel : some) {
        const std::vector<NodeId> one = {supervoxel};
        CLEAVE_RETURN_IF_ERROR(CheckRoots(view, one, view.Roots(one)));
      }
      return absl::OkStatus();
    };
    CLEAVE_RETURN_IF_ERROR(Measure(report, "roots of 1 supervoxel" + when, 1e3, "us", one_by_one));
    CLEAVE_RETURN_IF_ERROR(Measure(report, "roots of 1,000 supervoxels anywhere" + when, 1e3, "ms",
                                   [&] { return CheckRoots(view, some, view.Roots(some)); }));
    // As a viewer or a table of synapses asks: all of a region; and any of the whole volume.
    std::vector<NodeId> near;
    for (int64_t chunk = 0; chunk < chunk_count && near.size() < 1'000'000; ++chunk) {
      for (int64_t i = 0; i < design.supervoxels() && near.size() < 1'000'000; ++i) {
        near.push_back(design.Supervoxel(design.ChunkAt(chunk), i));
      }
    }
    CLEAVE_RETURN_IF_ERROR(Measure(report, absl::StrCat("roots of ", near.size(), " supervoxels of a region", when), 1,
                                   "s", [&] { return CheckRoots(view, near, view.Roots(near)); }));
    std::vector<NodeId> many(1'000'000);
    std::ranges::generate(many, any);
    CLEAVE_RETURN_IF_ERROR(Measure(report, "roots of 1,000,000 supervoxels anywhere" + when, 1, "s",
                                   [&] { return CheckRoots(view, many, view.Roots(many)); }));
  }
  return absl::OkStatus();
}

absl::Status AskLeaves(graph::Dataset& dataset, const Design& design, int64_t chunk_count, Report& report) {
  const graph::GraphView view = dataset.View(dataset.meta().ingested);
  const std::vector<NodeId> first = {design.Supervoxel({0, 0, 0}, 0)};
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, view.Roots(first));
  const auto expected = static_cast<size_t>(chunk_count * kLargePiece);
  return Measure(report, absl::StrCat("leaves of the largest object, ", expected, " supervoxels"), 1, "s", [&] {
    const absl::StatusOr<std::vector<NodeId>> leaves = view.Leaves(roots.front(), std::nullopt);
    if (leaves.ok() && leaves->size() != expected) {
      return absl::InternalError(absl::StrCat("the largest object has ", leaves->size(), " supervoxels"));
    }
    return leaves.status();
  });
}

// Whole edits, each durable when it answers.
absl::Status MakeMerges(graph::Dataset& dataset, const Design& design, const Arguments& arguments, Report& report) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<edit::Editor> editor, edit::Editor::Open(dataset));
  std::vector<double> seconds;
  for (int64_t i = 0; i < arguments.merges; ++i) {
    // Pieces 1 and 2, 3 and 4, ... of chunks all over the volume: each is merged once.
    const ChunkPoint chunk = design.ChunkAt(static_cast<int64_t>(
        Mix(static_cast<uint64_t>(i)) % static_cast<uint64_t>(arguments.chunks * arguments.chunks * arguments.chunks)));
    const int64_t piece = 1 + 2 * (i % ((design.pieces() - 2) / 2));
    const std::vector<NodeId> ends = {design.Piece(chunk, piece).children.front(),
                                      design.Piece(chunk, piece + 1).children.front()};
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, dataset.Now().Roots(ends));
    if (roots[0] != roots[1]) {
      const auto start = std::chrono::steady_clock::now();
      CLEAVE_RETURN_IF_ERROR(editor->Merge({.user = "benchmark", .edges = {{ends[0], ends[1]}}}).status());
      seconds.push_back(SecondsSince(start));
    }
  }
  if (!seconds.empty()) {
    std::ranges::sort(seconds);
    report.Add("a merge, whole and durable, median", 1e3 * seconds[seconds.size() / 2], "ms");
    report.Add("a merge, whole and durable, slowest of a hundred", 1e3 * seconds[seconds.size() * 99 / 100], "ms");
  }
  return absl::OkStatus();
}

int64_t FolderBytes(const std::string& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    bytes += entry.is_regular_file() ? static_cast<int64_t>(entry.file_size()) : 0;
  }
  return bytes;
}

absl::Status Run(const Arguments& arguments, const std::string& folder) {
  Report report(arguments.json);
  const int64_t chunk_count = arguments.chunks * arguments.chunks * arguments.chunks;
  const int64_t side = arguments.chunks * kChunkVoxels;
  if (!fs::exists(folder)) {
    const auto start = std::chrono::steady_clock::now();
    CLEAVE_ASSIGN_OR_RETURN(
        const std::unique_ptr<graph::Dataset> dataset,
        graph::Dataset::Create(folder, {.volume = {{0, 0, 0}, {side, side, side}},
                                        .chunk_size = {kChunkVoxels, kChunkVoxels, kChunkVoxels},
                                        .voxel_size_nm = {8, 8, 8},
                                        .ingested = absl::FromUnixMillis(absl::ToUnixMillis(absl::Now()))}));
    CLEAVE_RETURN_IF_ERROR(MakeGraph(*dataset, arguments));
    report.Add("making the graph", SecondsSince(start), "s");
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<graph::Dataset> dataset, graph::Dataset::Open(folder));
  const Design design(dataset->layout(), arguments);
  const auto supervoxels = static_cast<double>(chunk_count * design.supervoxels());
  report.Add("supervoxels", supervoxels / 1e6, "million");
  report.Add("on disk", static_cast<double>(FolderBytes(folder + "/table")) / supervoxels, "bytes a supervoxel");
  CLEAVE_RETURN_IF_ERROR(MakeMerges(*dataset, design, arguments, report));
  CLEAVE_RETURN_IF_ERROR(AskRoots(*dataset, design, chunk_count, report));
  CLEAVE_RETURN_IF_ERROR(AskLeaves(*dataset, design, chunk_count, report));
  report.Add("largest memory in use", PeakMemoryMiB(), "MiB");
  return absl::OkStatus();
}

bool ParseCount(const std::string& text, int64_t& count) { return absl::SimpleAtoi(text, &count) && count >= 0; }

int Main(const std::vector<std::string>& words) {
  Arguments arguments;
  bool valid = true;
  for (size_t i = 0; i < words.size() && valid; ++i) {
    const bool has_value = i + 1 < words.size();
    if (words[i] == "--json") {
      arguments.json = true;
    } else if (words[i] == "--chunks" && has_value) {
      valid = ParseCount(words[++i], arguments.chunks) && arguments.chunks > 0;
    } else if (words[i] == "--supervoxels" && has_value) {
      valid = ParseCount(words[++i], arguments.supervoxels) && arguments.supervoxels >= kLargePiece + 4 * kPiece;
    } else if (words[i] == "--merges" && has_value) {
      valid = ParseCount(words[++i], arguments.merges);
    } else if (words[i] == "--project" && has_value) {
      arguments.project = words[++i];
    } else {
      valid = false;
    }
  }
  if (!valid) {
    std::fprintf(stderr, "usage: see the top of benchmarks/graph_benchmark.cc\n");
    return 2;
  }
  const bool keep = !arguments.project.empty();
  std::string folder = arguments.project;
  if (!keep) {
    folder = (fs::temp_directory_path() / absl::StrCat("cleave_graph_benchmark_", getpid())).string();
  }
  const absl::Status status = Run(arguments, folder);
  if (!keep) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  if (!status.ok()) {
    std::fprintf(stderr, "graph_benchmark: %s\n", status.ToString().c_str());
  }
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Main({argv + 1, argv + argc}); }
