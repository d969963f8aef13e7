// A plan that was shown, as an edit: it is not planned again, but held against what it read.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/kept_preview.h"
#include "edit/protection.h"
#include "edit/task.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

class PreviewTask final : public Task {
 public:
  PreviewTask(std::string token, PlannedOperation planned) : token_(std::move(token)), planned_(std::move(planned)) {
    terms_.key = planned_.record.request_key;
    terms_.override_protection = !planned_.record.overridden.empty();
  }

  OperationKind kind() const override { return planned_.record.kind; }
  const std::string& user() const override { return planned_.record.user; }
  const EditTerms& terms() const override { return terms_; }
  std::string Text() const override { return absl::StrCat("preview|", token_); }

  absl::StatusOr<cleave::edit::Plan> Plan(const Draft& draft, const LockChunks& lock_chunks, OperationRecord& record,
                                          Stages&) override {
    if (lock_chunks && !planned_.plan.chunk_scope.empty()) {
      CLEAVE_RETURN_IF_ERROR(lock_chunks(planned_.plan.chunk_scope));
    }
    const uint64_t read_generation = planned_.record.read_generation.value_or(0);
    CLEAVE_RETURN_IF_ERROR(CheckPlanHolds(draft.dataset(), planned_.plan, read_generation));
    OperationRecord shown = planned_.record;
    shown.request_key = record.request_key;
    record = std::move(shown);
    return planned_.plan;
  }

 protected:
  absl::StatusOr<std::vector<NodeId>> Look(const Draft&) override { return planned_.plan.old_roots; }

  // The roots may have been replaced, or protected, since.
  absl::Status Check(const Draft& draft, const std::vector<NodeId>&, const std::vector<NodeId>&) override {
    CLEAVE_RETURN_IF_ERROR(CheckPlanHolds(draft.dataset(), planned_.plan, planned_.record.read_generation.value_or(0)));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Protection> protections,
                            ProtectionsOf(draft.reader(), planned_.plan.old_roots));
    for (const Protection& protection : protections) {
      if (std::ranges::count(planned_.record.overridden, protection.root) == 0) {
        return ProtectedError(protection);
      }
    }
    return absl::OkStatus();
  }

 private:
  const std::string token_;
  const PlannedOperation planned_;
  EditTerms terms_;
};

}  // namespace

std::unique_ptr<Task> MakePreviewTask(std::string token, PlannedOperation planned) {
  return std::make_unique<PreviewTask>(std::move(token), std::move(planned));
}

}  // namespace cleave::edit
