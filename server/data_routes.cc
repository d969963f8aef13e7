// Voxels: the segmentation as a plain precomputed folder, now and at a past time, and the versioned store as it lies.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "server/file_answer.h"
#include "server/service.h"
#include "volume/plain_folder.h"

namespace cleave::server {
namespace {

absl::Status NoFile(absl::string_view key) { return absl::NotFoundError(absl::StrCat("there is no file ", key)); }

// Viewers put slashes together that belong to two parts of a URL.
std::string WithoutDoubleSlashes(absl::string_view key) {
  return absl::StrJoin(absl::StrSplit(key, '/', absl::SkipEmpty()), "/");
}

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
    return NoFile(key);
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

constexpr uint64_t kOffsetMax = uint64_t{1} << 62;

// Files of a store, which may be large.
struct Files {
  const store::Store& store;
  const RequestLimits& limits;

  [[nodiscard]] uint64_t bytes_max() const { return static_cast<uint64_t>(limits.file_bytes_max); }
  [[nodiscard]] absl::Status TooLarge(absl::string_view what) const {
    return LimitError(absl::StrCat(what, " has more bytes than one answer holds"), limits.file_bytes_max,
                      "file-mib-max", "ask for a smaller part, with Range");
  }
};

// A part of a file that may be large: no more than the part is read. The file's size is told where that shows it.
absl::StatusOr<Response> RawPart(const Files& files, const std::string& key, uint64_t begin,
                                 std::optional<uint64_t> end) {
  // A byte beyond what is allowed shows that there is more.
  const uint64_t end_read = std::min(end.value_or(UINT64_MAX), std::min(begin, kOffsetMax) + files.bytes_max() + 1);
  absl::StatusOr<store::ReadResult> read =
      files.store.Read(key, {.range = {.begin = begin, .end = std::max(begin, end_read)}});
  const bool is_beyond =
      absl::IsOutOfRange(read.status()) || (read.ok() && read->value.has_value() && read->value->empty());
  if (is_beyond) {
    return ErrorResponse(416, absl::StrCat("the range begins beyond the end of ", key), 0);
  }
  CLEAVE_RETURN_IF_ERROR(read.status());
  if (!read->value.has_value()) {
    return NoFile(key);
  }
  const uint64_t size = read->value->size();
  if (size > files.bytes_max()) {
    return files.TooLarge(absl::StrCat(key, " from byte ", begin, " on"));
  }
  const bool is_last = !end.has_value() || size < *end - begin;
  Response response;
  response.code = 206;
  response.content_type = "application/octet-stream";
  response.cache_control = kNoCache;
  response.headers = {{"ETag", absl::StrCat("\"", TagOf(read->generation), "\"")},
                      {"Accept-Ranges", "bytes"},
                      {"Content-Range", absl::StrCat("bytes ", begin, "-", begin + size - 1, "/",
                                                     is_last ? absl::StrCat(begin + size) : std::string("*"))}};
  response.body = *std::move(read->value);
  return response;
}

absl::StatusOr<Response> RawFileAnswer(const Request& request, const Files& files, absl::string_view name) {
  const std::string key = WithoutDoubleSlashes(name);
  CLEAVE_RETURN_IF_ERROR(store::ValidateKey(key));
  if (!HeaderOf(request, "if-none-match").empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, files.store.Read(key, {.range = {.begin = 0, .end = 0}}));
    if (read.value.has_value() && IsKnown(request, TagOf(read.generation))) {
      return NotModified(TagOf(read.generation));
    }
  }
  const std::optional<RangeWish> range = RangeOf(request);
  if (range.has_value() && range->begin.has_value()) {
    return RawPart(files, key, *range->begin, range->end);
  }
  CLEAVE_ASSIGN_OR_RETURN(store::ReadResult read,
                          files.store.Read(key, {.range = {.begin = 0, .end = files.bytes_max() + 1}}));
  if (!read.value.has_value()) {
    return NoFile(key);
  }
  if (read.value->size() > files.bytes_max()) {
    return files.TooLarge(key);
  }
  Response response = FileResponse(request, *std::move(read.value), TagOf(read.generation));
  response.may_compress = false;  // it is already
  return response;
}

absl::StatusOr<Response> AnswerForkFile(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const store::Store* files, service.dataset.ForkFiles());
  return RawFileAnswer(call.request, {*files, service.limits}, call.parts[0]);
}

// Each dataset has a base of its own, so with several the path must name one.
absl::StatusOr<Response> AnswerOnlyBaseFile(Service& service, const Call& call) {
  if (service.datasets.size() > 1) {
    return absl::NotFoundError("several graphs are served here; the base of one is at /base/GRAPH/");
  }
  return RawFileAnswer(call.request, {service.dataset.base_files(), service.limits}, call.parts[0]);
}

absl::StatusOr<Response> AnswerBaseFile(Service& service, const Call& call) {
  return RawFileAnswer(call.request, {service.dataset.base_files(), service.limits}, call.parts[0]);
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
