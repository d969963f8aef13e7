#include "store/stack_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "store/key_text.h"

namespace cleave::store {
namespace {

using Json = nlohmann::json;

// The longest prefix that all keys of `range` share, as kvstack defines it: the prefix itself for a range of a prefix,
// the key for a range of one key, else the common bytes of the two bounds.
size_t SharedPrefixBytes(const KeyRange& range) {
  if (range.end == absl::StrCat(range.begin, absl::string_view("\0", 1)) || range.end == PrefixEnd(range.begin)) {
    return range.begin.size();
  }
  const auto [b, e] = std::mismatch(range.begin.begin(), range.begin.end(), range.end.begin(), range.end.end());
  return static_cast<size_t>(b - range.begin.begin());
}

absl::Status ValidateLayer(const StackLayer& layer) {
  if (!layer.range.end.empty() && layer.range.begin > layer.range.end) {
    return absl::InvalidArgumentError(absl::StrCat("stack layer from ", Quoted(layer.range.begin), " to ",
                                                   Quoted(layer.range.end), ": the range ends before it begins"));
  }
  if (layer.strip_prefix > SharedPrefixBytes(layer.range)) {
    return absl::InvalidArgumentError(absl::StrCat("stack layer from ", Quoted(layer.range.begin), " to ",
                                                   Quoted(layer.range.end), ": cannot strip ", layer.strip_prefix,
                                                   " bytes, its keys do not share that many"));
  }
  return absl::OkStatus();
}

// The part of a layer's specification that says which keys it covers.
Json RangeSpec(const StackLayer& layer) {
  const KeyRange& range = layer.range;
  Json spec = Json::object();
  if (range.begin.empty() && range.end.empty()) {
    return spec;
  }
  if (range.end == absl::StrCat(range.begin, absl::string_view("\0", 1))) {
    spec["exact"] = range.begin;
  } else if (range.end == PrefixEnd(range.begin)) {
    spec["prefix"] = range.begin;
  } else {
    spec["inclusive_min"] = range.begin;
    if (!range.end.empty()) {
      spec["exclusive_max"] = range.end;
    }
  }
  if (layer.strip_prefix != SharedPrefixBytes(range)) {
    spec["strip_prefix"] = layer.strip_prefix;
  }
  return spec;
}

}  // namespace

StackLayer StackLayer::Everything(std::shared_ptr<Store> store) { return {std::move(store), "", {}, 0, true}; }

StackLayer StackLayer::Exact(absl::string_view key, std::shared_ptr<Store> store, absl::string_view path) {
  return {std::move(store),
          std::string(path),
          {std::string(key), absl::StrCat(key, absl::string_view("\0", 1))},
          key.size(),
          true};
}

StackLayer StackLayer::Prefix(absl::string_view prefix, std::shared_ptr<Store> store, absl::string_view path) {
  return {std::move(store), std::string(path), KeyRange::Prefix(prefix), prefix.size(), true};
}

absl::StatusOr<std::unique_ptr<StackStore>> StackStore::Create(std::vector<StackLayer> layers) {
  for (const StackLayer& layer : layers) {
    CLEAVE_RETURN_IF_ERROR(ValidateLayer(layer));
  }
  return std::unique_ptr<StackStore>(new StackStore(std::move(layers)));
}

StackStore::StackStore(std::vector<StackLayer> layers) : layers_(std::move(layers)) {
  // Between two neighbouring bounds the topmost layer is the same for all keys.
  std::vector<std::string> bounds = {""};
  for (const StackLayer& layer : layers_) {
    bounds.push_back(layer.range.begin);
    bounds.push_back(layer.range.end);
  }
  std::sort(bounds.begin(), bounds.end());
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  for (size_t i = 0; i < bounds.size(); ++i) {
    const KeyRange range{bounds[i], i + 1 < bounds.size() ? bounds[i + 1] : ""};
    for (size_t layer = layers_.size(); layer-- > 0;) {
      if (layers_[layer].range.Contains(range.begin)) {
        pieces_.push_back({range, layer});
        break;
      }
    }
  }
}

absl::StatusOr<ReadResult> StackStore::Read(absl::string_view key, const ReadOptions& options) const {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  const StackLayer* layer = FindLayer(key);
  if (layer == nullptr) {
    return ReadResult{};
  }
  return layer->store->Read(absl::StrCat(layer->path, key.substr(layer->strip_prefix)), options);
}

absl::StatusOr<std::optional<std::vector<std::string>>> StackStore::ReadParts(absl::string_view key,
                                                                              std::span<const Extent> parts) const {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  const StackLayer* layer = FindLayer(key);
  if (layer == nullptr) {
    return std::nullopt;
  }
  return layer->store->ReadParts(absl::StrCat(layer->path, key.substr(layer->strip_prefix)), parts);
}

absl::StatusOr<Generation> StackStore::Write(absl::string_view key, absl::string_view value,
                                             const WriteOptions& options) {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  const StackLayer* layer = FindLayer(key);
  if (layer == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("key ", Quoted(key), " is not in any layer of the stack"));
  }
  return layer->store->Write(absl::StrCat(layer->path, key.substr(layer->strip_prefix)), value, options);
}

