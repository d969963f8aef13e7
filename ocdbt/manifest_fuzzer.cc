// Any bytes, taken as the body of a manifest, are refused or decode to something that encodes to the same again. The
// envelope is put around them here, since no fuzzer guesses a checksum; the bytes as they are go in too.
#include <cstdint>
#include <cstdlib>

#include "ocdbt/envelope.h"
#include "ocdbt/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::ocdbt;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)DecodeManifest(bytes);
  (void)DecodeManifestConfig(bytes);
  const std::string object = EncodeEnvelope(ObjectKind::kManifest, bytes, {false, 0});
  (void)DecodeManifestConfig(object);
  const absl::StatusOr<Manifest> manifest = DecodeManifest(object);
  if (manifest.ok()) {
    const std::string encoded = EncodeManifest(*manifest);
    const absl::StatusOr<Manifest> again = DecodeManifest(encoded);
    if (!again.ok() || again->versions != manifest->versions || EncodeManifest(*again) != encoded) {
      std::abort();
    }
  }
  return 0;
}
