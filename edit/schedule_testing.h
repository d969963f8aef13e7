// Pieces of work on threads of their own, of which one runs at a time and stops before each of its effects, so that a
// test decides who makes the next one. Not for product code.
//
//   Schedule schedule(gate);
//   const int a = schedule.Start([&] { editor.Split(...); });
//   for (int i = 0; i < 5; ++i) schedule.Step(a);      // a's first five effects
//   const int b = schedule.Start(...);
//   schedule.RunOn(b);                                 // to its end, or until it waits for a
//
// What other threads do that a piece of work calls to its help is not held. Called by one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "edit/effects_testing.h"

namespace cleave::edit {

class Schedule {
 public:
  enum class State {
    kReady,    // before an effect
    kRunning,  // waits for another piece of work, for longer than kStall; it goes on by itself once it can
    kEnded,
  };

  explicit Schedule(EffectGate& gate) : gate_(gate) {
    gate_.SetHook([this](const Effect&) {
      Hold();
      return Way::kDone;
    });
  }
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;
  // Everything runs to its end.
  ~Schedule() {
    {
      const std::lock_guard lock(mutex_);
      free_ = true;
      changed_.notify_all();
    }
    for (const std::unique_ptr<Worker>& worker : workers_) {
      worker->thread.join();
    }
    gate_.SetHook(nullptr);
  }

  // Runs to its first effect.
  int Start(std::function<void()> work) {
    Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
    worker.thread = std::thread([this, &worker, work = std::move(work)] {
      Current() = &worker;
      work();
      const std::lock_guard lock(mutex_);
      worker.state = State::kEnded;
      changed_.notify_all();
    });
    Await(worker);
    return static_cast<int>(workers_.size()) - 1;
  }
  // One effect, and on to the next; does nothing unless the worker is ready.
  State Step(int number) {
    Worker& worker = *workers_[static_cast<size_t>(number)];
    {
      const std::lock_guard lock(mutex_);
      if (worker.state != State::kReady) {
        return worker.state;
      }
      worker.state = State::kRunning;
      changed_.notify_all();
    }
    return Await(worker);
  }
  // Steps until it ends, or waits for another.
  State RunOn(int number) {
    State state = StateOf(number);
    while (state == State::kReady) {
      state = Step(number);
    }
    return state == State::kRunning ? Await(*workers_[static_cast<size_t>(number)]) : state;
  }
  [[nodiscard]] State StateOf(int number) {
    const std::lock_guard lock(mutex_);
    return workers_[static_cast<size_t>(number)]->state;
  }

 private:
  static constexpr std::chrono::milliseconds kStall{100};

  struct Worker {
    State state = State::kRunning;
    std::thread thread;
  };

  static Worker*& Current() {
    static thread_local Worker* current = nullptr;
    return current;
  }

  void Hold() {
    Worker* const worker = Current();
    if (worker == nullptr) {
      return;
    }
    std::unique_lock lock(mutex_);
    worker->state = State::kReady;
    changed_.notify_all();
    changed_.wait(lock, [&] { return free_ || worker->state == State::kRunning; });
    worker->state = State::kRunning;
  }

  // A worker for whom nobody else is held or waiting cannot wait for another: it is only slow.
  [[nodiscard]] bool IsAlone(const Worker& worker) const {
    return std::ranges::all_of(workers_, [&](const std::unique_ptr<Worker>& other) {
      return other.get() == &worker || other->state == State::kEnded;
    });
  }

  State Await(const Worker& worker) {
    std::unique_lock lock(mutex_);
    const auto has_stopped = [&] { return worker.state != State::kRunning; };
    while (!changed_.wait_for(lock, kStall, has_stopped) && IsAlone(worker)) {
    }
    return worker.state;
  }

  EffectGate& gate_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool free_ = false;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace cleave::edit
