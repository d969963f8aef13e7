// What is written, as a program for Python's stack machine:
//
//   ChunkedGraphMeta.__new__(ChunkedGraphMeta, CONFIG, SOURCE)     class, tuple, NEWOBJ
//   .__setstate__({"graph_config": CONFIG, "data_source": SOURCE, "custom_data": {}})     dict, BUILD
//
// CONFIG and SOURCE are named tuples: class, tuple of members, NEWOBJ.
#include "table/pickled_meta.h"

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/pickle_tree.h"

namespace cleave::table {
namespace {

constexpr char kModule[] = "pychunkedgraph.graph.meta";
constexpr char kMetaClass[] = "pychunkedgraph.graph.meta ChunkedGraphMeta";
constexpr char kConfigClass[] = "pychunkedgraph.graph.meta GraphConfig";
constexpr char kSourceClass[] = "pychunkedgraph.graph.meta DataSource";

// --- Writing ---

std::string NumberBytes(uint64_t value, size_t size) {
  return std::string(reinterpret_cast<const char*>(&value), size);
}
std::string PickledText(absl::string_view text) { return absl::StrCat("X", NumberBytes(text.size(), 4), text); }
std::string PickledTextOrNone(absl::string_view text) { return text.empty() ? "N" : PickledText(text); }
std::string PickledInteger(int64_t value) {
  return absl::StrCat(absl::string_view("\x8A\x08", 2), NumberBytes(static_cast<uint64_t>(value), 8));
}
std::string Global(absl::string_view module, absl::string_view name) {
  return absl::StrCat("c", module, "\n", name, "\n");
}
std::string Tuple(const std::vector<std::string>& items) {
  std::string program = "(";
  for (const std::string& item : items) {
    program += item;
  }
  return program + "t";
}
std::string List(const std::vector<std::string>& items) {
  std::string program = "](";
  for (const std::string& item : items) {
    program += item;
  }
  return program + "e";
}
std::string NewObject(absl::string_view name, const std::vector<std::string>& arguments) {
  return absl::StrCat(Global(kModule, name), Tuple(arguments), "\x81");
}

std::string Config(const PickledMeta& meta) {
  const int64_t microseconds = absl::ToInt64Microseconds(meta.root_lock_expiry);
  const std::string expiry = absl::StrCat(
      Global("datetime", "timedelta"),
      Tuple({PickledInteger(0), PickledInteger(microseconds / 1000000), PickledInteger(microseconds % 1000000)}), "R");
  return NewObject("GraphConfig",
                   {PickledText(meta.graph_id), PickledText(meta.graph_id_prefix),
                    List({PickledInteger(meta.chunk_size[0]), PickledInteger(meta.chunk_size[1]),
                          PickledInteger(meta.chunk_size[2])}),
                    PickledInteger(meta.fanout), PickledInteger(meta.layer_id_bits), PickledInteger(meta.spatial_bits),
                    meta.overwrite ? "\x88" : "\x89", expiry, PickledInteger(meta.root_counters)});
}

std::string Source(const PickledMeta& meta) {
  return NewObject(
      "DataSource",
      {PickledTextOrNone(meta.edges), PickledTextOrNone(meta.components), PickledTextOrNone(meta.watershed),
       meta.data_version == 0 ? "N" : PickledInteger(meta.data_version), PickledInteger(meta.cv_mip)});
}

// --- Reading ---

absl::Status WrongMember(absl::string_view member, absl::string_view expected) {
  return absl::DataLossError(absl::StrCat("pickled meta: ", member, " is not ", expected));
}

// Members that are not there, or None, keep what they are.
absl::Status ReadText(const PickleValue* value, absl::string_view member, std::string& text) {
  if (value == nullptr || value->kind == PickleKind::kNone) {
    return absl::OkStatus();
  }
  if (value->kind != PickleKind::kText) {
    return WrongMember(member, "a text");
  }
  text = value->text;
  return absl::OkStatus();
}

template <typename Number>
Number NumberAt(const std::string& bytes, size_t index) {
  Number number;
  std::memcpy(&number, bytes.data() + index * sizeof(Number), sizeof(Number));
  return number;
}

// Bytes, also as protocol 2 writes them: _codecs.encode(TEXT, "latin1"). Of a character beyond latin-1 nothing is left.
std::string BytesOf(const PickleValue& value) {
  if (value.kind != PickleKind::kObject) {
    return value.text;
  }
  std::string bytes;
  if (value.text != "_codecs encode" || value.At(0) == nullptr) {
    return bytes;
  }
  const std::string& text = value.At(0)->text;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<uint8_t>(text[i]);
    if (lead < 0x80) {
      bytes.push_back(text[i]);
    } else if ((lead == 0xC2 || lead == 0xC3) && i + 1 < text.size()) {
      bytes.push_back(static_cast<char>((lead << 6) | (text[++i] & 0x3F)));
    }
  }
  return bytes;
}

// The integers of NumPy's little-endian bytes; empty when the type is none of integers.
std::vector<int64_t> NumPyIntegers(const PickleValue* dtype, const std::string& bytes) {
  const PickleValue* name = dtype == nullptr ? nullptr : dtype->At(0);
  std::vector<int64_t> numbers;
  if (name == nullptr || name->kind != PickleKind::kText) {
    return numbers;
  }
  if (name->text == "i8" || name->text == "u8") {
    for (size_t i = 0; i < bytes.size() / 8; ++i) {
      numbers.push_back(NumberAt<int64_t>(bytes, i));
    }
  } else if (name->text == "i4") {
    for (size_t i = 0; i < bytes.size() / 4; ++i) {
      numbers.push_back(NumberAt<int32_t>(bytes, i));
    }
  } else if (name->text == "u4") {
    for (size_t i = 0; i < bytes.size() / 4; ++i) {
      numbers.push_back(NumberAt<uint32_t>(bytes, i));
    }
  }
  return numbers;
}

// A number as Python and NumPy write it, or several in a sequence or an array.
std::vector<int64_t> Integers(const PickleValue& value) {
  std::vector<int64_t> numbers;
  switch (value.kind) {
    case PickleKind::kInteger:
    case PickleKind::kBool:
      numbers.push_back(value.integer);
      break;
    case PickleKind::kSequence:
      for (const PickleValue* item : value.items) {
        if (item->kind == PickleKind::kSequence) {
          return {};
        }
        const std::vector<int64_t> part = Integers(*item);
        if (part.size() != 1) {
          return {};
        }
        numbers.push_back(part.front());
      }
      break;
    case PickleKind::kObject:
      if (value.text.ends_with(" scalar") && value.At(1) != nullptr) {  // numpy: scalar(dtype, bytes)
        return NumPyIntegers(value.At(0), BytesOf(*value.At(1)));
      }
      if (value.text.ends_with(" _frombuffer") && value.At(0) != nullptr) {  // (bytes, dtype, shape, order)
        return NumPyIntegers(value.At(1), BytesOf(*value.At(0)));
      }
      if (value.text.ends_with(" _reconstruct") && value.state != nullptr && value.state->At(4) != nullptr) {
        return NumPyIntegers(value.state->At(2),
                             BytesOf(*value.state->At(4)));  // (version, shape, dtype, order, bytes)
      }
      break;
    default:
      break;
  }
  return numbers;
}

absl::Status ReadInteger(const PickleValue* value, absl::string_view member, int64_t& number) {
  if (value == nullptr || value->kind == PickleKind::kNone) {
    return absl::OkStatus();
  }
  const std::vector<int64_t> numbers = Integers(*value);
  if (numbers.size() != 1) {
    return WrongMember(member, "an integer");
  }
  number = numbers.front();
  return absl::OkStatus();
}

absl::Status ReadDuration(const PickleValue* value, absl::Duration& duration) {
  if (value == nullptr || value->kind == PickleKind::kNone) {
    return absl::OkStatus();
  }
  if (value->kind != PickleKind::kObject || value->text != "datetime timedelta") {
    return WrongMember("ROOT_LOCK_EXPIRY", "a timedelta");
  }
  int64_t part[3] = {0, 0, 0};  // days, seconds, microseconds
  for (size_t i = 0; i < 3; ++i) {
    CLEAVE_RETURN_IF_ERROR(ReadInteger(value->At(i), "ROOT_LOCK_EXPIRY", part[i]));
  }
  duration = 24 * absl::Hours(part[0]) + absl::Seconds(part[1]) + absl::Microseconds(part[2]);
  return absl::OkStatus();
}

absl::Status ReadConfig(const PickleValue& config, PickledMeta& meta) {
  if (config.kind != PickleKind::kObject || config.text != kConfigClass) {
    return WrongMember("graph_config", "a GraphConfig");
  }
  CLEAVE_RETURN_IF_ERROR(ReadText(config.At(0), "ID", meta.graph_id));
  CLEAVE_RETURN_IF_ERROR(ReadText(config.At(1), "ID_PREFIX", meta.graph_id_prefix));
  const std::vector<int64_t> chunk_size = config.At(2) == nullptr ? std::vector<int64_t>() : Integers(*config.At(2));
  if (chunk_size.size() != 3) {
    return WrongMember("CHUNK_SIZE", "three integers");
  }
  for (size_t axis = 0; axis < 3; ++axis) {
    meta.chunk_size[axis] = chunk_size[axis];
  }
  CLEAVE_RETURN_IF_ERROR(ReadInteger(config.At(3), "FANOUT", meta.fanout));
  CLEAVE_RETURN_IF_ERROR(ReadInteger(config.At(4), "LAYER_ID_BITS", meta.layer_id_bits));
  CLEAVE_RETURN_IF_ERROR(ReadInteger(config.At(5), "SPATIAL_BITS", meta.spatial_bits));
  int64_t overwrite = 0;
  CLEAVE_RETURN_IF_ERROR(ReadInteger(config.At(6), "OVERWRITE", overwrite));
  meta.overwrite = overwrite != 0;
  CLEAVE_RETURN_IF_ERROR(ReadDuration(config.At(7), meta.root_lock_expiry));
  return ReadInteger(config.At(8), "ROOT_COUNTERS", meta.root_counters);
}

absl::Status ReadSource(const PickleValue& source, PickledMeta& meta) {
  if (source.kind != PickleKind::kObject || source.text != kSourceClass) {
    return WrongMember("data_source", "a DataSource");
  }
  CLEAVE_RETURN_IF_ERROR(ReadText(source.At(0), "EDGES", meta.edges));
  CLEAVE_RETURN_IF_ERROR(ReadText(source.At(1), "COMPONENTS", meta.components));
  CLEAVE_RETURN_IF_ERROR(ReadText(source.At(2), "WATERSHED", meta.watershed));
  CLEAVE_RETURN_IF_ERROR(ReadInteger(source.At(3), "DATA_VERSION", meta.data_version));
  return ReadInteger(source.At(4), "CV_MIP", meta.cv_mip);
}

}  // namespace

