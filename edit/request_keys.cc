#include "edit/request_keys.h"

#include <array>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include <openssl/sha.h>

#include "base/status.h"
#include "table/columns.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::OperationId;
namespace columns = table::columns;

const table::Column kKey{"2", "cleave_request_key"};        // text
const table::Column kDigest{"2", "cleave_request_digest"};  // 32 bytes

std::string RequestDigest(absl::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return {digest.begin(), digest.end()};
}

std::string RowKey(const KeyedRequest& request) {
  return absl::StrCat("k", absl::BytesToHexString(RequestDigest(request.key)));
}

// One cell at time zero, so that the newest is the only one.
table::SetCell SetOnly(const table::Column& column, std::string value) {
  return {column, absl::UnixEpoch(), std::move(value)};
}

}  // namespace

absl::StatusOr<KeyedRequest> MakeKeyedRequest(absl::string_view key, absl::string_view text) {
  if (key.size() > kRequestKeyBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the request's key has ", key.size(), " bytes, at most ", kRequestKeyBytesMax, " are possible"));
  }
  return KeyedRequest{std::string(key), RequestDigest(text)};
}

absl::StatusOr<RequestKeys::Owner> RequestKeys::ReadOwner(const KeyedRequest& request) const {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                          table_.ReadRow(RowKey(request), {.columns = {columns::kOperationId, kDigest}}));
  Owner owner;
  if (const table::Cell* operation = row.Newest(columns::kOperationId)) {
    owner.operation_text = operation->value;
  }
  if (const table::Cell* digest = row.Newest(kDigest)) {
    owner.digest = digest->value;
  }
  return owner;
}

absl::StatusOr<std::optional<OperationId>> RequestKeys::Find(const KeyedRequest& request) const {
  CLEAVE_ASSIGN_OR_RETURN(const Owner owner, ReadOwner(request));
  if (owner.operation_text.empty()) {
    return std::nullopt;
  }
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::DecodeIdText(owner.operation_text));
  const absl::StatusOr<OperationRecord> record = log_.Read(OperationId{id});
  if (absl::IsNotFound(record.status()) || (record.ok() && (record->status == OperationStatus::kException ||
                                                            record->status == OperationStatus::kWriteFailed))) {
    return std::nullopt;
  }
  CLEAVE_RETURN_IF_ERROR(record.status());
  if (owner.digest != request.digest) {
    return absl::FailedPreconditionError(absl::StrCat("the key '", request.key,
                                                      "' was used for another request, which is operation ", id,
                                                      "; give each request a key of its own"));
  }
  if (record->status != OperationStatus::kSuccess) {
    return absl::UnavailableError(absl::StrCat("the request with the key '", request.key,
                                               "' is being carried out, as operation ", id, "; ask again"));
  }
  return OperationId{id};
}

absl::Status RequestKeys::Claim(const KeyedRequest& request, OperationId operation) {
  CLEAVE_ASSIGN_OR_RETURN(const Owner owner, ReadOwner(request));
  if (owner.operation_text == table::EncodeIdText(Value(operation))) {
    return absl::OkStatus();  // by an earlier try of this operation
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<OperationId> done, Find(request));
  const auto taken = [&] {
    return absl::AbortedError(absl::StrCat("the key '", request.key, "' was claimed by another operation"));
  };
  if (done.has_value()) {
    return taken();
  }
  const bool fresh = owner.operation_text.empty();
  const std::vector<table::CellMatch> predicate = {
      {.filter = {.columns = {columns::kOperationId}},
       .value = fresh ? std::nullopt : std::optional(owner.operation_text)}};
  const table::Change claim[] = {SetOnly(columns::kOperationId, table::EncodeIdText(Value(operation))),
                                 SetOnly(kDigest, request.digest), SetOnly(kKey, request.key)};
  CLEAVE_ASSIGN_OR_RETURN(const bool matched, fresh ? table_.ordered().ApplyIf(RowKey(request), predicate, {}, claim)
                                                    : table_.ordered().ApplyIf(RowKey(request), predicate, claim, {}));
  return matched == fresh ? taken() : absl::OkStatus();
}

}  // namespace cleave::edit