absl::StatusOr<std::unique_ptr<NewValue>> StackStore::WriteNew(absl::string_view key) {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  const StackLayer* layer = FindLayer(key);
  if (layer == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("key ", Quoted(key), " is not in any layer of the stack"));
  }
  return layer->store->WriteNew(absl::StrCat(layer->path, key.substr(layer->strip_prefix)));
}

absl::StatusOr<std::unique_ptr<BegunWrite>> StackStore::BeginWrite(absl::string_view key, absl::string_view value,
                                                                   const WriteOptions& options) {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  const StackLayer* layer = FindLayer(key);
  if (layer == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("key ", Quoted(key), " is not in any layer of the stack"));
  }
  return layer->store->BeginWrite(absl::StrCat(layer->path, key.substr(layer->strip_prefix)), value, options);
}

absl::Status StackStore::Delete(absl::string_view key, const WriteOptions& options) {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  const StackLayer* layer = FindLayer(key);
  if (layer == nullptr) {
    return CheckCondition(options, Generation::Absent(), Quoted(key));
  }
  return layer->store->Delete(absl::StrCat(layer->path, key.substr(layer->strip_prefix)), options);
}

absl::StatusOr<std::vector<std::string>> StackStore::List(const KeyRange& range) const {
  std::vector<std::string> keys;
  for (const Piece& piece : pieces_) {
    const KeyRange part = Intersect(piece.range, range);
    if (IsEmpty(part)) {
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(std::vector<std::string> found, ListPiece(piece, part));
    keys.insert(keys.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  }
  return keys;
}

absl::StatusOr<std::vector<std::string>> StackStore::ListPiece(const Piece& piece, const KeyRange& range) const {
  const StackLayer& layer = layers_[piece.layer];
  const std::string stripped = layer.range.begin.substr(0, layer.strip_prefix);
  // All keys of the piece start with `stripped`; a bound that does not is the end of that prefix.
  KeyRange mapped = KeyRange::Prefix(layer.path);
  mapped.begin += range.begin.substr(std::min(layer.strip_prefix, range.begin.size()));
  if (!range.end.empty() && absl::StartsWith(range.end, stripped)) {
    mapped.end = absl::StrCat(layer.path, range.end.substr(layer.strip_prefix));
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::string> found, layer.store->List(mapped));
  std::vector<std::string> keys;
  for (const std::string& key : found) {
    std::string restored = absl::StrCat(stripped, key.substr(layer.path.size()));
    if (range.Contains(restored)) {
      keys.push_back(std::move(restored));
    }
  }
  return keys;
}

std::string StackStore::Describe(absl::string_view key) const {
  const StackLayer* layer = FindLayer(key);
  return layer == nullptr ? absl::StrCat("stack:", key)
                          : layer->store->Describe(absl::StrCat(layer->path, key.substr(layer->strip_prefix)));
}

std::string StackStore::KvStoreSpec() const {
  Json spec = {{"driver", "kvstack"}, {"layers", Json::array()}};
  for (const StackLayer& layer : layers_) {
    if (!layer.in_specification) {
      continue;
    }
    const std::string base_text = layer.store->KvStoreSpec();
    if (base_text.empty()) {
      return "";
    }
    Json base = Json::parse(base_text);
    base["path"] = absl::StrCat(base.value("path", ""), layer.path);
    Json layer_spec = RangeSpec(layer);
    layer_spec["base"] = std::move(base);
    spec["layers"].push_back(std::move(layer_spec));
  }
  return spec.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const StackLayer* StackStore::FindLayer(absl::string_view key) const {
  const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), key,
                                      [](absl::string_view k, const Piece& piece) { return k < piece.range.begin; });
  if (after == pieces_.begin() || !std::prev(after)->range.Contains(key)) {
    return nullptr;
  }
  return &layers_[std::prev(after)->layer];
}

}  // namespace cleave::store
