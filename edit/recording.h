// A real edit with all that its plan reads, kept in a folder of its own: to be planned again elsewhere and later, after
// a change of the program, without the project that it comes from.
//
//   RECORDING/
//     edit.json        what was asked, as the one who recorded it wrote it
//     ...              a project (graph/dataset.h) that holds the rows, edge files and chunks that were read, whole,
//     and
//                      nothing else; its graph id ends in "_recording"
//
//   1. The edit is planned in the project as a dry run, and what it reads is noted: the keys of rows, of chunks and of
//      edge files.
//   2. What has these keys is copied.
//   3. The edit is planned again in the copy, and must come to the same.
//
// For merges and splits. An undo or redo reads versions that are past, which a recording does not have.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "edit/requests.h"

namespace cleave::edit {

struct Recording {
  int64_t row_count = 0;
  int64_t chunk_count = 0;  // of voxels, as they are stored
  int64_t edge_file_count = 0;
  int64_t read_bytes = 0;  // of all these
  EditReport report;       // of the dry run
};

// Records `edit` in `folder`, which must not exist yet or be empty, from the project in `project`, which nobody else
// may have open. `edit_text` becomes edit.json. Leaves the project as it is, counters aside. Errors: those of the edit
// and of opening a project; INVALID_ARGUMENT for an undo or redo; ALREADY_EXISTS when the folder holds something;
// INTERNAL when the copy does not lead to the same plan. After an error there is no recording.
[[nodiscard]] absl::StatusOr<Recording> RecordEdit(const std::string& project, const BatchItem& edit,
                                                   const std::string& edit_text, const std::string& folder);

inline constexpr char kRecordedEditFile[] = "edit.json";

}  // namespace cleave::edit
