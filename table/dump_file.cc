#include "table/dump_file.h"

#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "base/status.h"

namespace cleave::table {
namespace {

using Json = nlohmann::json;

constexpr char kHeader[] = R"({"format":"cleave-table-dump","version":1})";
constexpr int kDumpCompressionLevel = 3;
constexpr size_t kMaxLineBytes = size_t{1} << 30;
constexpr int64_t kMaxTimeMs = int64_t{1} << 52;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

bool IsCompressed(const std::string& path) { return absl::EndsWith(path, ".zst"); }

absl::Status WrongLine(absl::string_view what) { return absl::DataLossError(what); }

absl::StatusOr<std::string> Bytes(const Json& json, absl::string_view what) {
  std::string bytes;
  if (!json.is_string() || !absl::Base64Unescape(json.get_ref<const std::string&>(), &bytes)) {
    return WrongLine(absl::StrCat(what, " is not base64"));
  }
  return bytes;
}

// Names are text; what is not UTF-8 in them is replaced, since JSON could not hold it.
std::string Quoted(const std::string& text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

absl::Status AddDumpCell(const Json& json, Row& row) {
  if (!json.is_array() || json.size() != 4 || !json[0].is_string() || !json[1].is_string() ||
      !json[2].is_number_integer()) {
    return WrongLine("a cell is not [family, qualifier, milliseconds, value]");
  }
  const auto time_ms = json[2].get<int64_t>();
  if (time_ms < -kMaxTimeMs || time_ms > kMaxTimeMs) {
    return WrongLine("a cell's time is out of range");
  }
  CLEAVE_ASSIGN_OR_RETURN(std::string value, Bytes(json[3], "a cell's value"));
  const Column column{json[0].get<std::string>(), json[1].get<std::string>()};
  if (column.family.empty()) {
    return WrongLine("a cell's family is empty");
  }
  row.cells[column].push_back({absl::FromUnixMillis(time_ms), std::move(value)});
  return absl::OkStatus();
}

}  // namespace

std::string EncodeDumpRow(const Row& row) {
  std::string line = absl::StrCat(R"({"row":")", absl::Base64Escape(row.key), R"(","cells":[)");
  bool first = true;
  for (const auto& [column, cells] : row.cells) {
    const std::string names = absl::StrCat("[", Quoted(column.family), ",", Quoted(column.qualifier), ",");
    for (const Cell& cell : cells) {
      absl::StrAppend(&line, first ? "" : ",", names, absl::ToUnixMillis(cell.time), ",\"",
                      absl::Base64Escape(cell.value), "\"]");
      first = false;
    }
  }
  return line + "]}";
}

absl::StatusOr<Row> DecodeDumpRow(absl::string_view line) {
  const Json json = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("row") || !json.contains("cells") || !json["cells"].is_array()) {
    return WrongLine("not a JSON object with 'row' and 'cells'");
  }
  Row row;
  CLEAVE_ASSIGN_OR_RETURN(row.key, Bytes(json["row"], "the row key"));
  if (row.key.empty()) {
    return WrongLine("the row key is empty");
  }
  for (const Json& cell : json["cells"]) {
    CLEAVE_RETURN_IF_ERROR(AddDumpCell(cell, row));
  }
  for (auto& [column, cells] : row.cells) {
    std::ranges::stable_sort(cells, std::greater<>(), &Cell::time);
  }
  return row;
}

// --- Writing ---

struct DumpWriter::State {
  std::string path;
  std::string temporary_path;
  File file;
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context{nullptr, ZSTD_freeCCtx};  // nullptr: not compressed

  absl::Status Failed(absl::string_view what) const {
    return absl::UnavailableError(absl::StrCat("cannot ", what, " ", temporary_path));
  }

  absl::Status WriteFile(absl::string_view bytes) const {
    return std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size() ? absl::OkStatus() : Failed("write");
  }

