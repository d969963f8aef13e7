// How a record is changed without being understood whole. Its last two opcodes are BUILD and STOP: the dict of its
// state lies on the stack then, and "custom_data", as every dict that Python writes, can be named by its number in the
// memo. Before BUILD stands, once a key was set:
//
//   NONE POP                         two bytes: as long as what ended the frame that Python announced
//   TEXT POP                         the mark, which names the key: so that it is found again, and replaced
//   GET custom_data, KEY, VALUE, SETITEM, POP
//
// Opcodes: Python's Lib/pickletools.py.
#include "table/pickled_custom.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "table/pickle_tree.h"
#include "table/pickled_meta.h"

namespace cleave::table {
namespace {

using Json = nlohmann::ordered_json;

constexpr absl::string_view kEnd = "b.";  // BUILD, STOP
constexpr int kCustomDepthMax = 20;
constexpr int kCustomValuesMax = 100'000;

absl::Status NoRecord(absl::string_view why) { return absl::DataLossError(absl::StrCat("custom_data: ", why)); }

// --- From Python's values to JSON ---

class JsonMaker {
 public:
  absl::StatusOr<Json> Make(const PickleValue& value, int depth) {
    if (depth > kCustomDepthMax || ++values_ > kCustomValuesMax) {
      return NoRecord("a value is nested too deeply, or too large");
    }
    switch (value.kind) {
      case PickleKind::kBool:
        return Json(value.integer != 0);
      case PickleKind::kInteger:
        return Json(value.integer);
      case PickleKind::kFloat:
        return Json(value.number);
      case PickleKind::kText:
        return Json(value.text);
      case PickleKind::kSequence:
        return MakeList(value, depth);
      case PickleKind::kDict:
        return MakeMap(value, depth);
      default:
        return Json(nullptr);
    }
  }

 private:
  absl::StatusOr<Json> MakeList(const PickleValue& value, int depth) {
    Json list = Json::array();
    for (const PickleValue* item : value.items) {
      CLEAVE_ASSIGN_OR_RETURN(Json made, Make(*item, depth + 1));
      list.push_back(std::move(made));
    }
    return list;
  }
  absl::StatusOr<Json> MakeMap(const PickleValue& value, int depth) {
    Json map = Json::object();
    for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
      const PickleValue& key = *value.items[i];
      CLEAVE_ASSIGN_OR_RETURN(Json made, Make(*value.items[i + 1], depth + 1));
      if (key.kind == PickleKind::kText) {
        map[key.text] = std::move(made);
      } else if (key.kind == PickleKind::kInteger) {
        map[absl::StrCat(key.integer)] = std::move(made);
      }
    }
    return map;
  }

  int values_ = 0;
};

// --- From JSON to opcodes ---

std::string SizedText(absl::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  return absl::StrCat("X", absl::string_view(reinterpret_cast<const char*>(&size), sizeof(size)), text);
}

std::string FloatOpcode(double number) {
  uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof(bits));
  bits = __builtin_bswap64(bits);  // the one number of a pickle that is big-endian
  return absl::StrCat("G", absl::string_view(reinterpret_cast<const char*>(&bits), sizeof(bits)));
}

absl::StatusOr<std::string> Opcodes(const Json& value) {
  if (value.is_null()) {
    return std::string("N");
  }
  if (value.is_boolean()) {
    return std::string(value.get<bool>() ? "\x88" : "\x89");
  }
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
    return absl::InvalidArgumentError("an integer has more than 63 bits");
  }
  if (value.is_number_integer()) {
    const auto number = value.get<int64_t>();
    return absl::StrCat(absl::string_view("\x8A\x08", 2), absl::string_view(reinterpret_cast<const char*>(&number), 8));
  }
  if (value.is_number_float()) {
    return FloatOpcode(value.get<double>());
  }
  if (value.is_string()) {
    return SizedText(value.get_ref<const std::string&>());
  }
  std::string program = value.is_array() ? "](" : "}(";
  for (const auto& item : value.items()) {
    if (value.is_object()) {
      program += SizedText(item.key());
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::string part, Opcodes(item.value()));
    program += part;
  }
  return program + (value.is_array() ? "e" : "u");
}

std::string MarkOf(absl::string_view key) {
  return absl::StrCat("N0", SizedText(absl::StrCat("cleave sets custom_data ", key)), "0");
}

absl::StatusOr<const PickleValue*> CustomDictOf(const PickleTree& tree) {
  const PickleValue* state = tree.root().state;
  const PickleValue* custom = state == nullptr ? nullptr : state->Find("custom_data");
  if (custom == nullptr || custom->kind != PickleKind::kDict) {
    return NoRecord("the record has no such dict");
  }
  return custom;
}

