#include "cli/user_name.h"

#include <pwd.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace cleave::cli {

std::string UserName() {
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr ? std::string(entry->pw_name) : absl::StrCat("user ", geteuid());
}

}  // namespace cleave::cli
