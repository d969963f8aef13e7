// How a pickle is read: its bytes are a program for a stack machine.
//   1. Most opcodes push a value, or build one from those on top. MARK remembers a height of the stack; opcodes that
//      take "all since the mark" go back to it.
//   2. The memo keeps values by number, so that one value can stand in several places.
//   3. REDUCE and NEWOBJ make an object node from a class and arguments, BUILD gives it its state. Nothing is run.
// Every opcode makes at most one value, and values are shared, never copied: a pickle costs no more than its length.
#include "table/pickle_tree.h"

#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::table {

namespace {

constexpr size_t kMaxTreeBytes = size_t{16} << 20;

absl::Status DamagedTree(absl::string_view why) { return absl::DataLossError(absl::StrCat("pickle: ", why)); }

}  // namespace

const PickleValue* PickleValue::Find(absl::string_view key) const {
  if (kind != PickleKind::kDict) {
    return nullptr;
  }
  const PickleValue* found = nullptr;  // a later entry replaces an earlier one
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i]->kind == PickleKind::kText && items[i]->text == key) {
      found = items[i + 1];
    }
  }
  return found;
}

class PickleReader {
 public:
  explicit PickleReader(absl::string_view pickle) : rest_(pickle) {}

  absl::StatusOr<PickleTree> Run() {
    if (rest_.size() > kMaxTreeBytes) {
      return DamagedTree(absl::StrCat("of ", rest_.size(), " bytes is too large"));
    }
    CLEAVE_ASSIGN_OR_RETURN(const absl::string_view head, Take(2));
    if (head[0] != '\x80' || head[1] < 2 || head[1] > 5) {
      return DamagedTree("it does not begin as one of protocol 2 to 5");
    }
    for (;;) {
      CLEAVE_ASSIGN_OR_RETURN(const absl::string_view code, Take(1));
      if (code[0] == '.') {
        break;
      }
      CLEAVE_RETURN_IF_ERROR(Step(static_cast<uint8_t>(code[0])));
    }
    if (stack_.size() != 1 || !rest_.empty() || !marks_.empty()) {
      return DamagedTree("it does not end with one value");
    }
    tree_.root_ = stack_.front();
    tree_.uses_memo_ = !memo_.empty();
    for (const auto& [index, value] : memo_) {
      if (index <= UINT32_MAX) {
        value->memo = static_cast<uint32_t>(index);
      }
    }
    return std::move(tree_);
  }

