#include "cli/batch_file.h"

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "cut/graph_cut.h"

namespace cleave::cli {
namespace {

using nlohmann::json;

constexpr int64_t kDistanceMaxChunks = 3;

absl::Status Wrong(const std::string& member, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat("'", member, "' is not ", expected));
}

// One JSON object, read member by member.
class Members {
 public:
  explicit Members(const json& object) : object_(object) {}

  // Of all members; those not listed are refused.
  absl::Status Know(std::initializer_list<absl::string_view> known) const {
    for (const auto& [name, value] : object_.items()) {
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        return absl::InvalidArgumentError(absl::StrCat("there is no member '", name, "'"));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Flag(const std::string& name, bool otherwise) const {
    const json* value = Find(name);
    if (value != nullptr && !value->is_boolean()) {
      return Wrong(name, "true or false");
    }
    return value == nullptr ? otherwise : value->get<bool>();
  }

  absl::StatusOr<std::string> Text(const std::string& name, const std::string& otherwise) const {
    const json* value = Find(name);
    if (value != nullptr && !value->is_string()) {
      return Wrong(name, "a text");
    }
    return value == nullptr ? otherwise : value->get<std::string>();
  }

  absl::StatusOr<int64_t> Integer(const std::string& name, int64_t otherwise) const {
    const json* value = Find(name);
    if (value != nullptr && !value->is_number_integer()) {
      return Wrong(name, "a whole number");
    }
    return value == nullptr ? otherwise : value->get<int64_t>();
  }

  absl::StatusOr<std::optional<VoxelPoint>> Point(const std::string& name) const {
    const json* value = Find(name);
    if (value == nullptr) {
      return std::nullopt;
    }
    CLEAVE_ASSIGN_OR_RETURN(const VoxelPoint point, PointOf(name, *value));
    return point;
  }

  absl::StatusOr<std::vector<VoxelPoint>> Points(const std::string& name) const {
    return List<VoxelPoint>(name, "a list of points", [&](const json& value) { return PointOf(name, value); });
  }

  absl::StatusOr<std::vector<std::vector<VoxelPoint>>> PointLists(const std::string& name) const {
    return List<std::vector<VoxelPoint>>(name, "a list of lists of points",
                                         [&](const json& value) -> absl::StatusOr<std::vector<VoxelPoint>> {
                                           if (!value.is_array()) {
                                             return Wrong(name, "a list of lists of points");
                                           }
                                           std::vector<VoxelPoint> points;
                                           for (const json& element : value) {
                                             CLEAVE_ASSIGN_OR_RETURN(const VoxelPoint point, PointOf(name, element));
                                             points.push_back(point);
                                           }
                                           return points;
                                         });
  }

  // {"side": 1, "box": [[x, y, z], [x, y, z]]}: the first voxel, and one past the last.
  absl::StatusOr<std::vector<edit::PaintedBox>> PaintedBoxes(const std::string& name) const {
    constexpr absl::string_view kExpected = "a list of {\"side\": 1 to 64, \"box\": [[x, y, z], [x, y, z]]}";
    return List<edit::PaintedBox>(name, kExpected, [&](const json& value) -> absl::StatusOr<edit::PaintedBox> {
      const bool fits = value.is_object() && value.size() == 2 && value.contains("side") && value.contains("box") &&
                        value["side"].is_number_integer() && value["box"].is_array() && value["box"].size() == 2;
      if (!fits || value["side"] < 1 || value["side"] > cut::kTeamsMax) {
        return Wrong(name, kExpected);
      }
      CLEAVE_ASSIGN_OR_RETURN(const VoxelPoint lo, PointOf(name, value["box"][0]));
      CLEAVE_ASSIGN_OR_RETURN(const VoxelPoint hi, PointOf(name, value["box"][1]));
      return edit::PaintedBox{{lo, hi}, value["side"].get<uint8_t>()};
    });
  }

  absl::StatusOr<std::vector<graph::EdgeEnds>> Edges(const std::string& name) const {
    return List<graph::EdgeEnds>(name, "a list of edges", [&](const json& value) -> absl::StatusOr<graph::EdgeEnds> {
      if (!value.is_array() || value.size() != 2) {
        return Wrong(name, "a list of pairs of supervoxel ids");
      }
      CLEAVE_ASSIGN_OR_RETURN(const graph::NodeId a, IdOf(name, value[0]));
      CLEAVE_ASSIGN_OR_RETURN(const graph::NodeId b, IdOf(name, value[1]));
      return graph::EdgeEnds{a, b};
    });
  }

  absl::StatusOr<std::vector<float>> Floats(const std::string& name) const {
    return List<float>(name, "a list of numbers", [&](const json& value) -> absl::StatusOr<float> {
      if (!value.is_number()) {
        return Wrong(name, "a list of numbers");
      }
      return value.get<float>();
    });
  }

 private:
  const json* Find(const std::string& name) const {
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  template <typename T, typename Convert>
  absl::StatusOr<std::vector<T>> List(const std::string& name, absl::string_view expected, Convert convert) const {
    std::vector<T> list;
    const json* value = Find(name);
    if (value != nullptr && !value->is_array()) {
      return Wrong(name, expected);
    }
    for (size_t i = 0; value != nullptr && i < value->size(); ++i) {
      CLEAVE_ASSIGN_OR_RETURN(T element, convert((*value)[i]));
      list.push_back(std::move(element));
    }
    return list;
  }

  static absl::StatusOr<VoxelPoint> PointOf(const std::string& name, const json& value) {
    const bool fits = value.is_array() && value.size() == 3 &&
                      std::all_of(value.begin(), value.end(), [](const json& c) { return c.is_number_integer(); });
    if (!fits) {
      return Wrong(name, "a point [x, y, z] of three whole numbers");
    }
    return ParsePoint(absl::StrCat(value[0].dump(), ",", value[1].dump(), ",", value[2].dump()));
  }

  static absl::StatusOr<graph::NodeId> IdOf(const std::string& name, const json& value) {
    if (value.is_number_unsigned()) {
      return graph::NodeId{value.get<uint64_t>()};
    }
    if (!value.is_string()) {
      return Wrong(name, "a list of pairs of supervoxel ids");
    }
    return ParseNodeId(value.get<std::string>());
  }

  const json& object_;
};

absl::StatusOr<edit::EditTerms> TermsOf(const Members& item) {
  edit::EditTerms terms;
  CLEAVE_ASSIGN_OR_RETURN(terms.key, item.Text("key", ""));
  CLEAVE_ASSIGN_OR_RETURN(terms.override_protection, item.Flag("override", false));
  return terms;
}

absl::StatusOr<edit::BatchItem> MergeOf(const Members& item, const std::string& user) {
  CLEAVE_RETURN_IF_ERROR(item.Know({"kind", "source", "sink", "edges", "affinities", "allow_same_segment",
                                    "max_distance", "user", "key", "override"}));
  edit::MergeRequest request;
  CLEAVE_ASSIGN_OR_RETURN(request.source, item.Point("source"));
  CLEAVE_ASSIGN_OR_RETURN(request.sink, item.Point("sink"));
  CLEAVE_ASSIGN_OR_RETURN(request.edges, item.Edges("edges"));
  CLEAVE_ASSIGN_OR_RETURN(request.affinities, item.Floats("affinities"));
  CLEAVE_ASSIGN_OR_RETURN(request.allow_same_segment_merge, item.Flag("allow_same_segment", false));
  CLEAVE_ASSIGN_OR_RETURN(const int64_t distance, item.Integer("max_distance", kDistanceMaxChunks));
  if (distance >= 0) {
    request.chebyshev_distance_max_chunks = distance;
  }
  CLEAVE_ASSIGN_OR_RETURN(request.user, item.Text("user", user));
  CLEAVE_ASSIGN_OR_RETURN(request.terms, TermsOf(item));
  return request;
}

absl::StatusOr<edit::BatchItem> SplitOf(const Members& item, const std::string& user) {
  CLEAVE_RETURN_IF_ERROR(item.Know({"kind", "sources", "sinks", "more_sides", "paint_boxes", "edges", "augment",
                                    "allow_isolating", "user", "key", "override"}));
  edit::SplitRequest request;
  CLEAVE_ASSIGN_OR_RETURN(request.sources, item.Points("sources"));
  CLEAVE_ASSIGN_OR_RETURN(request.sinks, item.Points("sinks"));
  CLEAVE_ASSIGN_OR_RETURN(request.more_sides, item.PointLists("more_sides"));
  CLEAVE_ASSIGN_OR_RETURN(request.paint.boxes, item.PaintedBoxes("paint_boxes"));
  CLEAVE_ASSIGN_OR_RETURN(request.edges, item.Edges("edges"));
  CLEAVE_ASSIGN_OR_RETURN(request.augment_paths, item.Flag("augment", true));
  CLEAVE_ASSIGN_OR_RETURN(const bool allow_isolating, item.Flag("allow_isolating", false));
  request.refuse_isolating_cut = !allow_isolating;
  CLEAVE_ASSIGN_OR_RETURN(request.user, item.Text("user", user));
  CLEAVE_ASSIGN_OR_RETURN(request.terms, TermsOf(item));
  return request;
}

template <typename Request>
absl::StatusOr<edit::BatchItem> InverseOf(const Members& item, const std::string& user) {
  constexpr bool kIsUndo = std::is_same_v<Request, edit::UndoRequest>;
  CLEAVE_RETURN_IF_ERROR(kIsUndo ? item.Know({"kind", "operation", "voxels", "user", "key", "override"})
                                 : item.Know({"kind", "operation", "user", "key", "override"}));
  Request request;
  CLEAVE_ASSIGN_OR_RETURN(request.voxels, item.Flag("voxels", false));
  CLEAVE_ASSIGN_OR_RETURN(const int64_t number, item.Integer("operation", 0));
  CLEAVE_ASSIGN_OR_RETURN(request.operation, Named("'operation'", ParseOperation(absl::StrCat(number))));
  CLEAVE_ASSIGN_OR_RETURN(request.user, item.Text("user", user));
  CLEAVE_ASSIGN_OR_RETURN(request.terms, TermsOf(item));
  return request;
}

absl::StatusOr<edit::BatchItem> ItemOf(const json& value, const std::string& user) {
  if (!value.is_object()) {
    return absl::InvalidArgumentError("it is no JSON object");
  }
  const Members item(value);
  CLEAVE_ASSIGN_OR_RETURN(const std::string kind, item.Text("kind", ""));
  if (kind == "merge") {
    return MergeOf(item, user);
  }
  if (kind == "split") {
    return SplitOf(item, user);
  }
  if (kind == "undo") {
    return InverseOf<edit::UndoRequest>(item, user);
  }
  if (kind == "redo") {
    return InverseOf<edit::RedoRequest>(item, user);
  }
  return Wrong("kind", "'merge', 'split', 'undo' or 'redo'");
}

}  // namespace

absl::StatusOr<std::string> ReadBatchFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) {
    return absl::NotFoundError(absl::StrCat("there is no readable file '", path, "'"));
  }
  return content;
}

absl::StatusOr<edit::BatchRequest> ParseBatch(absl::string_view text, const std::string& user) {
  const json value = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) {
    return absl::InvalidArgumentError("the batch is not a JSON object");
  }
  const Members batch(value);
  CLEAVE_RETURN_IF_ERROR(batch.Know({"items", "whole", "key", "user"}));
  edit::BatchRequest request;
  CLEAVE_ASSIGN_OR_RETURN(request.as_a_whole, batch.Flag("whole", false));
  CLEAVE_ASSIGN_OR_RETURN(request.key, batch.Text("key", ""));
  CLEAVE_ASSIGN_OR_RETURN(const std::string who, batch.Text("user", user));
  const auto items = value.find("items");
  if (items == value.end() || !items->is_array() || items->empty()) {
    return Wrong("items", "a list of at least one edit");
  }
  for (size_t i = 0; i < items->size(); ++i) {
    absl::StatusOr<edit::BatchItem> item = ItemOf((*items)[i], who);
    if (!item.ok()) {
      return Annotate(item.status(), absl::StrCat("item ", i));
    }
    request.items.push_back(*std::move(item));
  }
  return request;
}

}  // namespace cleave::cli
