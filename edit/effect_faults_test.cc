// Goal: whatever goes wrong at whatever write of a supervoxel split that spans many chunks, the project is afterwards
// as before the edit or as after it, fsck is clean, and the next edit of the object works; the same when recovery goes
// wrong at any of its own writes. Method: every write to table and stores is a numbered effect (effects_testing.h). The
// edit is run once for each effect and each way in which it can go wrong:
//   before       it does not happen        )
//   unanswered   it happens                ) the process is dead from then on; or it lives, and gets UNAVAILABLE
//   half         the first half of its rows)
//   twice        it happens twice, and the second answer counts
//   lost         after it the power fails: of the stores' files and the table's there is what was synced
// Power fails after every effect of one run; what would be found is kept (store/power_cut_disk.h,
// table/power_cut_files.h). A dead process is followed by an opening of the project, which recovers; a living one
// recovers by itself. Then what is left after each effect is recovered, with recovery dead at each of its effects.
// Recovery is tried so on a share of what is left, another at each run; on all with CLEAVE_TEST_SCALE=full.
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>

#include "gtest/gtest.h"

#include "base/test_scale.h"
#include "base/test_seed.h"
#include "edit/effects_testing.h"
#include "edit/recovery.h"
#include "edit/stuck_testing.h"
#include "store/power_cut_disk.h"
#include "table/power_cut_files.h"

namespace cleave::edit {
namespace {

struct FaultWay {
  const char* name;
  Way way;
  bool dies;
};
constexpr FaultWay kFaultWays[] = {
    {"before", Way::kBefore, true},         {"before, and the process lives", Way::kBefore, false},
    {"unanswered", Way::kUnanswered, true}, {"unanswered, and the process lives", Way::kUnanswered, false},
    {"half a batch", Way::kHalf, true},     {"half a batch, and the process lives", Way::kHalf, false},
    {"twice", Way::kTwice, false},
};

// The neck lies on the corner of four chunks.
constexpr NeckShape kCorner{{48, 32, 32}, {{4, 4, 4}, {44, 28, 28}}, {{20, 11, 11}, {28, 21, 21}}};

class EffectFaults : public StuckProject {
 protected:
  void SetUp() override {
    IngestLabels(origin_, NeckLabels(kCorner),
                 {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 8}, .fuse = {{1, 3}}});
    before_ = Before();
    EffectGate gate;
    const std::string done = Copy(origin_);
    OpenProject project = OpenThrough(done, gate);
    gate.SetHook(nullptr);
    const auto report = CutNeck(*project.editor);
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_GE(report->changed_chunk_count, 4);
    effects_ = gate.effects();
    chunks_ = report->changed_chunk_count;
    project = {};
    after_ = LookAt(done);
  }

  OpenProject OpenThrough(const std::string& folder, EffectGate& gate) {
    OpenProject project;
    auto dataset = graph::Dataset::Open(folder, Through(gate));
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    project.dataset = *std::move(dataset);
    EditorOptions options = Still(clock_);
    options.lock_tries = 1;
    options.lock_wait = absl::Milliseconds(1);
    project.editor = Editor::Open(*project.dataset, options).value();
    return project;
  }

  static EffectGate::Hook At(int number, const FaultWay& fault, EffectGate& gate, bool& fired) {
    return [number, &fault, &gate, &fired](const Effect& effect) {
      if (effect.number != number) {
        return Way::kDone;
      }
      fired = true;
      if (fault.dies) {
        gate.Kill();
      }
      return fault.way;
    };
  }

  // The same but for the numbers of new ids, of which a repeated request takes more.
  static bool IsAs(const Seen& a, const Seen& b) {
    std::map<uint64_t, uint64_t> supervoxel;
    std::map<uint64_t, uint64_t> root;
    for (int64_t i = 0; i < a.supervoxels.size(); ++i) {
      const uint64_t id = a.supervoxels.data()[i];
      const uint64_t other = b.supervoxels.data()[i];
      if (supervoxel.try_emplace(id, other).first->second != other ||
          root.try_emplace(a.roots.at(id), b.roots.at(other)).first->second != b.roots.at(other)) {
        return false;
      }
    }
    return a.roots.size() == b.roots.size() && a.succeeded.size() == b.succeeded.size();
  }

