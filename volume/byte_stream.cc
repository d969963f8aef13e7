#include "volume/byte_stream.h"

#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::volume {
namespace {

constexpr absl::string_view kZstdMagic("\x28\xb5\x2f\xfd", 4);

class FileStream : public ByteStream {
 public:
  FileStream(std::FILE* file, std::string path) : file_(file), path_(std::move(path)) {}
  ~FileStream() override { std::fclose(file_); }
  FileStream(const FileStream&) = delete;
  FileStream& operator=(const FileStream&) = delete;

  absl::StatusOr<int64_t> Read(char* out, int64_t size) override {
    const size_t count = std::fread(out, 1, static_cast<size_t>(size), file_);
    if (std::ferror(file_) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("reading ", path_));
    }
    return static_cast<int64_t>(count);
  }

 private:
  std::FILE* file_;
  std::string path_;
};

class MemoryStream : public ByteStream {
 public:
  explicit MemoryStream(absl::string_view bytes) : rest_(bytes) {}

  absl::StatusOr<int64_t> Read(char* out, int64_t size) override {
    const size_t count = std::min(static_cast<size_t>(size), rest_.size());
    std::memcpy(out, rest_.data(), count);
    rest_.remove_prefix(count);
    return static_cast<int64_t>(count);
  }

 private:
  absl::string_view rest_;
};

// Gives `head` again, which was read to see what the stream holds, and then the rest of the stream.
class RewoundStream : public ByteStream {
 public:
  RewoundStream(std::string head, std::unique_ptr<ByteStream> rest)
      : head_(std::move(head)), head_stream_(head_), rest_(std::move(rest)) {}

  absl::StatusOr<int64_t> Read(char* out, int64_t size) override {
    CLEAVE_ASSIGN_OR_RETURN(const int64_t from_head, head_stream_.Read(out, size));
    CLEAVE_ASSIGN_OR_RETURN(const int64_t from_rest, rest_->Read(out + from_head, size - from_head));
    return from_head + from_rest;
  }

 private:
  std::string head_;
  MemoryStream head_stream_;
  std::unique_ptr<ByteStream> rest_;
};

class ZstdStream : public ByteStream {
 public:
  explicit ZstdStream(std::unique_ptr<ByteStream> source)
      : source_(std::move(source)), context_(ZSTD_createDStream()), compressed_(ZSTD_DStreamInSize()) {}
  ~ZstdStream() override { ZSTD_freeDStream(context_); }
  ZstdStream(const ZstdStream&) = delete;
  ZstdStream& operator=(const ZstdStream&) = delete;

  absl::StatusOr<int64_t> Read(char* out, int64_t size) override {
    ZSTD_outBuffer output{out, static_cast<size_t>(size), 0};
    while (output.pos < output.size) {
      if (input_.pos == input_.size) {
        CLEAVE_ASSIGN_OR_RETURN(const int64_t count,
                                source_->Read(compressed_.data(), static_cast<int64_t>(compressed_.size())));
        input_ = {compressed_.data(), static_cast<size_t>(count), 0};
      }
      const size_t output_before = output.pos;
      const bool is_source_at_end = input_.size == 0;
      const size_t hint = ZSTD_decompressStream(context_, &output, &input_);
      if (ZSTD_isError(hint) != 0) {
        return absl::DataLossError(absl::StrCat("zstd: ", ZSTD_getErrorName(hint)));
      }
      if (is_source_at_end && output.pos == output_before) {
        if (!is_frame_complete_) {
          return absl::DataLossError("zstd: the compressed data ends early");
        }
        break;
      }
      is_frame_complete_ = hint == 0 || (is_source_at_end && is_frame_complete_);
    }
    return static_cast<int64_t>(output.pos);
  }

 private:
  std::unique_ptr<ByteStream> source_;
  ZSTD_DStream* context_;
  std::vector<char> compressed_;
  ZSTD_inBuffer input_{nullptr, 0, 0};
  bool is_frame_complete_ = false;  // the last byte taken from the source ended a frame, and all of it was given out
};

absl::StatusOr<std::unique_ptr<ByteStream>> Decompressed(std::unique_ptr<ByteStream> stream) {
  std::string head(kZstdMagic.size(), '\0');
  CLEAVE_ASSIGN_OR_RETURN(const int64_t count, stream->Read(head.data(), static_cast<int64_t>(head.size())));
  head.resize(static_cast<size_t>(count));
  const bool is_zstd = head == kZstdMagic;
  auto rewound = std::make_unique<RewoundStream>(std::move(head), std::move(stream));
  if (!is_zstd) {
    return rewound;
  }
  return std::make_unique<ZstdStream>(std::move(rewound));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> OpenFileStream(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("opening ", path));
  }
  return Decompressed(std::make_unique<FileStream>(file, path));
}

absl::StatusOr<std::unique_ptr<ByteStream>> MakeMemoryStream(absl::string_view bytes) {
  return Decompressed(std::make_unique<MemoryStream>(bytes));
}

}  // namespace cleave::volume
