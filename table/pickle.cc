// How a pickle is read:
//   1. The bytes are a program for a stack machine. Each opcode pushes a value, or builds one from those on top.
//   2. Values are integers, texts, bytes, names of Python globals, and flat tuples of these.
//   3. REDUCE "calls" a global. Five are known, and each is carried out here: _codecs.encode (how protocol 2 writes
//      bytes), datetime.timedelta, datetime.timezone, pytz._UTC and datetime.datetime.
//   4. STOP ends the program with one value on the stack.
// Tuples hold no tuples and all counts are bounded, so a hostile pickle costs no more than its own length.
#include "table/pickle.h"

#include <array>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"

#include "base/status.h"

namespace cleave::table {
namespace {

constexpr size_t kMaxPickleBytes = 4096;
constexpr size_t kMaxStack = 64;
constexpr uint32_t kMaxMemo = 256;

enum class Kind { kInteger, kText, kBytes, kGlobal, kTuple, kTimeDelta, kTimeZone, kTime };

struct Value {
  Kind kind = Kind::kInteger;
  int64_t number = 0;        // integer; microseconds of a delta, of a zone's offset, of a time since 1970
  std::string text;          // text, bytes, or "module name" of a global
  std::vector<Value> items;  // of a tuple
};

absl::Status Damaged(absl::string_view why) { return absl::DataLossError(absl::StrCat("pickle: ", why)); }

absl::Status Refused(absl::string_view what) {
  return Damaged(absl::StrCat(what, " is neither an integer nor a datetime; other objects are not read"));
}

// The latin-1 bytes of a UTF-8 text.
absl::StatusOr<std::string> Latin1(absl::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<uint8_t>(text[i]);
    if (lead < 0x80) {
      bytes.push_back(text[i]);
    } else if ((lead == 0xC2 || lead == 0xC3) && i + 1 < text.size() && (text[i + 1] & 0xC0) == 0x80) {
      bytes.push_back(static_cast<char>((lead << 6) | (text[++i] & 0x3F)));
    } else {
      return Damaged("text is not latin-1");
    }
  }
  return bytes;
}

bool HasKinds(const Value& tuple, std::initializer_list<Kind> kinds) {
  if (tuple.items.size() != kinds.size()) {
    return false;
  }
  size_t i = 0;
  for (const Kind kind : kinds) {
    if (tuple.items[i++].kind != kind) {
      return false;
    }
  }
  return true;
}

absl::StatusOr<Value> CallEncode(const Value& arguments) {
  if (!HasKinds(arguments, {Kind::kText, Kind::kText}) || arguments.items[1].text != "latin1") {
    return Damaged("_codecs.encode has unexpected arguments");
  }
  CLEAVE_ASSIGN_OR_RETURN(std::string bytes, Latin1(arguments.items[0].text));
  return Value{Kind::kBytes, 0, std::move(bytes), {}};
}

absl::StatusOr<Value> CallTimeDelta(const Value& arguments) {
  if (!HasKinds(arguments, {Kind::kInteger, Kind::kInteger, Kind::kInteger})) {
    return Damaged("timedelta has unexpected arguments");
  }
  const int64_t days = arguments.items[0].number;
  const int64_t seconds = arguments.items[1].number;
  const int64_t microseconds = arguments.items[2].number;
  if (days < -1 || days > 1 || seconds < 0 || seconds >= 86400 || microseconds < 0 || microseconds >= 1000000) {
    return Damaged("timedelta is no offset of a time zone");
  }
  return Value{Kind::kTimeDelta, (days * 86400 + seconds) * 1000000 + microseconds, {}, {}};
}

absl::StatusOr<Value> CallTimeZone(const Value& arguments) {
  if (!HasKinds(arguments, {Kind::kTimeDelta}) && !HasKinds(arguments, {Kind::kTimeDelta, Kind::kText})) {
    return Damaged("timezone has unexpected arguments");
  }
  return Value{Kind::kTimeZone, arguments.items[0].number, {}, {}};
}

absl::StatusOr<Value> CallPytzUtc(const Value& arguments) {
  if (!arguments.items.empty()) {
    return Damaged("pytz._UTC has unexpected arguments");
  }
  return Value{Kind::kTimeZone, 0, {}, {}};
}

// A datetime is ten bytes: year (2, big-endian), month (its top bit is `fold`), day, hour, minute, second,
// microsecond (3, big-endian).
absl::StatusOr<Value> CallDateTime(const Value& arguments) {
  const bool has_zone = HasKinds(arguments, {Kind::kBytes, Kind::kTimeZone});
  if ((!has_zone && !HasKinds(arguments, {Kind::kBytes})) || arguments.items[0].text.size() != 10) {
    return Damaged("datetime has unexpected arguments");
  }
  std::array<int, 10> field;
  for (size_t i = 0; i < field.size(); ++i) {
    field[i] = static_cast<uint8_t>(arguments.items[0].text[i]);
  }
  const int year = field[0] << 8 | field[1];
  const int month = field[2] & 0x7F;
  const int microsecond = field[7] << 16 | field[8] << 8 | field[9];
  const absl::CivilSecond civil(year, month, field[3], field[4], field[5], field[6]);
  const bool is_normal = civil.month() == month && civil.day() == field[3] && civil.hour() == field[4] &&
                         civil.minute() == field[5] && civil.second() == field[6];
  if (year < 1 || year > 9999 || !is_normal || microsecond >= 1000000) {
    return Damaged("datetime has a field out of range");
  }
  const int64_t offset = has_zone ? arguments.items[1].number : 0;
  const int64_t since_epoch = absl::ToUnixMicros(absl::FromCivil(civil, absl::UTCTimeZone())) + microsecond;
  return Value{Kind::kTime, since_epoch - offset, {}, {}};
}

absl::StatusOr<Value> Call(absl::string_view global, const Value& arguments) {
  if (global == "datetime datetime") {
    return CallDateTime(arguments);
  }
  if (global == "datetime timedelta") {
    return CallTimeDelta(arguments);
  }
  if (global == "datetime timezone") {
    return CallTimeZone(arguments);
  }
  if (global == "pytz _UTC") {
    return CallPytzUtc(arguments);
  }
  if (global == "_codecs encode") {
    return CallEncode(arguments);
  }
  return Refused(absl::CHexEscape(global));
}

class Unpickler {
 public:
  explicit Unpickler(absl::string_view pickle) : rest_(pickle) {}

