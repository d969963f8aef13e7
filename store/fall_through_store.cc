#include "store/fall_through_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "store/key_text.h"

namespace cleave::store {
namespace {

using Json = nlohmann::json;

constexpr ReadOptions kNothing{ByteRange{0, 0}};

Json Below(const Json& store, absl::string_view path) {
  Json base = store;
  base["path"] = absl::StrCat(base.value("path", ""), path);
  return base;
}

}  // namespace

absl::StatusOr<ReadResult> FallThroughStore::Read(absl::string_view key, const ReadOptions& options) const {
  CLEAVE_ASSIGN_OR_RETURN(ReadResult read, top_->Read(key, options));
  if (read.value || !range_.Contains(key)) {
    return read;
  }
  CLEAVE_ASSIGN_OR_RETURN(ReadResult below, bottom_->Read(key, options));
  return ReadResult{std::move(below.value), Generation::Absent()};
}

absl::StatusOr<std::optional<std::vector<std::string>>> FallThroughStore::ReadParts(
    absl::string_view key, std::span<const Extent> parts) const {
  CLEAVE_ASSIGN_OR_RETURN(std::optional<std::vector<std::string>> read, top_->ReadParts(key, parts));
  return read || !range_.Contains(key) ? std::move(read) : bottom_->ReadParts(key, parts);
}

absl::StatusOr<std::vector<std::optional<std::string>>> FallThroughStore::ReadMany(
    std::span<const std::string> keys) const {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::optional<std::string>> values, top_->ReadMany(keys));
  std::vector<std::string> missing;
  std::vector<size_t> places;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!values[i] && range_.Contains(keys[i])) {
      missing.push_back(keys[i]);
      places.push_back(i);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::optional<std::string>> below, bottom_->ReadMany(missing));
  for (size_t i = 0; i < places.size(); ++i) {
    values[places[i]] = std::move(below[i]);
  }
  return values;
}

absl::StatusOr<Generation> FallThroughStore::Write(absl::string_view key, absl::string_view value,
                                                   const WriteOptions& options) {
  return top_->Write(key, value, options);
}

absl::StatusOr<std::unique_ptr<NewValue>> FallThroughStore::WriteNew(absl::string_view key) {
  return top_->WriteNew(key);
}

absl::StatusOr<std::unique_ptr<BegunWrite>> FallThroughStore::BeginWrite(absl::string_view key, absl::string_view value,
                                                                         const WriteOptions& options) {
  return top_->BeginWrite(key, value, options);
}

absl::Status FallThroughStore::CheckDelete(absl::string_view key) const {
  if (range_.Contains(key)) {
    CLEAVE_ASSIGN_OR_RETURN(const ReadResult below, bottom_->Read(key, kNothing));
    if (below.value) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot delete ", key, ": ", bottom_->Describe(key),
                       " would show in its place, and is never changed; write a value without content instead"));
    }
  }
  return absl::OkStatus();
}

absl::Status FallThroughStore::Delete(absl::string_view key, const WriteOptions& options) {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  CLEAVE_RETURN_IF_ERROR(CheckDelete(key));
  return top_->Delete(key, options);
}

absl::Status FallThroughStore::WriteBatch(std::span<const KeyedWrite> writes) {
  for (const KeyedWrite& write : writes) {
    if (!write.value) {
      CLEAVE_RETURN_IF_ERROR(ValidateKey(write.key));
      CLEAVE_RETURN_IF_ERROR(CheckDelete(write.key));
    }
  }
  return top_->WriteBatch(writes);
}

absl::StatusOr<std::vector<std::string>> FallThroughStore::List(const KeyRange& range) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> above, top_->List(range));
  const KeyRange common = Intersect(range, range_);
  std::vector<std::string> below;
  if (!IsEmpty(common)) {
    CLEAVE_ASSIGN_OR_RETURN(below, bottom_->List(common));
  }
  std::vector<std::string> keys;
  std::ranges::set_union(above, below, std::back_inserter(keys));
  return keys;
}

std::string FallThroughStore::Describe(absl::string_view key) const {
  if (range_.Contains(key)) {
    const absl::StatusOr<ReadResult> read = top_->Read(key, kNothing);
    if (read.ok() && !read->value) {
      return bottom_->Describe(key);
    }
  }
  return top_->Describe(key);
}

// Layers of kvstack, later ones win: 1. `top` for all keys; 2. `bottom` for the range; 3. `top` for each of its keys
// there. `exact` and `prefix` layers take the key away, so their path gives it back.
std::string FallThroughStore::KvStoreSpec() const {
  const std::string above = top_->KvStoreSpec();
  const std::string below = bottom_->KvStoreSpec();
  const absl::StatusOr<std::vector<std::string>> keys = top_->List(range_);
  if (above.empty() || below.empty() || !keys.ok() || keys->size() > kSpecKeysMax) {
    return "";
  }
  const Json top = Json::parse(above);
  const Json bottom = Json::parse(below);
  Json range = {{"base", bottom}, {"strip_prefix", 0}};
  if (!range_.begin.empty()) {
    range["inclusive_min"] = range_.begin;
  }
  if (!range_.end.empty()) {
    range["exclusive_max"] = range_.end;
  }
  Json layers = {{{"base", top}}, range};
  for (const std::string& key : *keys) {
    layers.push_back({{"base", Below(top, key)}, {"exact", key}});
  }
  const Json spec = {{"driver", "kvstack"}, {"layers", layers}};
  return spec.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace cleave::store