 private:
  absl::Status Step(uint8_t code) {
    switch (code) {
      case 0x95:  // FRAME: a hint for reading ahead
        return Take(8).status();
      case 0x98:  // READONLY_BUFFER: of the bytes on top
        return absl::OkStatus();
      case 'N':
        return Push({.kind = PickleKind::kNone});
      case 0x88:
      case 0x89:
        return Push({.kind = PickleKind::kBool, .integer = code == 0x88 ? 1 : 0});
      case 'K':
        return PushInteger(1, false);
      case 'M':
        return PushInteger(2, false);
      case 'J':
        return PushInteger(4, true);
      case 0x8A: {  // LONG1
        CLEAVE_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(1));
        return size <= 8 ? PushInteger(size, true) : DamagedTree("it has an integer of more than 64 bits");
      }
      case 'G':
        return PushFloat();
      default:
        return StepString(code);
    }
  }

  absl::Status StepString(uint8_t code) {
    switch (code) {
      case 0x8C:
        return PushString(PickleKind::kText, 1);
      case 'X':
        return PushString(PickleKind::kText, 4);
      case 'C':
      case 'U':
        return PushString(PickleKind::kBytes, 1);
      case 'B':
      case 'T':
        return PushString(PickleKind::kBytes, 4);
      case 0x8D:  // BINUNICODE8
        return PushString(PickleKind::kText, 8);
      case 0x8E:  // BINBYTES8
      case 0x96:  // BYTEARRAY8
        return PushString(PickleKind::kBytes, 8);
      case 'c':
        return PushGlobal();
      case 0x93:
        return PushStackGlobal();
      default:
        return StepMemo(code);
    }
  }

  absl::Status StepMemo(uint8_t code) {
    switch (code) {
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
        const auto it = memo_.find(index);
        if (it == memo_.end()) {
          return DamagedTree("its memo is used wrongly");
        }
        stack_.push_back(it->second);
        return absl::OkStatus();
      }
      case '(':
        marks_.push_back(stack_.size());
        return absl::OkStatus();
      case '0':
        return Pop().status();
      case '1':
        return PopToMark().status();
      default:
        return StepCollection(code);
    }
  }

  absl::Status StepCollection(uint8_t code) {
    switch (code) {
      case ')':
      case ']':
      case 0x8F:  // EMPTY_SET
        return Push({.kind = PickleKind::kSequence});
      case '}':
        return Push({.kind = PickleKind::kDict});
      case 0x85:
      case 0x86:
      case 0x87:
        return PushTuple(code - 0x84);
      case 't':
      case 0x91: {  // FROZENSET
        CLEAVE_ASSIGN_OR_RETURN(std::vector<const PickleValue*> items, PopToMark());
        return Push({.kind = PickleKind::kSequence, .items = std::move(items)});
      }
      case 'a':
        return Extend(PickleKind::kSequence, 1);
      case 's':
        return Extend(PickleKind::kDict, 2);
      case 'e':
      case 0x90:  // ADDITEMS
        return ExtendFromMark(PickleKind::kSequence);
      case 'u':
        return ExtendFromMark(PickleKind::kDict);
      case 'R':
      case 0x81:  // NEWOBJ
        return PushObject();
      case 0x92:  // NEWOBJ_EX: keyword arguments are let go
        CLEAVE_RETURN_IF_ERROR(Pop().status());
        return PushObject();
      case 'b':
        return Build();
      default:
        return DamagedTree(absl::StrCat("opcode 0x", absl::Hex(code), " is not read"));
    }
  }

  absl::StatusOr<absl::string_view> Take(size_t size) {
    if (rest_.size() < size) {
      return DamagedTree("it is cut short");
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

  absl::Status Push(PickleValue value) {
    tree_.values_.push_back(std::make_unique<PickleValue>(std::move(value)));
    stack_.push_back(tree_.values_.back().get());
    return absl::OkStatus();
  }

  absl::Status PushInteger(size_t size, bool is_signed) {
    CLEAVE_ASSIGN_OR_RETURN(uint64_t number, TakeNumber(size));
    if (is_signed && size > 0 && size < 8 && (number >> (8 * size - 1)) != 0) {
      number |= ~uint64_t{0} << (8 * size);
    }
    return Push({.kind = PickleKind::kInteger, .integer = static_cast<int64_t>(number)});
  }

  absl::Status PushFloat() {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t big_endian, TakeNumber(8));
    const uint64_t bits = __builtin_bswap64(big_endian);
    PickleValue value{.kind = PickleKind::kFloat};
    std::memcpy(&value.number, &bits, sizeof(bits));
    return Push(std::move(value));
  }

  absl::Status PushString(PickleKind kind, size_t length_bytes) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(length_bytes));
    CLEAVE_ASSIGN_OR_RETURN(const absl::string_view text, Take(size));
    return Push({.kind = kind, .text = std::string(text)});
  }

  absl::Status PushGlobal() {
    std::string lines[2];
    for (std::string& line : lines) {
      const size_t size = rest_.find('\n');
      if (size == absl::string_view::npos) {
        return DamagedTree("it is cut short");
      }
      line = std::string(rest_.substr(0, size));
      rest_.remove_prefix(size + 1);
    }
    return Push({.kind = PickleKind::kGlobal, .text = absl::StrCat(lines[0], " ", lines[1])});
  }

  absl::Status PushStackGlobal() {
    CLEAVE_ASSIGN_OR_RETURN(const PickleValue* name, Pop());
    CLEAVE_ASSIGN_OR_RETURN(const PickleValue* module, Pop());
    if (name->kind != PickleKind::kText || module->kind != PickleKind::kText) {
      return DamagedTree("a global has no name");
    }
    return Push({.kind = PickleKind::kGlobal, .text = absl::StrCat(module->text, " ", name->text)});
  }

  absl::Status Memoize(uint64_t index) {
    if (stack_.empty() || BelowMark()) {
      return DamagedTree("its memo is used wrongly");
    }
    memo_[index] = stack_.back();
    next_memo_ = index + 1;
    return absl::OkStatus();
  }

  [[nodiscard]] bool BelowMark() const { return !marks_.empty() && stack_.size() <= marks_.back(); }

  absl::StatusOr<PickleValue*> Pop() {
    if (stack_.empty() || BelowMark()) {
      return DamagedTree("its stack is used wrongly");
    }
    PickleValue* top = stack_.back();
    stack_.pop_back();
    return top;
  }

  absl::StatusOr<std::vector<const PickleValue*>> PopToMark() {
    if (marks_.empty()) {
      return DamagedTree("a mark is missing");
    }
    std::vector<const PickleValue*> items(stack_.begin() + static_cast<int64_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  absl::Status PushTuple(size_t size) {
    PickleValue tuple{.kind = PickleKind::kSequence};
    tuple.items.resize(size);
    for (size_t i = size; i > 0; --i) {
      CLEAVE_ASSIGN_OR_RETURN(tuple.items[i - 1], Pop());
    }
    return Push(std::move(tuple));
  }

  absl::Status Append(PickleKind kind, const std::vector<const PickleValue*>& items) {
    if (stack_.empty() || BelowMark() || stack_.back()->kind != kind ||
        (kind == PickleKind::kDict && items.size() % 2 != 0)) {
      return DamagedTree("items have no collection");
    }
    stack_.back()->items.insert(stack_.back()->items.end(), items.begin(), items.end());
    return absl::OkStatus();
  }

  absl::Status Extend(PickleKind kind, size_t count) {
    std::vector<const PickleValue*> items(count);
    for (size_t i = count; i > 0; --i) {
      CLEAVE_ASSIGN_OR_RETURN(items[i - 1], Pop());
    }
    return Append(kind, items);
  }

  absl::Status ExtendFromMark(PickleKind kind) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<const PickleValue*> items, PopToMark());
    return Append(kind, items);
  }

  absl::Status PushObject() {
    CLEAVE_ASSIGN_OR_RETURN(const PickleValue* arguments, Pop());
    CLEAVE_ASSIGN_OR_RETURN(const PickleValue* made_by, Pop());
    if (made_by->kind != PickleKind::kGlobal || arguments->kind != PickleKind::kSequence) {
      return DamagedTree("an object lacks its class or arguments");
    }
    return Push({.kind = PickleKind::kObject, .text = made_by->text, .arguments = arguments});
  }

  absl::Status Build() {
    CLEAVE_ASSIGN_OR_RETURN(const PickleValue* state, Pop());
    if (stack_.empty() || BelowMark() || stack_.back()->kind != PickleKind::kObject) {
      return DamagedTree("a state has no object");
    }
    stack_.back()->state = state;
    return absl::OkStatus();
  }

  absl::string_view rest_;
  PickleTree tree_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::map<uint64_t, PickleValue*> memo_;
  uint64_t next_memo_ = 0;
};

absl::StatusOr<PickleTree> PickleTree::Parse(absl::string_view pickle) { return PickleReader(pickle).Run(); }

}  // namespace cleave::table