  absl::StatusOr<Value> Run() {
    if (rest_.size() > kMaxPickleBytes) {
      return Refused(absl::StrCat("a value of ", rest_.size(), " bytes"));
    }
    CLEAVE_RETURN_IF_ERROR(ReadProtocol());
    for (;;) {
      CLEAVE_ASSIGN_OR_RETURN(const absl::string_view code, Take(1));
      if (code[0] == '.') {
        break;
      }
      CLEAVE_RETURN_IF_ERROR(Step(static_cast<uint8_t>(code[0])));
      if (stack_.size() > kMaxStack) {
        return Damaged("its stack grows too high");
      }
    }
    if (stack_.size() != 1 || !rest_.empty()) {
      return Damaged("it does not end with one value");
    }
    return std::move(stack_.front());
  }

 private:
  absl::Status ReadProtocol() {
    CLEAVE_ASSIGN_OR_RETURN(const absl::string_view head, Take(2));
    if (head[0] != '\x80' || head[1] < 2 || head[1] > 5) {
      return Damaged("it does not begin as one of protocol 2 to 5");
    }
    return absl::OkStatus();
  }

  absl::Status Step(uint8_t code) {
    switch (code) {
      case 0x95:  // FRAME: a hint for reading ahead
        return Take(8).status();
      case 'K':
        return PushInteger(1, false);
      case 'M':
        return PushInteger(2, false);
      case 'J':
        return PushInteger(4, true);
      case 0x8A: {  // LONG1
        CLEAVE_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(1));
        return size <= 8 ? PushInteger(size, true) : Refused("an integer of more than 64 bits");
      }
      case 0x8C:
        return PushString(Kind::kText, 1);
      case 'X':
        return PushString(Kind::kText, 4);
      case 'C':
        return PushString(Kind::kBytes, 1);
      case 'B':
        return PushString(Kind::kBytes, 4);
      case 'c':
        return PushGlobal();
      case 0x93:
        return PushStackGlobal();
      case 0x94:
        return Memoize(next_memo_);
      case 'q':
      case 'r': {
        CLEAVE_ASSIGN_OR_RETURN(const uint64_t index, TakeNumber(code == 'q' ? 1 : 4));
        return Memoize(index);
      }
      case 'h':
      case 'j': {
        CLEAVE_ASSIGN_OR_RETURN(const uint64_t index, TakeNumber(code == 'h' ? 1 : 4));
        return PushMemo(index);
      }
      case ')':
        return PushTuple(0);
      case 0x85:
      case 0x86:
      case 0x87:
        return PushTuple(code - 0x84);
      case 'R':
        return Reduce();
      default:
        return Refused(absl::StrCat("what opcode 0x", absl::Hex(code), " builds"));
    }
  }

