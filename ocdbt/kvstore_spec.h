// TensorStore's specification of a database.
#pragma once

#include <optional>
#include <string>

#include "ocdbt/data_prefixes.h"
#include "ocdbt/version.h"
#include "store/store.h"

namespace cleave::ocdbt {

// JSON text that opens the database in `store` with TensorStore; empty where TensorStore cannot open the store. There
// is no "config" in it, so that what is on disk decides.
[[nodiscard]] std::string OcdbtKvStoreSpec(const store::Store& store, const DataPrefixes& prefixes,
                                           const std::optional<VersionSpec>& version);

}  // namespace cleave::ocdbt
