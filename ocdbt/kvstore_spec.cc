#include "ocdbt/kvstore_spec.h"

#include "nlohmann/json.hpp"

namespace cleave::ocdbt {

std::string OcdbtKvStoreSpec(const store::Store& store, const DataPrefixes& prefixes,
                             const std::optional<VersionSpec>& version) {
  const std::string base = store.KvStoreSpec();
  if (base.empty()) {
    return "";
  }
  nlohmann::json spec = {{"driver", "ocdbt"}, {"base", nlohmann::json::parse(base)}};
  if (prefixes != DataPrefixes()) {
    spec["value_data_prefix"] = prefixes.value;
    spec["btree_node_data_prefix"] = prefixes.btree_node;
    spec["version_tree_node_data_prefix"] = prefixes.version_tree_node;
  }
  if (version) {
    if (const auto* generation = std::get_if<GenerationNumber>(&*version)) {
      spec["version"] = generation->value;
    } else {
      spec["version"] = FormatVersionSpec(*version);
    }
  }
  return spec.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace cleave::ocdbt
