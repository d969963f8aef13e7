#include "store/store.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "store/key_text.h"

namespace cleave::store {

KeyRange KeyRange::Prefix(absl::string_view prefix) { return {std::string(prefix), PrefixEnd(prefix)}; }

bool KeyRange::Contains(absl::string_view key) const { return key >= begin && (end.empty() || key < end); }

absl::Status Store::WriteBatch(std::span<const KeyedWrite> writes) {
  for (const KeyedWrite& write : writes) {
    const WriteOptions options{write.if_generation};
    CLEAVE_RETURN_IF_ERROR(write.value ? Write(write.key, *write.value, options).status() : Delete(write.key, options));
  }
  return absl::OkStatus();
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
