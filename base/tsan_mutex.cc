// Under ThreadSanitizer only: tells it of absl's locks.
//
// Debian's absl is not instrumented, so the sanitizer sees neither that a lock orders what two threads do, nor that a
// condition (Await, LockWhen) is looked at by whichever thread holds the lock at that moment, mostly inside its Unlock.
// Without this every use of an absl::Mutex would be reported. The functions here stand before those of the library (a
// program's own symbols come first), call them, and tell the sanitizer. Accesses inside them, which are those of
// conditions, are not looked at. (Waits with a timeout are waits with a deadline inside the library.) RocksDB is not
// instrumented either: what its threads hand each other under its own locks is left out.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CLEAVE_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define CLEAVE_TSAN 1
#endif

#ifdef CLEAVE_TSAN

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "absl/synchronization/mutex.h"
#include <sanitizer/tsan_interface.h>

extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}

namespace cleave {
namespace {

constexpr unsigned kShared = __tsan_mutex_read_lock;

// The library's own function behind the one that is defined here.
template <typename Function>
Function Behind(const char* mangled_name) {
  void* const found = dlsym(RTLD_NEXT, mangled_name);
  if (found == nullptr) {
    std::fprintf(stderr, "absl has no %s: base/tsan_mutex.cc must follow its version\n", mangled_name);
    std::abort();
  }
  return reinterpret_cast<Function>(found);
}

class NotLookedAt {
 public:
  NotLookedAt() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~NotLookedAt() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
  NotLookedAt(const NotLookedAt&) = delete;
  NotLookedAt& operator=(const NotLookedAt&) = delete;
};

// Gives the lock up around `wait`, which gives it up and takes it again.
template <typename Wait>
auto WhileGivenUp(void* mutex, Wait wait) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  __tsan_mutex_pre_lock(mutex, 0);
  struct Taken {
    void* mutex;
    ~Taken() { __tsan_mutex_post_lock(mutex, 0, 0); }
  } taken{mutex};
  const NotLookedAt conditions;
  return wait();
}

}  // namespace
}  // namespace cleave

extern "C" const char* __tsan_default_suppressions() { return "race:rocksdb::\n"; }

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static const auto real = cleave::Behind<void (*)(Mutex*)>("_ZN4absl7debian35Mutex4LockEv");
  __tsan_mutex_pre_lock(this, 0);
  {
    const cleave::NotLookedAt conditions;
    real(this);
  }
  __tsan_mutex_post_lock(this, 0, 0);
}

void Mutex::Unlock() {
  static const auto real = cleave::Behind<void (*)(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
  __tsan_mutex_pre_unlock(this, 0);
  {
    const cleave::NotLookedAt conditions;
    real(this);
  }
  __tsan_mutex_post_unlock(this, 0);
}

void Mutex::ReaderLock() {
  static const auto real = cleave::Behind<void (*)(Mutex*)>("_ZN4absl7debian35Mutex10ReaderLockEv");
  __tsan_mutex_pre_lock(this, cleave::kShared);
  {
    const cleave::NotLookedAt conditions;
    real(this);
  }
  __tsan_mutex_post_lock(this, cleave::kShared, 0);
}

void Mutex::ReaderUnlock() {
  static const auto real = cleave::Behind<void (*)(Mutex*)>("_ZN4absl7debian35Mutex12ReaderUnlockEv");
  __tsan_mutex_pre_unlock(this, cleave::kShared);
  {
    const cleave::NotLookedAt conditions;
    real(this);
  }
  __tsan_mutex_post_unlock(this, cleave::kShared);
}

void Mutex::LockWhen(const Condition& condition) {
  static const auto real =
      cleave::Behind<void (*)(Mutex*, const Condition&)>("_ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE");
  __tsan_mutex_pre_lock(this, 0);
  {
    const cleave::NotLookedAt conditions;
    real(this, condition);
  }
  __tsan_mutex_post_lock(this, 0, 0);
}

void Mutex::Await(const Condition& condition) {
  static const auto real =
      cleave::Behind<void (*)(Mutex*, const Condition&)>("_ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE");
  cleave::WhileGivenUp(this, [&] { real(this, condition); });
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static const auto real = cleave::Behind<bool (*)(Mutex*, const Condition&, Time)>(
      "_ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  return cleave::WhileGivenUp(this, [&] { return real(this, condition, deadline); });
}

void CondVar::Wait(Mutex* mutex) {
  static const auto real = cleave::Behind<void (*)(CondVar*, Mutex*)>("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  cleave::WhileGivenUp(mutex, [&] { real(this, mutex); });
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static const auto real = cleave::Behind<bool (*)(CondVar*, Mutex*, Time)>(
      "_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  return cleave::WhileGivenUp(mutex, [&] { return real(this, mutex, deadline); });
}

ABSL_NAMESPACE_END
}  // namespace absl

#endif