// The pickle without its end and, if this key was the last one that was set, without what set it.
absl::string_view Unset(absl::string_view pickle, absl::string_view key) {
  const size_t mark = pickle.rfind(MarkOf(key));
  const size_t other = pickle.rfind(SizedText("cleave sets custom_data ").substr(5));
  if (mark != absl::string_view::npos && (other == absl::string_view::npos || other < mark + MarkOf(key).size())) {
    return pickle.substr(0, mark);
  }
  return pickle.substr(0, pickle.size() - kEnd.size());
}

// Cleave's own records name nothing by numbers; their dict is empty and the last value of the state.
std::string WithNumberedDict(absl::string_view pickle, const PickleTree& tree) {
  constexpr absl::string_view kOwnEnd = "}ub.";
  if (tree.uses_memo() || !absl::EndsWith(pickle, kOwnEnd)) {
    return std::string(pickle);
  }
  return absl::StrCat(pickle.substr(0, pickle.size() - kOwnEnd.size()), absl::string_view("}q\0ub.", 6));
}

// Whether the new record is the old one but for the key.
absl::Status CheckChange(absl::string_view before, absl::string_view after, absl::string_view key, const Json& value) {
  CLEAVE_ASSIGN_OR_RETURN(const PickledMeta old_meta, DecodePickledMeta(before));
  CLEAVE_ASSIGN_OR_RETURN(const PickledMeta new_meta, DecodePickledMeta(after));
  CLEAVE_ASSIGN_OR_RETURN(const std::string set, ReadCustomData(after, key));
  if (old_meta != new_meta || Json::parse(set, nullptr, false) != value) {
    return absl::FailedPreconditionError("the pickle of the graph's record cannot be changed in place");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadCustomData(absl::string_view pickle, absl::string_view key) {
  CLEAVE_ASSIGN_OR_RETURN(const PickleTree tree, PickleTree::Parse(pickle));
  CLEAVE_ASSIGN_OR_RETURN(const PickleValue* custom, CustomDictOf(tree));
  const PickleValue* value = custom->Find(key);
  if (value == nullptr) {
    return std::string();
  }
  CLEAVE_ASSIGN_OR_RETURN(const Json json, JsonMaker().Make(*value, 0));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<std::vector<std::string>> CustomDataKeys(absl::string_view pickle) {
  CLEAVE_ASSIGN_OR_RETURN(const PickleTree tree, PickleTree::Parse(pickle));
  CLEAVE_ASSIGN_OR_RETURN(const PickleValue* custom, CustomDictOf(tree));
  std::vector<std::string> keys;
  for (size_t i = 0; i + 1 < custom->items.size(); i += 2) {
    if (custom->items[i]->kind == PickleKind::kText) {
      keys.push_back(custom->items[i]->text);
    }
  }
  return keys;
}

absl::StatusOr<std::string> WithGraphId(absl::string_view pickle, absl::string_view graph_id) {
  CLEAVE_ASSIGN_OR_RETURN(PickledMeta meta, DecodePickledMeta(pickle));
  meta.graph_id = std::string(graph_id);
  std::string renamed = EncodePickledMeta(meta);
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, CustomDataKeys(pickle));
  for (const std::string& key : keys) {
    CLEAVE_ASSIGN_OR_RETURN(const std::string json, ReadCustomData(pickle, key));
    CLEAVE_ASSIGN_OR_RETURN(renamed, WithCustomData(renamed, key, json));
  }
  return renamed;
}

absl::StatusOr<std::string> WithCustomData(absl::string_view pickle, absl::string_view key, absl::string_view json) {
  const Json value = Json::parse(json.begin(), json.end(), nullptr, false);
  if (value.is_discarded()) {
    return absl::InvalidArgumentError(absl::StrCat("what is to be ", key, " is no JSON"));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string opcodes, Opcodes(value));
  CLEAVE_ASSIGN_OR_RETURN(const PickleTree given, PickleTree::Parse(pickle));
  const std::string numbered = WithNumberedDict(pickle, given);
  CLEAVE_ASSIGN_OR_RETURN(const PickleTree tree, PickleTree::Parse(numbered));
  CLEAVE_ASSIGN_OR_RETURN(const PickleValue* custom, CustomDictOf(tree));
  if (!custom->memo.has_value() || !absl::EndsWith(numbered, kEnd)) {
    return absl::FailedPreconditionError("the pickle of the graph's record cannot be changed in place");
  }
  const uint32_t number = *custom->memo;
  std::string changed = absl::StrCat(Unset(numbered, key), MarkOf(key), "j",
                                     absl::string_view(reinterpret_cast<const char*>(&number), sizeof(number)),
                                     SizedText(key), opcodes, "s0", kEnd);
  CLEAVE_RETURN_IF_ERROR(CheckChange(pickle, changed, key, value));
  return changed;
}

}  // namespace cleave::table
