// The free dict, "custom_data", of the record of a graph in row "meta" (pickled_meta.h): what else PyChunkedGraph and
// those around it keep there, such as "mesh".
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::table {

// What the dict has under `key`, as compact JSON text; "" when it has no such key. Objects of Python classes are null.
// DATA_LOSS when `pickle` is damaged or no such record, or the value is nested or shared beyond measure.
[[nodiscard]] absl::StatusOr<std::string> ReadCustomData(absl::string_view pickle, absl::string_view key);

// The keys of the dict that are text, in its order. DATA_LOSS as ReadCustomData.
[[nodiscard]] absl::StatusOr<std::vector<std::string>> CustomDataKeys(absl::string_view pickle);

// The same record of a graph with another name: made anew, with all that custom_data says in JSON's words. Errors as
// DecodePickledMeta and ReadCustomData.
[[nodiscard]] absl::StatusOr<std::string> WithGraphId(absl::string_view pickle, absl::string_view graph_id);

// The same record with `json` under `key`. All that it held stays byte for byte, also what no other program but its
// writer understands: the change is a few opcodes before the last one. Setting a key again replaces these opcodes.
// INVALID_ARGUMENT when `json` is no JSON, or has an integer of more than 64 bits; DATA_LOSS as ReadCustomData;
// FAILED_PRECONDITION when the pickle was written in a way that has no place for it, which Python's own never are.
[[nodiscard]] absl::StatusOr<std::string> WithCustomData(absl::string_view pickle, absl::string_view key,
                                                         absl::string_view json);

}  // namespace cleave::table
