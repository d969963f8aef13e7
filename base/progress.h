// Progress of long work, as seen by a person.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace cleave {

// Receives how far a piece of work has come. Implementations are thread-safe.
class Progress {
 public:
  virtual ~Progress() = default;
  // A new stage begins: `total` steps of `unit` ("chunks", "voxels"); total 0 means it is not known.
  virtual void Begin(const std::string& stage, int64_t total, const std::string& unit) = 0;
  // `steps` more steps of the present stage are done.
  virtual void Advance(int64_t steps) = 0;
  // The present stage has ended.
  virtual void End() = 0;

  // Says nothing; lives as long as the process.
  static Progress& Silent();
};

// A bar on standard error: redrawn in place on a terminal, one line per ended stage elsewhere.
[[nodiscard]] std::unique_ptr<Progress> MakeProgressBar();

}  // namespace cleave
