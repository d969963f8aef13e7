// The list of data files that nothing needs, kept beside the database between two collections (garbage.h).
//
//   cleave/garbage    a record (record.h) of lines
//     marked TIME_NS FILE      nothing needs it, as far as was seen at this time for the first time
//     condemned TIME_NS FILE   marked at this time; is being removed: whoever finds that a file of his is condemned
//                              must not refer to it any more, and writes it anew
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "store/store.h"

namespace cleave::ocdbt {

inline constexpr absl::string_view kGarbageKey = "cleave/garbage";

struct GarbageList {
  std::map<std::string, absl::Time> marked;
  std::map<std::string, absl::Time> condemned;
};

struct StoredGarbageList {
  GarbageList list;
  store::Generation generation;
};

[[nodiscard]] std::string EncodeGarbageList(const GarbageList& list);
[[nodiscard]] absl::StatusOr<GarbageList> DecodeGarbageList(absl::string_view text);

// Empty where there is none.
[[nodiscard]] absl::StatusOr<StoredGarbageList> ReadGarbageList(const store::Store& store);

// Of `files`, which a writer has written some time ago and is about to refer to, those that it must not: they are
// condemned, or removed already. To be asked after the manifest was read which the commit will replace: a collection
// changes every manifest after it has condemned, so one that comes later makes the commit fail.
[[nodiscard]] absl::StatusOr<std::vector<std::string>> LostFiles(const store::Store& store,
                                                                 const std::vector<std::string>& files);

}  // namespace cleave::ocdbt
