// An object as a graph of small pieces, so that the cut thinks in thousands of pieces, not in millions of voxels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cut/mask_grid.h"

namespace cleave::cut {

// An undirected graph; immutable once built, so it may be read from several threads. Pieces are the 26-connected
// components of the object within each cell of a lattice of equal cells. Two voxels of one piece are therefore
// connected inside it, however thin the background between it and the next piece of its cell is.
class PieceGraph {
 public:
  struct Arc {
    uint32_t to;
    float length_nm;  // between the centres of gravity of the two pieces
    float area;       // of the contact: the sum of StepAreas over the pairs of voxels that touch
  };
  // A part of a row of voxels that lies in one piece.
  struct Segment {
    uint32_t begin;  // grid indices
    uint32_t end;
    uint32_t piece;
  };

  // `cell` counts voxels; (1, 1, 1) makes every voxel a piece. `depth_nm` is that of DepthNm.
  PieceGraph(const MaskGrid& grid, const LazyArray<float>& depth_nm, Extent3 cell);

  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(depth_nm_.size()); }
  // The greatest depth of a voxel of the piece.
  [[nodiscard]] float depth_nm(uint32_t piece) const { return depth_nm_[piece]; }
  // To all pieces that touch it; ascending.
  [[nodiscard]] std::span<const Arc> arcs(uint32_t piece) const {
    return {arcs_.data() + first_arc_[piece], arcs_.data() + first_arc_[piece + 1]};
  }
  // All voxels of the object, ascending.
  [[nodiscard]] std::span<const Segment> segments() const { return segments_; }
  // REQUIRES: the voxel is in the object.
  [[nodiscard]] uint32_t PieceOf(uint32_t voxel) const;
  // The voxel at its centre of gravity, which need not belong to it; in indices of the mask.
  [[nodiscard]] VoxelPoint Centre(uint32_t piece) const { return centre_[piece]; }
  [[nodiscard]] uint32_t FirstVoxel(uint32_t piece) const { return first_voxel_[piece]; }

 private:
  struct Contact {
    uint32_t a;
    uint32_t b;
    float area;
  };

  struct CentreNm {
    float x;
    float y;
    float z;
  };

  // Returns where each segment begins, from the low corner of the grid's box.
  std::vector<VoxelPoint> CutIntoSegments(const MaskGrid& grid, Extent3 cell);
  void NumberPieces(const MaskGrid& grid, const std::vector<VoxelPoint>& begins, Extent3 cell);
  void MeasurePieces(const MaskGrid& grid, const std::vector<VoxelPoint>& begins, const LazyArray<float>& depth_nm);
  [[nodiscard]] std::vector<Contact> FindContacts(const MaskGrid& grid) const;
  void BuildArcs(const std::vector<Contact>& contacts);
  void BuildArcsOfVoxels(const MaskGrid& grid);
  [[nodiscard]] float DistanceNm(uint32_t one, uint32_t other) const;  // between centres
  void AppendArcs(uint32_t piece, std::span<const Arc> contacts, std::vector<uint32_t>& arc_to);

  std::vector<Segment> segments_;
  std::vector<float> depth_nm_;
  std::vector<uint32_t> first_voxel_;
  std::vector<uint32_t> first_arc_;
  std::vector<Arc> arcs_;
  std::vector<CentreNm> centre_nm_;  // from the low corner of the grid's box
  std::vector<VoxelPoint> centre_;
};

}  // namespace cleave::cut
