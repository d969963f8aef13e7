// How fast edge and component files become a project: supervoxels a minute, by step, bytes on disk, memory.
//
//   file_ingest_benchmark [--chunks X,Y,Z] [--bundle N] [--threads N] [--folder FOLDER] [--json]
//
// Synthetic input: chunks of 64^3 voxels (default 10,10,12 of them: 4.9 million supervoxels), each of 16^3 supervoxels
// of 4^3 voxels. Neighbours of six sides have an edge, about 3 a supervoxel; those across a border along x are
// cross-chunk edges. A bundle of N x N rows of supervoxels along x (default 1) is one component, so objects run through
// the volume, and an L2 node holds 16 N^2 supervoxels. The files are written first, which is not timed; the
// segmentation is computed when it is read. The project is made in a new folder below --folder (default: the folder for
// temporary files) and removed.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <nlohmann/json.hpp>

#include "benchmarks/measure.h"
#include "graph/edges.h"
#include "ingest/chunk_components.h"
#include "ingest/file_ingest.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;
using graph::Edge;
using graph::IdLayout;
using graph::NodeId;

constexpr int64_t kChunkVoxels = 64;
constexpr int64_t kBlockVoxels = 4;
constexpr int64_t kBlocks = kChunkVoxels / kBlockVoxels;  // of a chunk, along an axis

struct Arguments {
  ChunkPoint chunks{10, 10, 12};
  int threads = DefaultThreadCount();
  int64_t bundle = 1;  // blocks along y and z
  std::string folder = fs::temp_directory_path().string();
  bool json = false;
};

// A block is named by its place in the lattice of blocks of the whole volume.
using BlockPoint = VoxelPoint;

class Blocks final : public volume::LabelSource {
 public:
  explicit Blocks(ChunkPoint chunks)
      : bounds_(BoxAt({}, {chunks.x * kChunkVoxels, chunks.y * kChunkVoxels, chunks.z * kChunkVoxels})),
        counts_{chunks.x * kBlocks, chunks.y * kBlocks, chunks.z * kBlocks},
        layout_(IdLayout::Create(bounds_, {kChunkVoxels, kChunkVoxels, kChunkVoxels}).value()) {}

  [[nodiscard]] Box bounds() const override { return bounds_; }
  [[nodiscard]] std::optional<VoxelSizeNm> voxel_size_nm() const override { return VoxelSizeNm{8, 8, 40}; }
  [[nodiscard]] std::string Describe() const override { return "synthetic blocks"; }
  [[nodiscard]] absl::StatusOr<Array3<uint64_t>> ReadBox(const Box& box) const override {
    Array3<uint64_t> voxels(box.extent());
    uint64_t* out = voxels.data();
    for (int64_t z = box.lo.z; z < box.hi.z; ++z) {
      for (int64_t y = box.lo.y; y < box.hi.y; ++y) {
        for (int64_t x = box.lo.x; x < box.hi.x; x += kBlockVoxels) {
          const uint64_t id = Value(Id({x / kBlockVoxels, y / kBlockVoxels, z / kBlockVoxels}));
          out = std::fill_n(out, kBlockVoxels, id);
        }
      }
    }
    return voxels;
  }

  [[nodiscard]] const IdLayout& layout() const { return layout_; }
  [[nodiscard]] bool Contains(BlockPoint p) const {
    return p.x >= 0 && p.y >= 0 && p.z >= 0 && p.x < counts_.x && p.y < counts_.y && p.z < counts_.z;
  }
  [[nodiscard]] NodeId Id(BlockPoint p) const {
    const int64_t segment = 1 + p.x % kBlocks + kBlocks * (p.y % kBlocks + kBlocks * (p.z % kBlocks));
    return layout_.MakeNode({graph::kSupervoxelLayer, {p.x / kBlocks, p.y / kBlocks, p.z / kBlocks}},
                            graph::Segment{static_cast<uint64_t>(segment)});
  }

 private:
  Box bounds_;
  BlockPoint counts_;
  IdLayout layout_;
};

class Generator {
 public:
  Generator(const Blocks& blocks, std::string folder, int64_t bundle)
      : blocks_(blocks), folder_(std::move(folder)), bundle_(bundle) {}

  void Write() const {
    fs::create_directories(folder_ + "/edges");
    fs::create_directories(folder_ + "/components");
    for (const ChunkPoint chunk : blocks_.layout().ChunksOverlapping(blocks_.bounds())) {
      WriteFile(absl::StrCat("edges/", graph::EdgeFiles::FileName(chunk)), graph::EncodeChunkEdges(EdgesOf(chunk)));
      WriteFile(absl::StrCat("components/", ingest::ComponentsFileName(chunk)),
                ingest::EncodeComponents(ComponentsOf(chunk)));
    }
  }

 private:
  void WriteFile(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }

  graph::ChunkEdges EdgesOf(ChunkPoint chunk) const {
    graph::ChunkEdges edges;
    ForBlocks(chunk, 0, [&](BlockPoint p) {
      for (int axis = 0; axis < 3; ++axis) {
        for (const int64_t step : {-1, 1}) {
          BlockPoint q = p;
          q[axis] += step;
          const bool leaves = FloorDivide(q[axis], kBlocks) != chunk[axis];
          if (!blocks_.Contains(q) || (!leaves && step < 0)) {
            continue;
          }
          Edge edge{blocks_.Id(p), blocks_.Id(q), 0.25F + 0.01F * static_cast<float>((p.x + p.y + q.z) % 50), 16};
          if (leaves && axis == 0) {
            edge.affinity = graph::kInfiniteAffinity;
            edge.area = 1;
          } else if (leaves) {
            edge.affinity = 0.5F;
          }
          (leaves ? axis == 0 ? edges.cross : edges.between : edges.in).push_back(edge);
        }
      }
    });
    return edges;
  }

