// Any Python pickle as a tree of values, read without Python: nothing is imported, nothing is called. An object is the
// name of its class, what it was made of, and its state; what that means is for the caller to know.
//
// Protocols 2 to 5. Format: Python's Lib/pickletools.py.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::table {

struct PickleValue {
  enum class Kind { kNone, kBool, kInteger, kFloat, kText, kBytes, kSequence, kDict, kGlobal, kObject };

  Kind kind = Kind::kNone;
  int64_t integer = 0;                          // kInteger; kBool as 0 or 1
  double number = 0;                            // kFloat
  std::string text = {};                        // kText, kBytes; "module name" of kGlobal and of an object's class
  std::vector<const PickleValue*> items = {};   // kSequence (tuple, list or set); kDict: key, value, key, ...
  const PickleValue* arguments = nullptr;       // of an object: a kSequence
  const PickleValue* state = nullptr;           // of an object that has one
  std::optional<uint32_t> memo = std::nullopt;  // the number under which opcodes at the end could name this value

  // The value of a text key of a dict; nullptr when there is none.
  [[nodiscard]] const PickleValue* Find(absl::string_view key) const;
  // Item i, or an object's argument i; nullptr when there are fewer.
  [[nodiscard]] const PickleValue* At(size_t i) const {
    const PickleValue& sequence = arguments == nullptr ? *this : *arguments;
    return i < sequence.items.size() ? sequence.items[i] : nullptr;
  }
};

using PickleKind = PickleValue::Kind;

// Owns all values of one pickle. Lists may hold themselves: whoever walks the tree must bound the way.
class PickleTree {
 public:
  // DATA_LOSS when `pickle` is damaged, uses an integer of more than 64 bits or an opcode that no such pickle needs.
  [[nodiscard]] static absl::StatusOr<PickleTree> Parse(absl::string_view pickle);

  [[nodiscard]] const PickleValue& root() const { return *root_; }
  [[nodiscard]] bool uses_memo() const { return uses_memo_; }

 private:
  friend class PickleReader;
  std::vector<std::unique_ptr<PickleValue>> values_;
  const PickleValue* root_ = nullptr;
  bool uses_memo_ = false;
};

}  // namespace cleave::table