  absl::StatusOr<absl::string_view> Take(size_t size) {
    if (rest_.size() < size) {
      return Damaged("it is cut short");
    }
    const absl::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  // REQUIRES: size <= 8. Little-endian.
  absl::StatusOr<uint64_t> TakeNumber(size_t size) {
    CLEAVE_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(size));
    uint64_t number = 0;
    std::memcpy(&number, bytes.data(), size);
    return number;
  }

  absl::Status PushInteger(size_t size, bool is_signed) {
    CLEAVE_ASSIGN_OR_RETURN(uint64_t number, TakeNumber(size));
    if (is_signed && size > 0 && size < 8 && (number >> (8 * size - 1)) != 0) {
      number |= ~uint64_t{0} << (8 * size);
    }
    stack_.push_back({Kind::kInteger, static_cast<int64_t>(number), {}, {}});
    return absl::OkStatus();
  }

  absl::Status PushString(Kind kind, size_t length_bytes) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(length_bytes));
    CLEAVE_ASSIGN_OR_RETURN(const absl::string_view text, Take(size));
    stack_.push_back({kind, 0, std::string(text), {}});
    return absl::OkStatus();
  }

  absl::Status PushGlobal() {
    std::string lines[2];
    for (std::string& line : lines) {
      const size_t size = rest_.find('\n');
      if (size == absl::string_view::npos) {
        return Damaged("it is cut short");
      }
      line = std::string(rest_.substr(0, size));
      rest_.remove_prefix(size + 1);
    }
    stack_.push_back({Kind::kGlobal, 0, absl::StrCat(lines[0], " ", lines[1]), {}});
    return absl::OkStatus();
  }

  absl::Status PushStackGlobal() {
    if (stack_.size() < 2 || stack_.back().kind != Kind::kText || stack_[stack_.size() - 2].kind != Kind::kText) {
      return Damaged("a global has no name");
    }
    const std::string name = std::move(stack_.back().text);
    stack_.pop_back();
    stack_.back().kind = Kind::kGlobal;
    absl::StrAppend(&stack_.back().text, " ", name);
    return absl::OkStatus();
  }

  absl::Status PushTuple(size_t size) {
    if (stack_.size() < size) {
      return Damaged("a tuple lacks its items");
    }
    Value tuple{Kind::kTuple, 0, {}, {}};
    for (size_t i = stack_.size() - size; i < stack_.size(); ++i) {
      if (stack_[i].kind == Kind::kTuple) {
        return Refused("a tuple in a tuple");
      }
      tuple.items.push_back(std::move(stack_[i]));
    }
    stack_.resize(stack_.size() - size);
    stack_.push_back(std::move(tuple));
    return absl::OkStatus();
  }

  absl::Status Memoize(uint64_t index) {
    if (stack_.empty() || index >= kMaxMemo) {
      return Damaged("its memo is used wrongly");
    }
    memo_[index] = stack_.back();
    next_memo_ = index + 1;
    return absl::OkStatus();
  }

  absl::Status PushMemo(uint64_t index) {
    const auto it = memo_.find(index);
    if (it == memo_.end()) {
      return Damaged("its memo is used wrongly");
    }
    stack_.push_back(it->second);
    return absl::OkStatus();
  }

  absl::Status Reduce() {
    if (stack_.size() < 2 || stack_.back().kind != Kind::kTuple || stack_[stack_.size() - 2].kind != Kind::kGlobal) {
      return Damaged("a call lacks its function or arguments");
    }
    const Value arguments = std::move(stack_.back());
    stack_.pop_back();
    CLEAVE_ASSIGN_OR_RETURN(stack_.back(), Call(stack_.back().text, arguments));
    return absl::OkStatus();
  }

  absl::string_view rest_;
  std::vector<Value> stack_;
  std::map<uint64_t, Value> memo_;
  uint64_t next_memo_ = 0;
};

