// Where the surface of an object is hollow: between two bodies that touch it is, along a twig it is not.
#pragma once

#include <vector>

#include "cut/piece_graph.h"

namespace cleave::cut {

// How far a border between two sides is seen to run in a furrow of the object's surface. Borrows both arguments.
class Rim {
 public:
  Rim(const MaskGrid& grid, const PieceGraph& pieces);

  // Whether a contact of two pieces lies at the surface of the object.
  [[nodiscard]] bool Has(uint32_t a, uint32_t b) const {
    return pieces_.depth_nm(a) + pieces_.depth_nm(b) <= 2 * deepest_nm_;
  }
  // The share of the object, 0 to 1, in a small box around a contact: half on a flat surface, less on a ridge or a
  // twig, more in a furrow. REQUIRES: Has(a, b).
  [[nodiscard]] float Fill(uint32_t a, uint32_t b) const { return (fill_[a] + fill_[b]) / 2; }

 private:
  const PieceGraph& pieces_;
  float deepest_nm_;
  std::vector<float> fill_;  // of each piece that Has can be true for
};

}  // namespace cleave::cut
