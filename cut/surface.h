// Moves the surface between two sides to where the object is narrowest.
#pragma once

#include <span>

#include "cut/contest.h"

namespace cleave::cut {

struct SurfaceOptions {
  // Pieces may change sides where the rival came at least this near (Contest::Closeness).
  float least_closeness = 0.5f;
  // How much a surface at the edge of that zone costs more than one in its middle, where both sides come at once.
  float reluctance = 1;
  // The most pieces of a zone; the most contested ones are taken.
  size_t most_pieces = 20000;
};

// For each pair of sides, gives the contested pieces between them to the one or the other so that the surface between
// has the least area, weighted by reluctance. Pieces of `owned` keep their side. Changes contest.winner only. Sides may
// come apart: see KeepWhole.
void TightenSurfaces(const PieceGraph& pieces, std::span<const uint32_t> owned, const SurfaceOptions& options,
                     Contest& contest);

}  // namespace cleave::cut
