#include "store/store.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "store/key_text.h"
#include "store/part_runs.h"

namespace cleave::store {

namespace {

class BufferedValue final : public NewValue {
 public:
  BufferedValue(Store& store, absl::string_view key) : store_(store), key_(key) {}
  absl::Status Append(absl::string_view bytes) override {
    bytes_.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  absl::Status Truncate(uint64_t bytes) override {
    bytes_.resize(bytes);
    return absl::OkStatus();
  }
  absl::Status Finish() override { return store_.Write(key_, bytes_).status(); }

 private:
  Store& store_;
  const std::string key_;
  std::string bytes_;
};

class PlainWrite final : public BegunWrite {
 public:
  PlainWrite(Store& store, absl::string_view key, absl::string_view value, WriteOptions options)
      : store_(store), key_(key), value_(value), options_(std::move(options)) {}
  absl::Status Prepare() override { return absl::OkStatus(); }
  absl::StatusOr<Generation> Finish() override { return store_.Write(key_, value_, options_); }

 private:
  Store& store_;
  const std::string key_;
  const absl::string_view value_;
  const WriteOptions options_;
};

}  // namespace

KeyRange KeyRange::Prefix(absl::string_view prefix) { return {std::string(prefix), PrefixEnd(prefix)}; }

bool KeyRange::Contains(absl::string_view key) const { return key >= begin && (end.empty() || key < end); }

absl::StatusOr<std::unique_ptr<NewValue>> Store::WriteNew(absl::string_view key) {
  CLEAVE_RETURN_IF_ERROR(ValidateKey(key));
  return std::make_unique<BufferedValue>(*this, key);
}

absl::StatusOr<std::unique_ptr<BegunWrite>> Store::BeginWrite(absl::string_view key, absl::string_view value,
                                                              const WriteOptions& options) {
  return std::make_unique<PlainWrite>(*this, key, value, options);
}

absl::Status Store::WriteBatch(std::span<const KeyedWrite> writes) {
  for (const KeyedWrite& write : writes) {
    const WriteOptions options{write.if_generation};
    CLEAVE_RETURN_IF_ERROR(write.value ? Write(write.key, *write.value, options).status() : Delete(write.key, options));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::vector<std::string>>> Store::ReadParts(absl::string_view key,
                                                                         std::span<const Extent> parts) const {
  std::vector<std::string> values(parts.size());
  for (const PartRun& run : JoinNeighbours(parts)) {
    CLEAVE_ASSIGN_OR_RETURN(ReadResult read, Read(key, {{run.whole.offset, run.whole.offset + run.whole.length}}));
    if (!read.value) {
      return std::nullopt;
    }
    if (read.value->size() != run.whole.length) {
      return absl::OutOfRangeError(
          absl::StrCat(Describe(key), ": the value ends before byte ", run.whole.offset + run.whole.length));
    }
    for (const size_t part : run.parts) {
      values[part] = run.parts.size() == 1
                         ? *std::move(read.value)
                         : read.value->substr(parts[part].offset - run.whole.offset, parts[part].length);
    }
  }
  return values;
}

absl::StatusOr<std::vector<std::optional<std::string>>> Store::ReadMany(std::span<const std::string> keys) const {
  std::vector<std::optional<std::string>> values;
  values.reserve(keys.size());
  for (const std::string& key : keys) {
    CLEAVE_ASSIGN_OR_RETURN(ReadResult read, Read(key));
    values.push_back(std::move(read.value));
  }
  return values;
}

absl::Status ValidateKey(absl::string_view key) {
  for (const absl::string_view component : absl::StrSplit(key, '/')) {
    if (component.empty() || component == "." || component == ".." || absl::StrContains(component, '\0')) {
      return absl::InvalidArgumentError(absl::StrCat(
          "key ", Quoted(key), " is not a relative path: a component is empty, \".\", \"..\" or holds a NUL byte"));
    }
  }
  return absl::OkStatus();
}

}  // namespace cleave::store
