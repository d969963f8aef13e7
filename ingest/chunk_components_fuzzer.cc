// Feeds arbitrary bytes to the reader of component files; what it takes, it must write and read again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ingest/chunk_components.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave;
  const auto components = ingest::DecodeComponents({reinterpret_cast<const char*>(data), size});
  if (!components.ok()) {
    return 0;
  }
  const auto again = ingest::DecodeComponents(ingest::EncodeComponents(*components));
  if (!again.ok() || *again != *components) {
    std::abort();
  }
  const auto layout = graph::IdLayout::Create(BoxAt({}, {256, 256, 128}), {64, 64, 64});
  const auto lookup = ingest::ChunkComponents::Create(*layout, *components);
  for (const ingest::Component& component : *components) {
    if (lookup.ok() && !component.empty() && !lookup->Join(component.front(), component.back())) {
      std::abort();
    }
  }
  return 0;
}
