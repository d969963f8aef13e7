#include "ocdbt/seal.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/manifest_store.h"

namespace cleave::ocdbt {

absl::Status SealDatabase(store::Store& store) {
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult manifest, store.Read(kManifestKey));
  if (!manifest.value) {
    return absl::NotFoundError(absl::StrCat("no database to seal: ", store.Describe(kManifestKey), " does not exist"));
  }
  return store.Write(kSealKey, "This database is complete. It is read and forked, never written.\n").status();
}

absl::StatusOr<bool> IsSealed(const store::Store& store) {
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult mark, store.Read(kSealKey));
  return mark.value.has_value();
}

absl::Status RefuseIfSealed(const store::Store& store) {
  CLEAVE_ASSIGN_OR_RETURN(const bool sealed, IsSealed(store));
  return sealed ? absl::FailedPreconditionError(absl::StrCat("the database is sealed (", store.Describe(kSealKey),
                                                             " exists): open it read-only, or fork it"))
                : absl::OkStatus();
}

}  // namespace cleave::ocdbt