std::string EncodePickledMeta(const PickledMeta& meta) {
  const std::string config = Config(meta);
  const std::string source = Source(meta);
  return absl::StrCat("\x80\x04", NewObject("ChunkedGraphMeta", {config, source}), "}(", PickledText("graph_config"),
                      config, PickledText("data_source"), source, PickledText("custom_data"), "}", "ub.");
}

absl::StatusOr<PickledMeta> DecodePickledMeta(absl::string_view pickle) {
  CLEAVE_ASSIGN_OR_RETURN(const PickleTree tree, PickleTree::Parse(pickle));
  const PickleValue& root = tree.root();
  if (root.kind != PickleKind::kObject || root.text != kMetaClass) {
    return WrongMember("it", "a ChunkedGraphMeta");
  }
  const PickleValue* config = root.state == nullptr ? root.At(0) : root.state->Find("graph_config");
  const PickleValue* source = root.state == nullptr ? root.At(1) : root.state->Find("data_source");
  if (config == nullptr || source == nullptr) {
    return WrongMember("its state", "a dict with graph_config and data_source");
  }
  PickledMeta meta;
  CLEAVE_RETURN_IF_ERROR(ReadConfig(*config, meta));
  CLEAVE_RETURN_IF_ERROR(ReadSource(*source, meta));
  return meta;
}

}  // namespace cleave::table