  // Of the chunk and one block around it.
  std::vector<ingest::Component> ComponentsOf(ChunkPoint chunk) const {
    std::map<std::pair<int64_t, int64_t>, ingest::Component> bundles;
    ForBlocks(chunk, 1, [&](BlockPoint p) {
      if (blocks_.Contains(p)) {
        bundles[{p.y / bundle_, p.z / bundle_}].push_back(blocks_.Id(p));
      }
    });
    std::vector<ingest::Component> components;
    for (auto& [place, component] : bundles) {
      components.push_back(std::move(component));
    }
    return components;
  }

  template <typename Visit>
  static void ForBlocks(ChunkPoint chunk, int64_t margin, Visit visit) {
    for (int64_t z = -margin; z < kBlocks + margin; ++z) {
      for (int64_t y = -margin; y < kBlocks + margin; ++y) {
        for (int64_t x = -margin; x < kBlocks + margin; ++x) {
          visit({chunk.x * kBlocks + x, chunk.y * kBlocks + y, chunk.z * kBlocks + z});
        }
      }
    }
  }

  const Blocks& blocks_;
  std::string folder_;
  int64_t bundle_;
};

uint64_t BytesBelow(const std::string& folder) {
  uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    bytes += entry.is_regular_file() ? entry.file_size() : 0;
  }
  return bytes;
}

std::optional<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--json") {
      arguments.json = true;
      continue;
    }
    ++i;
    const std::vector<std::string> fields = absl::StrSplit(value, ',');
    if (option == "--folder" && !value.empty()) {
      arguments.folder = value;
    } else if (option == "--threads" && absl::SimpleAtoi(value, &arguments.threads) && arguments.threads > 0) {
      continue;
    } else if (option == "--bundle" && absl::SimpleAtoi(value, &arguments.bundle) && arguments.bundle > 0 &&
               kBlocks % arguments.bundle == 0) {
      continue;
    } else if (option == "--chunks" && fields.size() == 3 && absl::SimpleAtoi(fields[0], &arguments.chunks.x) &&
               absl::SimpleAtoi(fields[1], &arguments.chunks.y) && absl::SimpleAtoi(fields[2], &arguments.chunks.z)) {
      continue;
    } else {
      return std::nullopt;
    }
  }
  return arguments;
}

void Show(const Arguments& arguments, const ingest::IngestReport& report, const std::string& project,
          double processor_seconds) {
  const auto supervoxels = static_cast<double>(report.supervoxels);
  const double per_minute = supervoxels / report.seconds * 60;
  nlohmann::ordered_json json = {
      {"supervoxels", report.supervoxels},
      {"edges", report.edges_inside + report.edges_between + report.edges_cross},
      {"l2_nodes", report.l2_nodes},
      {"roots", report.roots},
      {"threads", arguments.threads},
      {"seconds", report.seconds},
      {"processor_seconds", processor_seconds},
      {"million_supervoxels_per_minute", 1e-6 * per_minute},
      {"table_bytes_per_supervoxel", static_cast<double>(BytesBelow(project + "/table")) / supervoxels},
      {"peak_memory_mib", PeakMemoryMiB()}};
  for (const ingest::StepTime& step : report.steps) {
    json["thread_seconds"][step.step] = step.thread_seconds;
  }
  if (arguments.json) {
    std::printf("%s\n", json.dump().c_str());
    return;
  }
  for (const auto& [name, value] : json.items()) {
    std::printf("%-32s %s\n", name.c_str(), value.dump().c_str());
  }
}

int Run(int argc, char** argv) {
  const std::optional<Arguments> arguments = Parse(argc, argv);
  if (!arguments.has_value()) {
    std::fprintf(
        stderr,
        "usage: file_ingest_benchmark [--chunks X,Y,Z] [--bundle N] [--threads N] [--folder FOLDER] [--json]\n");
    return 2;
  }
  std::string folder = arguments->folder + "/file_ingest_benchmark.XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    std::fprintf(stderr, "cannot make a folder in %s\n", arguments->folder.c_str());
    return 1;
  }
  const Blocks blocks(arguments->chunks);
  Generator(blocks, folder, arguments->bundle).Write();
  ingest::FileIngestOptions options;
  options.base.project_folder = folder + "/project";
  options.base.labels = blocks.Describe();
  options.base.chunk_size = {kChunkVoxels, kChunkVoxels, kChunkVoxels};
  options.base.threads = arguments->threads;
  options.edges = folder + "/edges";
  options.components = folder + "/components";
  const double before = ProcessorSeconds();
  const auto report = ingest::IngestFilesFrom(blocks, options, Progress::Silent());
  if (report.ok()) {
    Show(*arguments, *report, options.base.project_folder, ProcessorSeconds() - before);
  } else {
    std::fprintf(stderr, "%s\n", report.status().ToString().c_str());
  }
  fs::remove_all(folder);
  return report.ok() ? 0 : 1;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Run(argc, argv); }