  absl::Status Write(absl::string_view bytes, ZSTD_EndDirective directive) const {
    if (context == nullptr) {
      return WriteFile(bytes);
    }
    std::string buffer(ZSTD_CStreamOutSize(), '\0');
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (size_t left = 1; left != 0 || in.pos < in.size;) {
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      left = ZSTD_compressStream2(context.get(), &out, &in, directive);
      if (ZSTD_isError(left) != 0) {
        return absl::InternalError(ZSTD_getErrorName(left));
      }
      CLEAVE_RETURN_IF_ERROR(WriteFile({buffer.data(), out.pos}));
      if (directive == ZSTD_e_continue && in.pos == in.size) {
        break;
      }
    }
    return absl::OkStatus();
  }
};

DumpWriter::DumpWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

DumpWriter::~DumpWriter() {
  if (state_->file != nullptr) {  // given up
    std::error_code error;
    std::filesystem::remove(state_->temporary_path, error);
  }
}

absl::StatusOr<std::unique_ptr<DumpWriter>> DumpWriter::Create(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->temporary_path = absl::StrCat(path, ".part");
  state->file.reset(std::fopen(state->temporary_path.c_str(), "wb"));
  if (state->file == nullptr) {
    return state->Failed("create");
  }
  if (IsCompressed(path)) {
    state->context.reset(ZSTD_createCCtx());
    ZSTD_CCtx_setParameter(state->context.get(), ZSTD_c_compressionLevel, kDumpCompressionLevel);
    ZSTD_CCtx_setParameter(state->context.get(), ZSTD_c_checksumFlag, 1);
  }
  CLEAVE_RETURN_IF_ERROR(state->Write(absl::StrCat(kHeader, "\n"), ZSTD_e_continue));
  return std::unique_ptr<DumpWriter>(new DumpWriter(std::move(state)));
}

absl::Status DumpWriter::Append(const Row& row) {
  return state_->Write(absl::StrCat(EncodeDumpRow(row), "\n"), ZSTD_e_continue);
}

absl::Status DumpWriter::Finish() {
  if (state_->context != nullptr) {
    CLEAVE_RETURN_IF_ERROR(state_->Write("", ZSTD_e_end));
  }
  if (std::fflush(state_->file.get()) != 0 || fsync(fileno(state_->file.get())) != 0) {
    return state_->Failed("write");
  }
  std::error_code error;
  std::filesystem::rename(state_->temporary_path, state_->path, error);
  if (error) {
    return state_->Failed("rename");
  }
  state_->file.reset();
  return absl::OkStatus();
}

// --- Reading ---

struct DumpReader::State {
  std::string path;
  File file;
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context{nullptr, ZSTD_freeDCtx};  // nullptr: not compressed
  std::string input;                                                                   // bytes of the file
  size_t input_used = 0;
  size_t frame_left = 1;  // 0: the frame is whole
  std::string text;       // what is read and not yet given out
  size_t text_used = 0;
  bool at_end = false;
  int64_t line = 0;

  absl::Status Damaged(absl::string_view why) const { return absl::DataLossError(absl::StrCat(path, ": ", why)); }

  absl::Status FillInput() {
    input.resize(size_t{1} << 17);
    input.resize(std::fread(input.data(), 1, input.size(), file.get()));
    input_used = 0;
    return std::ferror(file.get()) != 0 ? absl::UnavailableError(absl::StrCat("cannot read ", path)) : absl::OkStatus();
  }

  // Appends more text, or finds the end.
  absl::Status FillText() {
    text.erase(0, text_used);
    text_used = 0;
    if (input_used == input.size()) {
      CLEAVE_RETURN_IF_ERROR(FillInput());
    }
    if (input.empty()) {
      at_end = true;
      return context != nullptr && frame_left != 0 ? Damaged("the file is cut short") : absl::OkStatus();
    }
    if (context == nullptr) {
      text.append(input, input_used, std::string::npos);
      input_used = input.size();
      return absl::OkStatus();
    }
    const size_t done = text.size();
    text.resize(done + ZSTD_DStreamOutSize());
    ZSTD_inBuffer in{input.data(), input.size(), input_used};
    ZSTD_outBuffer out{text.data(), text.size(), done};
    frame_left = ZSTD_decompressStream(context.get(), &out, &in);
    text.resize(out.pos);
    input_used = in.pos;
    return ZSTD_isError(frame_left) != 0
               ? Damaged(absl::StrCat("its zstd frame is damaged: ", ZSTD_getErrorName(frame_left)))
               : absl::OkStatus();
  }

  // The next line without its end; nothing at the end of the file.
  absl::StatusOr<std::optional<std::string>> NextLine() {
    for (size_t searched = text_used;;) {
      if (const size_t end = text.find('\n', searched); end != std::string::npos) {
        std::string found = text.substr(text_used, end - text_used);
        text_used = end + 1;
        ++line;
        return std::optional(std::move(found));
      }
      if (at_end) {
        return text_used == text.size() ? absl::StatusOr<std::optional<std::string>>(std::nullopt)
                                        : Damaged("the file is cut short: its last line has no end");
      }
      searched = text.size() - text_used;  // FillText moves the rest to the front
      if (searched > kMaxLineBytes) {
        return Damaged(absl::StrCat("line ", line + 1, " is too long"));
      }
      CLEAVE_RETURN_IF_ERROR(FillText());
    }
  }
};

DumpReader::DumpReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
DumpReader::~DumpReader() = default;

absl::StatusOr<std::unique_ptr<DumpReader>> DumpReader::Open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->file.reset(std::fopen(path.c_str(), "rb"));
  if (state->file == nullptr) {
    return absl::NotFoundError(absl::StrCat("cannot open ", path));
  }
  if (IsCompressed(path)) {
    state->context.reset(ZSTD_createDCtx());
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<std::string> header, state->NextLine());
  const Json json = Json::parse(header.value_or(""), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("format", Json()) != "cleave-table-dump" || !json.contains("version")) {
    return state->Damaged("not a dump of a table: its first line is another");
  }
  if (json["version"] != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is a dump of version ", json["version"].dump(), ", this program reads version 1"));
  }
  return std::unique_ptr<DumpReader>(new DumpReader(std::move(state)));
}

absl::StatusOr<std::optional<Row>> DumpReader::Next() {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<std::string> line, state_->NextLine());
  if (!line.has_value()) {
    return std::optional<Row>();
  }
  absl::StatusOr<Row> row = DecodeDumpRow(*line);
  if (!row.ok()) {
    return Annotate(row.status(), absl::StrCat(state_->path, ", line ", state_->line));
  }
  return std::optional(*std::move(row));
}

}  // namespace cleave::table