std::string LittleEndian(int64_t value, size_t size) {
  return std::string(reinterpret_cast<const char*>(&value), size);
}

// The shortest two's complement of `value`; Python's own rule.
std::string ShortestBytes(int64_t value) {
  size_t size = 8;
  while (size > 1 && value >> (8 * size - 9) == (value < 0 ? -1 : 0)) {
    --size;
  }
  return LittleEndian(value, size);
}

// Protocol 4 puts a frame around programs of four bytes or more.
std::string WithHead(absl::string_view program) {
  constexpr absl::string_view kProtocol4 = "\x80\x04";
  if (program.size() < 4) {
    return absl::StrCat(kProtocol4, program);
  }
  return absl::StrCat(kProtocol4, "\x95", LittleEndian(static_cast<int64_t>(program.size()), 8), program);
}

}  // namespace

std::string EncodePickledInteger(int64_t value) {
  if (value >= 0 && value <= 0xFF) {
    return WithHead(absl::StrCat("K", LittleEndian(value, 1), "."));
  }
  if (value >= 0 && value <= 0xFFFF) {
    return WithHead(absl::StrCat("M", LittleEndian(value, 2), "."));
  }
  if (value == static_cast<int32_t>(value)) {
    return WithHead(absl::StrCat("J", LittleEndian(value, 4), "."));
  }
  const std::string bytes = ShortestBytes(value);
  return WithHead(absl::StrCat("\x8A", LittleEndian(static_cast<int64_t>(bytes.size()), 1), bytes, "."));
}

absl::StatusOr<int64_t> DecodePickledInteger(absl::string_view pickle) {
  CLEAVE_ASSIGN_OR_RETURN(const Value value, Unpickler(pickle).Run());
  return value.kind == Kind::kInteger ? absl::StatusOr<int64_t>(value.number) : Damaged("it holds no integer");
}

absl::StatusOr<std::string> EncodePickledTime(absl::Time time) {
  const absl::CivilSecond civil = absl::ToCivilSecond(time, absl::UTCTimeZone());
  if (civil.year() < 1 || civil.year() > 9999) {
    return absl::InvalidArgumentError(absl::StrCat("a Python datetime cannot hold ", absl::FormatTime(time)));
  }
  const int64_t microsecond = absl::ToInt64Microseconds(time - absl::FromCivil(civil, absl::UTCTimeZone()));
  const auto year = static_cast<int64_t>(civil.year());
  std::string fields;
  for (const int64_t field : {year >> 8, year & 0xFF, int64_t{civil.month()}, int64_t{civil.day()},
                              int64_t{civil.hour()}, int64_t{civil.minute()}, int64_t{civil.second()},
                              microsecond >> 16, microsecond >> 8 & 0xFF, microsecond & 0xFF}) {
    fields.push_back(static_cast<char>(field));
  }
  // datetime.datetime(fields, datetime.timezone(datetime.timedelta(0, 0, 0))), with \x94 (MEMOIZE) after each part.
  constexpr absl::string_view kDateTime =
      "\x8C\x08"
      "datetime\x94\x8C\x08"
      "datetime\x94\x93\x94"
      "C\x0A";
  constexpr char kUtc[] =
      "\x94h\x00\x8C\x08timezone\x94\x93\x94h\x00\x8C\x09timedelta\x94\x93\x94"
      "K\x00K\x00K\x00\x87\x94R\x94\x85\x94R\x94\x86\x94R\x94.";
  return WithHead(absl::StrCat(kDateTime, fields, absl::string_view(kUtc, sizeof(kUtc) - 1)));
}

absl::StatusOr<absl::Time> DecodePickledTime(absl::string_view pickle) {
  CLEAVE_ASSIGN_OR_RETURN(const Value value, Unpickler(pickle).Run());
  return value.kind == Kind::kTime ? absl::StatusOr<absl::Time>(absl::FromUnixMicros(value.number))
                                   : Damaged("it holds no datetime");
}

}  // namespace cleave::table
