// The making of one part of a fill; see fill.h.
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "ocdbt/bulk_values.h"
#include "ocdbt/crc32c.h"
#include "ocdbt/fill_state.h"
#include "ocdbt/garbage_list.h"

namespace cleave::ocdbt {
namespace {

constexpr size_t kBlockBytes = size_t{256} << 10;  // the last step holds one block of every run

}  // namespace

absl::StatusOr<std::unique_ptr<FillPart::State>> FillPart::State::Create(const Database& database, std::string key,
                                                                         const FillOptions& options) {
  auto state = std::make_unique<State>(database, std::move(key), options);
  CLEAVE_ASSIGN_OR_RETURN(state->lease, LeaseForWriter(database));
  return state;
}

absl::Status FillPart::State::AddEntry(OwnedEntry entry) {
  const std::lock_guard lock(mutex);
  entries_bytes += entry.memory_bytes();
  entries.push_back(std::move(entry));
  return entries_bytes > options.memory_bytes ? WriteRun() : absl::OkStatus();
}

absl::Status FillPart::State::WriteRun() {
  if (entries.empty()) {
    return absl::OkStatus();
  }
  SortRun(entries);
  StoredRun& run = record.runs.emplace_back();
  std::string block;
  for (const OwnedEntry& entry : entries) {
    AppendRunEntry(entry, block);
    if (block.size() >= kBlockBytes || &entry == &entries.back()) {
      CLEAVE_ASSIGN_OR_RETURN(const DataReference place, run_writer->Append(DataKind::kValue, block));
      run.push_back({place, Crc32c(block)});
      block.clear();
    }
  }
  entries.clear();
  entries_bytes = 0;
  return absl::OkStatus();
}

// The marker is written first, and then the files are looked for: a collection condemns files first, and then looks for
// markers. So it keeps the files, or this finds that they are condemned.
absl::Status FillPart::State::WriteMarker() {
  CrashPoint("ocdbt.before_part_marker");
  const absl::StatusOr<store::Generation> written =
      store->Write(key, EncodePart(record), {.if_generation = store::Generation::Absent()});
  CrashPoint("ocdbt.after_part_marker");
  if (absl::IsAborted(written.status())) {  // by another process, or by this one, whose request was sent twice
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult present, store->Read(key));
    if (present.value == EncodePart(record)) {
      KeepAll();
    }
    return absl::OkStatus();
  }
  KeepAll();  // after an error, too, the marker may be there
  CLEAVE_RETURN_IF_ERROR(written.status());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> lost, LostFiles(*store, record.Files()));
  if (lost.empty()) {
    return absl::OkStatus();
  }
  CLEAVE_RETURN_IF_ERROR(store->Delete(key, {.if_generation = *written}));
  return absl::AbortedError(absl::StrCat(store->Describe(lost.front()),
                                         ": removed as garbage, because the lease of this part had run out; write the "
                                         "part again"));
}

void FillPart::State::KeepAll() {
  values.KeepAll();
  run_writer->KeepAll();
}

FillPart::FillPart(std::unique_ptr<State> state) : state_(std::move(state)) {}

FillPart::~FillPart() {
  state_->values.RemoveAll();
  state_->run_writer->RemoveUnused({});
}

absl::Status FillPart::Put(absl::string_view key, absl::string_view value) {
  CLEAVE_ASSIGN_OR_RETURN(OwnedEntry entry, state_->values.Place(key, value));
  return state_->AddEntry(std::move(entry));
}

absl::Status FillPart::Finish() {
  CLEAVE_RETURN_IF_ERROR(state_->values.Flush());
  CLEAVE_RETURN_IF_ERROR(state_->WriteRun());
  CLEAVE_RETURN_IF_ERROR(state_->run_writer->Flush());
  state_->record.value_files = state_->values.WrittenFiles();
  return state_->WriteMarker();
}

}  // namespace cleave::ocdbt
