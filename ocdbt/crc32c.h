// CRC-32C (Castagnoli), the checksum of every OCDBT object: reflected polynomial 0x82F63B78, initial value and final
// xor all ones, not masked. Crc32c("123456789") is 0xE3069283.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace cleave::ocdbt {

[[nodiscard]] uint32_t Crc32c(absl::string_view bytes);

namespace internal_crc32c {
// The version that needs no special instruction; for the test.
[[nodiscard]] uint32_t Portable(absl::string_view bytes);
}  // namespace internal_crc32c

}  // namespace cleave::ocdbt
