// The other side of tensorstore_interop_test.py: makes a project of labels and tells TensorStore where its voxels are.
//
//   ingest_peer LABELS.npy PROJECT CHUNK OFFSET     CHUNK and OFFSET are "x,y,z"; prints the kvstore specification
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "graph/dataset.h"
#include "ingest/ingest.h"

namespace cleave::ingest {
namespace {

template <typename Vector>
absl::StatusOr<Vector> ParseVector(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  Vector v;
  for (int axis = 0; axis < 3; ++axis) {
    if (parts.size() != 3 || !absl::SimpleAtoi(parts[static_cast<size_t>(axis)], &v[axis])) {
      return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not x,y,z"));
    }
  }
  return v;
}

absl::Status Run(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4) {
    return absl::InvalidArgumentError("usage: ingest_peer LABELS.npy PROJECT CHUNK OFFSET");
  }
  IngestOptions options;
  options.labels = arguments[0];
  options.project_folder = arguments[1];
  options.voxel_size_nm = VoxelSizeNm{8, 8, 40};
  CLEAVE_ASSIGN_OR_RETURN(options.chunk_size, ParseVector<Extent3>(arguments[2]));
  CLEAVE_ASSIGN_OR_RETURN(options.voxel_offset, ParseVector<VoxelPoint>(arguments[3]));
  CLEAVE_RETURN_IF_ERROR(Ingest(options, Progress::Silent()).status());
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<graph::Dataset> dataset, graph::Dataset::Open(arguments[1]));
  std::cout << dataset->KvStoreSpec() << '\n';
  return absl::OkStatus();
}

}  // namespace
}  // namespace cleave::ingest

int main(int argc, char** argv) {
  const absl::Status status = cleave::ingest::Run({argv + 1, argv + argc});
  if (!status.ok()) {
    std::cerr << "ingest_peer: " << status << '\n';
  }
  return status.ok() ? 0 : 1;
}
