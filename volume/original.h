// A precomputed volume that is read in place and never written: what a project shows where nothing was edited.
//
//   CLEAVE_ASSIGN_OR_RETURN(const OriginalVolume original, FindOriginal("file:///data/seg/"));     // remembered
//   CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store, OpenOriginal(original));          // later
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "store/store.h"
#include "volume/info.h"

namespace cleave::volume {

// What is remembered of it: of its info the data type and the finest scale, on which its chunks' names and contents
// depend. Other scales, meshes and the like may come and go.
struct OriginalVolume {
  std::string url;  // ends in '/'
  Info info;        // one scale

  [[nodiscard]] const Scale& scale() const { return info.scales.front(); }
  friend bool operator==(const OriginalVolume&, const OriginalVolume&) = default;
};

// The keys of its chunks.
[[nodiscard]] store::KeyRange OriginalChunkKeys(const OriginalVolume& original);

// Reads the info at the URL of a folder ("file:///data/seg", "precomputed://file:///data/seg/"). INVALID_ARGUMENT when
// this is no such URL, the labels are not uint64, or the finest scale lies outside of the folder; NOT_FOUND when there
// is no volume; UNIMPLEMENTED as ParseInfo (sharded, lossy).
[[nodiscard]] absl::StatusOr<OriginalVolume> FindOriginal(absl::string_view url);

// Its store, to be read only. FAILED_PRECONDITION when what is remembered of the info is not what stands there now;
// NOT_FOUND when it is gone.
[[nodiscard]] absl::StatusOr<std::shared_ptr<store::Store>> OpenOriginal(const OriginalVolume& original);

}  // namespace cleave::volume
