// A batch of edits as a JSON file:
//
//   {"whole": true, "key": "day 1", "user": "ana", "items": [
//     {"kind": "merge", "source": [120, 80, 12], "sink": [131, 84, 12]},
//     {"kind": "merge", "edges": [["72057594037927937", "72057594037927940"]], "allow_same_segment": true},
//     {"kind": "split", "sources": [[1, 2, 3]], "sinks": [[4, 5, 6]], "augment": false, "allow_isolating": true},
//     {"kind": "split", "sources": [[1, 2, 3]], "sinks": [[4, 5, 6]], "more_sides": [[[7, 8, 9]]],
//      "paint_boxes": [{"side": 1, "box": [[0, 2, 3], [2, 3, 4]]}]},
//     {"kind": "split", "edges": [["72057594037927937", "72057594037927940"]]},
//     {"kind": "undo", "operation": 7}]}
//
// `items` is needed; each item may also have "key", "user" and "override", a merge "affinities" and "max_distance"
// (chunks; 3 without it, -1 for any). Ids are strings or numbers. Members that are not known are refused: a misspelt
// option must not be dropped in silence.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "edit/requests.h"

namespace cleave::cli {

// The text of a file. NOT_FOUND when it cannot be read.
[[nodiscard]] absl::StatusOr<std::string> ReadBatchFile(const std::string& path);

// `user`: who edits where the file does not say. INVALID_ARGUMENT naming the item and the member.
[[nodiscard]] absl::StatusOr<edit::BatchRequest> ParseBatch(absl::string_view json, const std::string& user);

}  // namespace cleave::cli