  void ExpectWhole(OpenProject& project, bool edit_again) {
    const Seen now = Look(project);
    EXPECT_TRUE(IsAs(now, before_) || IsAs(now, after_)) << "neither the state before nor the one after";
    EXPECT_TRUE(OperationLog(project.dataset->table()).ListInFlight()->empty());
    const auto locks = table::ListLocks(project.dataset->table(), {.begin = "", .end = ""});
    EXPECT_TRUE(locks.ok() && locks->empty());
    // A power cut may leave one of an operation that no row tells of any more: it never happened.
    const std::vector<OperationRecord> log = OperationLog(project.dataset->table()).ReadAll().value();
    for (const OperationRecord& record : log) {
      EXPECT_FALSE(project.dataset->intents().Read(IntentKey(record.id))->value.has_value()) << Value(record.id);
    }
    ExpectClean(*project.dataset);
    if (!edit_again) {
      return;
    }
    const bool apart = RootAt(*project.dataset, kSource) != RootAt(*project.dataset, kSink);
    const auto report = apart ? project.editor->Merge({.source = kSource, .sink = kSink}) : CutNeck(*project.editor);
    EXPECT_TRUE(report.ok()) << report.status();
    ExpectClean(*project.dataset);
  }
  void ExpectWholeOnceOpened(const std::string& folder, const Effect& effect) {
    OpenProject project = Open(folder);
    ASSERT_NE(project.editor, nullptr);
    ExpectWhole(project, MayEditAgain(effect));
  }
  // A fourth of all cases; all with CLEAVE_TEST_SCALE=full.
  static bool MayEditAgain(const Effect& effect) { return FullTests() || effect.number % 4 == 0; }

  // One edit with one fault; false when it made fewer effects than that.
  bool EditWithFault(const Effect& effect, const FaultWay& fault, const std::string& folder) {
    EffectGate gate;
    OpenProject project = OpenThrough(folder, gate);
    bool fired = false;
    gate.SetHook(At(effect.number, fault, gate, fired));
    const auto report = CutNeck(*project.editor);
    gate.SetHook(nullptr);
    if (!fault.dies) {
      const auto recovered = project.editor->RecoverNow();
      EXPECT_TRUE(recovered.ok()) << recovered.status();
      if (report.ok()) {
        EXPECT_TRUE(IsAs(Look(project), after_)) << "an acknowledged edit is not there";
      }
      ExpectWhole(project, MayEditAgain(effect));
    }
    return fired;
  }

  static void WriteFiles(const std::string& folder, const std::map<std::string, std::string>& files) {
    for (const auto& [path, bytes] : files) {
      const std::filesystem::path whole = std::filesystem::path(folder) / path;
      std::filesystem::create_directories(whole.parent_path());
      std::ofstream(whole, std::ios::binary | std::ios::trunc) << bytes;
    }
  }

  // Runs `act` in a copy of `start`, and calls `check` with a folder as a power cut after each effect would leave it.
  // Returns the number of effects.
  int CutPowerEverywhere(const std::string& start, const std::function<void(const std::string&, EffectGate&)>& act,
                         const std::function<void(const std::string&, const Effect&)>& check) {
    const std::string live = Copy(start);
    std::vector<std::pair<Effect, std::string>> found;
    std::mt19937 random(1);
    {
      const store::PowerCutDisk disk(live);
      const table::PowerCutFiles files;
      EffectGate gate;
      std::mutex mutex;  // data files and a manifest are written by threads at once
      gate.SetAfterHook([&](const Effect& effect) {
        const std::lock_guard lock(mutex);
        const std::string folder = absl::StrCat(folder_.path(), "/cut", ++copies_);
        std::map<std::string, std::string> left = disk.AfterPowerCut({}, random);
        std::erase_if(left, [](const auto& file) { return file.first.starts_with("table/"); });
        WriteFiles(folder, left);
        WriteFiles(folder + "/table", files.AfterPowerCut(live + "/table"));
        found.emplace_back(effect, folder);
      });
      act(live, gate);
    }
    for (const auto& [effect, folder] : found) {
      SCOPED_TRACE(absl::StrCat("the power fails after effect ", effect.number, ", ", effect.what));
      check(folder, effect);
      std::filesystem::remove_all(folder);
    }
    std::filesystem::remove_all(live);
    return static_cast<int>(found.size());
  }

