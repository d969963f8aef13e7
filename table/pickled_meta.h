// The record of a graph that PyChunkedGraph keeps in row "meta": a Python pickle of its class
// pychunkedgraph.graph.meta.ChunkedGraphMeta, whose state is a dict of two named tuples, GraphConfig and DataSource,
// and a free dict. Read and written without Python and without that class.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cleave::table {

struct PickledMeta {
  // GraphConfig, in its order.
  std::string graph_id;
  std::string graph_id_prefix;
  std::array<int64_t, 3> chunk_size = {0, 0, 0};  // voxels, (x, y, z)
  int64_t fanout = 2;
  int64_t layer_id_bits = 8;
  int64_t spatial_bits = 10;
  bool overwrite = false;
  absl::Duration root_lock_expiry = absl::Minutes(3);
  int64_t root_counters = 8;
  // DataSource, in its order; "" stands for None.
  std::string edges;
  std::string components;
  std::string watershed;
  int64_t data_version = 0;  // 0 stands for None
  int64_t cv_mip = 0;

  friend bool operator==(const PickledMeta&, const PickledMeta&) = default;
};

// Protocol 4, with an empty free dict. Where the class can be imported, unpickling makes an object of it.
[[nodiscard]] std::string EncodePickledMeta(const PickledMeta& meta);

// DATA_LOSS when `pickle` is damaged, is of another class, or a member that is needed is not of its type. The chunk
// size may be a list, a tuple or a NumPy array of integers. Members that an older class does not have keep their
// defaults.
[[nodiscard]] absl::StatusOr<PickledMeta> DecodePickledMeta(absl::string_view pickle);

}  // namespace cleave::table
