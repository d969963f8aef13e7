// Goal: no request makes its readers crash, hang or say more than a line; what they take is within their limits.
// The input's first byte chooses how the rest is looked at: as a query, as a header, or as a body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/file_answer.h"
#include "server/http_coding.h"
#include "server/request_values.h"

namespace {

constexpr cleave::server::RequestLimits kLimits{.ids_max = 50, .points_max = 20};
constexpr size_t kMessageBytesMax = 2'000;

template <typename T>
void Expect(const absl::StatusOr<T>& value, size_t size, size_t size_max) {
  if (value.ok() ? size > size_max : value.status().message().size() > kMessageBytesMax) {
    std::abort();
  }
}

template <typename T>
void ExpectList(const absl::StatusOr<T>& list, size_t size_max) {
  Expect(list, list.ok() ? list->size() : 0, size_max);
}

void ReadBody(const cleave::server::Request& request) {
  using namespace cleave::server;
  ExpectList(IdsOf(request, "node_ids", kLimits), 50);
  ExpectList(BinaryIdsOf(request, kLimits), 50);
  ExpectList(PointsOf(request, {8, 8, 40}, kLimits), 20);
  Expect(OperationOf(request), 0, 0);
  (void)VoxelsWished(request);
  Expect(PreviewTokenOf(request), 0, 0);
  Expect(TextOf(request, "root_id"), 0, 0);
  const auto batch = BatchBodyOf(request);
  Expect(batch, batch.ok() ? batch->items.size() : 0, kBatchItemsMax);
  const auto split = SplitPointsOf(request, {8, 8, 40}, kLimits);
  Expect(split, split.ok() ? split->sources.size() + split->sinks.size() : 0, 40);
  for (const std::vector<MarkedPoint>& side : split.ok() ? split->more : std::vector<std::vector<MarkedPoint>>()) {
    Expect(split, side.size(), 20);
  }
  Expect(TwoPointsOf(request, {4, 4, 40}, kLimits), 0, 0);
}

void ReadQuery(cleave::server::Request& request, const std::string& text) {
  using namespace cleave::server;
  request.query = ParseQuery(text.substr(0, 1'000));
  ExpectList(OperationsOf(request, "operation_ids", kLimits), 50);
  Expect(TimestampOf(request), 0, 0);
  Expect(BoundsOf(request), 0, 0);
  Expect(StopLayerOf(request, 1, 5), 0, 0);
  Expect(ChebyshevDistanceOf(request), 0, 0);
  (void)FlagOf(request, "int64_as_str", false);
  Expect(ParseNodeId(text), 0, 0);
}

void ReadHeaders(cleave::server::Request& request, const std::string& text) {
  using namespace cleave::server;
  request.headers = {{"range", text}, {"if-none-match", text}, {"accept-encoding", text}};
  const Response response = FileResponse(request, "0123456789", "tag");
  if (response.code == 206 && response.body.empty()) {
    std::abort();
  }
  (void)IsKnown(request, "tag");
  (void)AcceptsGzip(text);
  if (const auto inflated = Inflate(text, 1'000); inflated.has_value() && inflated->size() > 1'000) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  cleave::server::Request request;
  switch (data[0] % 3) {
    case 0:
      request.body = text;
      ReadBody(request);
      break;
    case 1:
      ReadQuery(request, text);
      break;
    default:
      ReadHeaders(request, text);
  }
  return 0;
}