  ShiftedClock clock_;
  Seen before_;
  Seen after_;
  std::vector<Effect> effects_;
  int64_t chunks_ = 0;
};

TEST_F(EffectFaults, AnEditIsWholeWhateverGoesWrongAtAnyOfItsEffects) {
  std::cout << "a split that changes " << chunks_ << " chunks has " << effects_.size() << " effects\n";
  for (const FaultWay& fault : kFaultWays) {
    int covered = 0;
    int all = 0;
    for (const Effect& effect : effects_) {
      if (fault.way == Way::kHalf && effect.parts < 2) {
        continue;  // no batch
      }
      ++all;
      SCOPED_TRACE(absl::StrCat(fault.name, ": effect ", effect.number, ", ", effect.what));
      bool fired = false;
      for (int i = 0; i < 4 && !fired; ++i) {  // how often the store is written may differ by one from run to run
        const std::string folder = Copy(origin_);
        fired = EditWithFault(effect, fault, folder);
        if (fault.dies) {
          ExpectWholeOnceOpened(folder, effect);
        }
        std::filesystem::remove_all(folder);
      }
      covered += fired ? 1 : 0;
    }
    std::cout << "split, " << fault.name << ": crash points covered " << covered << "/" << all << "\n";
    EXPECT_EQ(covered, all);
  }
}

TEST_F(EffectFaults, AnEditIsWholeWhereverThePowerFails) {
  bool acknowledged = false;
  const int covered = CutPowerEverywhere(
      origin_,
      [&](const std::string& live, EffectGate& gate) {
        OpenProject project = OpenThrough(live, gate);
        acknowledged = CutNeck(*project.editor).ok();
      },
      [&](const std::string& folder, const Effect& effect) { ExpectWholeOnceOpened(folder, effect); });
  EXPECT_TRUE(acknowledged);
  EXPECT_GE(covered + 1, std::ssize(effects_));
  std::cout << "split, unsynced data lost: crash points covered " << covered << "/" << covered << "\n";
}

TEST_F(EffectFaults, RecoveryIsWholeWhateverGoesWrongAtAnyOfItsEffects) {
  std::mt19937_64 random(TestSeed());
  const auto share = static_cast<uint64_t>(FullTests() ? 1 : SmallTests() ? 45 : 15);
  const uint64_t offset = random() % share;
  std::map<std::string, std::pair<int, int>> covered;  // of how many
  int states = 0;
  constexpr FaultWay kDead = kFaultWays[2];
  const auto recover = [&](const std::string& folder, EffectGate& gate) {
    auto dataset = graph::Dataset::Open(folder, Through(gate));
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    RecoverOperations(**dataset, clock_).IgnoreError();
  };
  for (const Effect& stopped : effects_) {
    if ((static_cast<uint64_t>(stopped.number) + offset) % share != 0) {
      continue;
    }
    ++states;
    const std::string left = Copy(origin_);
    EditWithFault(stopped, kDead, left);
    const std::string counted = Copy(left);
    EffectGate counter;
    recover(counted, counter);
    std::filesystem::remove_all(counted);
    for (const FaultWay& fault : kFaultWays) {
      for (const Effect& effect : counter.effects()) {
        if ((!fault.dies && fault.way != Way::kTwice) || (fault.way == Way::kHalf && effect.parts < 2)) {
          continue;
        }
        SCOPED_TRACE(absl::StrCat("the edit died after effect ", stopped.number, ", ", stopped.what, "; recovery, ",
                                  fault.name, ": effect ", effect.number, ", ", effect.what));
        const std::string folder = Copy(left);
        bool fired = false;
        {
          EffectGate gate;
          gate.SetHook(At(effect.number, fault, gate, fired));
          recover(folder, gate);
        }
        ExpectWholeOnceOpened(folder, effect);
        std::filesystem::remove_all(folder);
        covered[fault.name].first += fired ? 1 : 0;
        ++covered[fault.name].second;
      }
    }
    const int cuts = CutPowerEverywhere(
        left, recover, [&](const std::string& folder, const Effect& effect) { ExpectWholeOnceOpened(folder, effect); });
    covered["unsynced data lost"].first += cuts;
    covered["unsynced data lost"].second += static_cast<int>(counter.effects().size());
    std::filesystem::remove_all(left);
  }
  std::cout << "recovery from " << states << " of " << effects_.size() << " places where the split was stopped\n";
  for (const auto& [name, counts] : covered) {
    std::cout << "recovery, " << name << ": crash points covered " << counts.first << "/" << counts.second << "\n";
    EXPECT_EQ(counts.first, counts.second) << name;
  }
}

}  // namespace
}  // namespace cleave::edit
