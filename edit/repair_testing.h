// What the tests of repairs share: a project with a history, its table as plain cells, and damage to it. Not for
// product code.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "edit/operation_log.h"
#include "edit/repair.h"
#include "graph/edges.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {

using CellKey = std::tuple<std::string, table::Column, absl::Time>;
using Cells = std::map<CellKey, std::string>;

// Every cell of the table but counters, and what belongs to `repair` alone.
inline Cells CellsOf(graph::Dataset& dataset, const std::vector<graph::OperationId>& repairs = {}) {
  const absl::StatusOr<std::vector<table::Row>> rows = dataset.table().ReadRange({}, {}, 0);
  EXPECT_TRUE(rows.ok()) << rows.status();
  Cells cells;
  for (const table::Row& row : *rows) {
    const bool of_repair = absl::StartsWith(row.key, "r") || std::ranges::any_of(repairs, [&](graph::OperationId id) {
                             return row.key == table::OperationRowKey(Value(id));
                           });
    if (absl::StartsWith(row.key, "i") || of_repair) {
      continue;
    }
    for (const auto& [column, list] : row.cells) {
      for (const table::Cell& cell : list) {
        cells[{row.key, column, cell.time}] = cell.value;
      }
    }
  }
  return cells;
}

// Lists in ascending order, since their order says nothing.
inline std::string Normal(const table::Column& column, const std::string& value) {
  if (column == table::columns::kChild) {
    auto ids = table::DecodeCompressedArray<graph::NodeId>(value);
    if (ids.ok()) {
      std::ranges::sort(*ids);
      return table::EncodeArray(*ids);
    }
  }
  if (absl::StartsWith(column.qualifier, "atomic_cross_edges_")) {
    auto edges = table::DecodeCompressedArray<graph::EdgeEnds>(value);
    if (edges.ok()) {
      std::ranges::sort(*edges);
      return table::EncodeArray(*edges);
    }
  }
  return value;
}

inline std::string Name(const CellKey& key) {
  return absl::StrCat(std::get<0>(key), " ", std::get<1>(key).qualifier, " at ",
                      absl::FormatTime(std::get<2>(key), absl::UTCTimeZone()));
}

// The cells in which two tables differ.
inline std::vector<std::string> Differences(const Cells& a, const Cells& b) {
  std::vector<std::string> names;
  for (const auto& [key, value] : a) {
    const auto other = b.find(key);
    if (other == b.end() || Normal(std::get<1>(key), value) != Normal(std::get<1>(key), other->second)) {
      names.push_back((other == b.end() ? "only before: " : "differs: ") + Name(key));
    }
  }
  for (const auto& [key, value] : b) {
    // A repair is an event of its own.
    if (!a.contains(key) && !absl::StartsWith(std::get<0>(key), "e0")) {
      names.push_back("only after: " + Name(key));
    }
  }
  return names;
}

// Makes the table's cells those of `wanted`.
inline void RestoreCells(graph::Dataset& dataset, const Cells& wanted, const Cells& stored) {
  std::vector<table::RowMutation> rows;
  for (const auto& [key, value] : stored) {
    if (!wanted.contains(key)) {
      rows.push_back({std::get<0>(key), {table::DeleteCells{std::get<1>(key), std::get<2>(key)}}});
    }
  }
  for (const auto& [key, value] : wanted) {
    const auto found = stored.find(key);
    if (found == stored.end() || found->second != value) {
      rows.push_back({std::get<0>(key), {table::SetCell{std::get<1>(key), std::get<2>(key), value}}});
    }
  }
  ASSERT_TRUE(dataset.table().Apply(rows).ok());
}

// Three bars over several chunks, the lower two one object by a fused label.
inline Array3<uint64_t> BarLabels() {
  Array3<uint64_t> labels({48, 32, 16});
  for (int64_t z = 0; z < 16; ++z) {
    for (int64_t y = 2; y < 30; ++y) {
      for (int64_t x = 0; x < 48; ++x) {
        labels[{x, y, z}] = y < 16 ? (x < 24 ? 1 : 2) : 3;
      }
    }
  }
  return labels;
}

inline const ProjectOptions kBarOptions{.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}, .fuse = {{1, 2}}};

}  // namespace cleave::edit
