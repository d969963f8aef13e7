// Voxels: the segmentation as a plain precomputed folder, now and at a past time, and the versioned store as it lies.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "server/file_answer.h"
#include "server/service.h"
#include "server/store_file_answer.h"
#include "volume/plain_folder.h"

namespace cleave::server {
namespace {

absl::StatusOr<Response> PlainFileAnswer(const Request& request, const volume::Volume& segmentation,
                                         absl::string_view name) {
  const std::string key = WithoutDoubleSlashes(name);
  if (!HeaderOf(request, "if-none-match").empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<store::Generation> generation,
                            volume::PlainFileGeneration(segmentation, key));
    if (generation.has_value() && IsKnown(request, TagOf(*generation))) {
      return NotModified(TagOf(*generation));
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(std::optional<volume::PlainFile> file, volume::ReadPlainFile(segmentation, key));
  if (!file.has_value()) {
    return absl::NotFoundError(absl::StrCat("there is no file ", key));
  }
  Response response = FileResponse(request, std::move(file->bytes), TagOf(file->generation));
  if (key == "info" || absl::EndsWith(key, "/info")) {
    response.content_type = "application/json";
  }
  return response;
}

absl::StatusOr<Response> AnswerData(Service& service, const Call& call) {
  return PlainFileAnswer(call.request, service.dataset.segmentation(), call.parts[0]);
}

absl::StatusOr<Response> AnswerPastData(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, ParseMoment(call.parts[0]));
  CLEAVE_ASSIGN_OR_RETURN(const auto segmentation, service.past_volumes.At(time));
  return PlainFileAnswer(call.request, *segmentation, call.parts[1]);
}

absl::StatusOr<Response> AnswerForkFile(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const store::Store* files, service.dataset.ForkFiles());
  return StoreFileAnswer(call.request, {*files, service.limits}, call.parts[0]);
}

// Each dataset has a base of its own, so with several the path must name one.
absl::StatusOr<Response> AnswerOnlyBaseFile(Service& service, const Call& call) {
  if (service.datasets.size() > 1) {
    return absl::NotFoundError("several graphs are served here; the base of one is at /base/GRAPH/");
  }
  return StoreFileAnswer(call.request, {service.dataset.base_files(), service.limits}, call.parts[0]);
}

absl::StatusOr<Response> AnswerBaseFile(Service& service, const Call& call) {
  return StoreFileAnswer(call.request, {service.dataset.base_files(), service.limits}, call.parts[0]);
}

}  // namespace

std::vector<Route> DataRoutes() {
  return {{"GET", "/data/{graph}/at/{}/**", Right::kView, AnswerPastData},
          {"GET", "/data/{graph}/**", Right::kView, AnswerData},
          {"GET", "/ocdbt/base/**", Right::kView, AnswerOnlyBaseFile},
          {"GET", "/base/{graph}/**", Right::kView, AnswerBaseFile},
          {"GET", "/ocdbt/{graph}/**", Right::kView, AnswerForkFile}};
}

}  // namespace cleave::server
