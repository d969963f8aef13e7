// One version of a database, to read from. It never changes, whatever is committed meanwhile.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/node_reader.h"
#include "ocdbt/version.h"
#include "store/store.h"

namespace cleave::ocdbt {

// One key as a scan meets it. The views end with the call that hands it out.
struct ScannedEntry {
  absl::string_view key;
  const LeafValue& value;  // inline bytes, or where the value lies
};
// Returns false to end the scan.
using ScanVisitor = std::function<absl::StatusOr<bool>(const ScannedEntry&)>;

// Cheap to copy. Thread-safe. Keys are any bytes, up to kMaxKeyBytes.
//
// Damage shows as DATA_LOSS that names the object in the store. Nodes and inline values are under a checksum. Values
// outside of the tree have none in the format: that their file is missing or too short is noticed, a changed byte
// within it is not. Whoever needs that must keep a checksum in the value, or look at the structure of what it decodes.
class Snapshot {
 public:
  Snapshot(std::shared_ptr<const NodeReader> reader, Version version)
      : reader_(std::move(reader)), version_(std::move(version)) {}

  [[nodiscard]] const Version& version() const { return version_; }
  [[nodiscard]] GenerationNumber generation() const { return version_.generation; }

  // The value or a part of it; errors as store::Store::Read. The generation of a key is a digest of what its entry
  // says: the same short value written twice has the same generation.
  [[nodiscard]] absl::StatusOr<store::ReadResult> Read(absl::string_view key,
                                                       const store::ReadOptions& options = {}) const;
  // The values of many keys, in the order of `keys`; no value where the key is not there. One descent for all: every
  // node is read once, values that lie near each other in a file come with one request, and files are read side by
  // side. All of them are in memory at once, so a reader of very many asks for some thousands at a time.
  [[nodiscard]] absl::StatusOr<std::vector<std::optional<std::string>>> ReadMany(
      std::span<const std::string> keys) const;
  // The generation of a key, without reading a value that lies outside of the tree.
  [[nodiscard]] absl::StatusOr<store::Generation> KeyGeneration(absl::string_view key) const;
  // Where the value of a key lies outside of the tree, for messages: "file:///db/d/0123abcd[0, +153)"; empty where it
  // lies in the tree, does not exist, or cannot be found.
  [[nodiscard]] std::string DescribeValue(absl::string_view key) const;

  // Visits the entries of `range` in key order, one leaf in memory at a time.
  [[nodiscard]] absl::Status Scan(const store::KeyRange& range, const ScanVisitor& visit) const;
  // The bytes of an entry that a scan gave.
  [[nodiscard]] absl::StatusOr<std::string> ReadValue(const LeafValue& value) const;
  // The keys of `range`, in order.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List(const store::KeyRange& range) const;

  [[nodiscard]] const NodeReader& reader() const { return *reader_; }

 private:
  std::shared_ptr<const NodeReader> reader_;
  Version version_;
};

// The generation of a key with this value: 0x00 and the first 20 bytes of a SHA-256 over the fields over which
// TensorStore takes BLAKE3. It is never stored, so it need not agree with TensorStore's.
[[nodiscard]] store::Generation GenerationOf(const LeafValue& value);

}  // namespace cleave::ocdbt
