#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <mutex>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace cleave {
namespace {

constexpr int kBarWidth = 30;
constexpr absl::Duration kRedrawInterval = absl::Milliseconds(100);

class SilentProgress final : public Progress {
 public:
  void Begin(const std::string&, int64_t, const std::string&) override {}
  void Advance(int64_t) override {}
  void End() override {}
};

class ProgressBar final : public Progress {
 public:
  void Begin(const std::string& stage, int64_t total, const std::string& unit) override {
    const std::lock_guard lock(mutex_);
    stage_ = stage;
    unit_ = unit;
    total_ = total;
    done_ = 0;
    start_ = absl::Now();
    drawn_ = absl::InfinitePast();
  }

  void Advance(int64_t steps) override {
    const std::lock_guard lock(mutex_);
    done_ += steps;
    if (const absl::Time now = absl::Now(); terminal_ && now - drawn_ >= kRedrawInterval) {
      drawn_ = now;
      Draw("\r", "\033[K");
    }
  }

  void End() override {
    const std::lock_guard lock(mutex_);
    Draw(terminal_ ? "\r" : "", terminal_ ? "\033[K\n" : "\n");
  }

 private:
  void Draw(const char* before, const char* after) const {
    const double seconds = std::max(1e-9, absl::ToDoubleSeconds(absl::Now() - start_));
    std::string bar;
    if (total_ > 0) {
      const int filled = static_cast<int>(kBarWidth * std::min(done_, total_) / total_);
      bar = absl::StrFormat(" [%s%s]", std::string(filled, '#'), std::string(kBarWidth - filled, '.'));
    }
    const std::string line = absl::StrFormat("%s%-22s%s %d%s %s  %.1f s%s", before, stage_, bar, done_,
                                             total_ > 0 ? absl::StrFormat("/%d", total_) : "", unit_, seconds, after);
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
  }

  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  std::mutex mutex_;
  std::string stage_;
  std::string unit_;
  int64_t total_ = 0;
  int64_t done_ = 0;
  absl::Time start_;
  absl::Time drawn_;
};

}  // namespace

Progress& Progress::Silent() {
  static SilentProgress silent;
  return silent;
}

std::unique_ptr<Progress> MakeProgressBar() { return std::make_unique<ProgressBar>(); }

}  // namespace cleave
