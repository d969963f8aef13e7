// What a Database is made of; for this room's own sources.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "ocdbt/committer.h"
#include "ocdbt/database.h"
#include "ocdbt/manifest_store.h"

namespace cleave::ocdbt {

struct Database::State {
  State(const std::shared_ptr<store::Store>& store, OpenOptions open_options)
      : options(std::move(open_options)),
        manifests(store),
        reader(std::make_shared<NodeReader>(store, options.cache_bytes)) {}

  const OpenOptions options;
  Config config;
  mutable ManifestStore manifests;
  const std::shared_ptr<const NodeReader> reader;
  std::optional<Version> pinned;
  std::unique_ptr<Committer> committer;
};

}  // namespace cleave::ocdbt
