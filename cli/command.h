// One task of the program `cleave`: its arguments, and how it is carried out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/console.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's
class App;
}

namespace cleave::cli {

// What `cleave --help` says about a command.
struct CommandText {
  std::string name;     // "split"; "ocdbt ls" is the command `ls` of the group `ocdbt`
  std::string group;    // the heading under which the command is listed; "" within a group of commands
  std::string summary;  // one line
  std::string example;  // whole command lines, one a line
};

// Register once, then Run once. A command only translates: arguments into calls of other rooms, answers into text.
class Command {
 public:
  virtual ~Command() = default;
  [[nodiscard]] virtual CommandText text() const = 0;
  // Adds options that write into this object, which must outlive `app`.
  virtual void Register(CLI::App& app) = 0;
  // Says everything on `console`, but for the error that it returns.
  [[nodiscard]] virtual absl::Status Run(Console& console) = 0;
};

// Every command, in the order in which the help lists them.
[[nodiscard]] std::vector<std::unique_ptr<Command>> MakeCommands();

[[nodiscard]] std::unique_ptr<Command> MakeAgreementCommand();
[[nodiscard]] std::unique_ptr<Command> MakeBatchCommand();
[[nodiscard]] std::unique_ptr<Command> MakeBranchCommand();
[[nodiscard]] std::unique_ptr<Command> MakeCopyCommand();
[[nodiscard]] std::unique_ptr<Command> MakeDiffCommand();
[[nodiscard]] std::unique_ptr<Command> MakeEventsCommand();
[[nodiscard]] std::unique_ptr<Command> MakeExportCommand();
[[nodiscard]] std::unique_ptr<Command> MakeFsckCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGenerateCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphChangesCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphChildrenCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphContactsCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphCoordinatesCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphCoveringCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphDeltaCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphEdgesCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphHistoryCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphL2GraphCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphLatestCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphLeavesCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphLineageCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphOperationsCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphParentsCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphPathCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphRootsCommand();
[[nodiscard]] std::unique_ptr<Command> MakeGraphSafeTimeCommand();
[[nodiscard]] std::unique_ptr<Command> MakeInfoCommand();
[[nodiscard]] std::unique_ptr<Command> MakeIngestCommand();
[[nodiscard]] std::unique_ptr<Command> MakeIngestGraphCommand();
[[nodiscard]] std::unique_ptr<Command> MakeIngestLayerCommand();
[[nodiscard]] std::unique_ptr<Command> MakeIngestMeshMetaCommand();
[[nodiscard]] std::unique_ptr<Command> MakeIngestStatusCommand();
[[nodiscard]] std::unique_ptr<Command> MakeInitCommand();
[[nodiscard]] std::unique_ptr<Command> MakeLeavesCommand();
[[nodiscard]] std::unique_ptr<Command> MakeLogCommand();
[[nodiscard]] std::unique_ptr<Command> MakeLookupCommand();
[[nodiscard]] std::unique_ptr<Command> MakeMergeCommand();
[[nodiscard]] std::unique_ptr<Command> MakeCommitCommand();
[[nodiscard]] std::unique_ptr<Command> MakeMeshCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtBranchCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtCompactCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtCreateCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtDiffCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtDumpCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtGcCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtGetCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtLsCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtPutCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtRmCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtTagCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtVerifyCommand();
[[nodiscard]] std::unique_ptr<Command> MakeOcdbtVersionsCommand();
[[nodiscard]] std::unique_ptr<Command> MakePictureCommand();
[[nodiscard]] std::unique_ptr<Command> MakeProfileRecordCommand();
[[nodiscard]] std::unique_ptr<Command> MakeProfileReplayCommand();
[[nodiscard]] std::unique_ptr<Command> MakeProtectCommand();
[[nodiscard]] std::unique_ptr<Command> MakeProtectedCommand();
[[nodiscard]] std::unique_ptr<Command> MakeRedoCommand();
[[nodiscard]] std::unique_ptr<Command> MakeRollbackCommand();
[[nodiscard]] std::unique_ptr<Command> MakeRootCommand();
[[nodiscard]] std::unique_ptr<Command> MakeServeCommand();
[[nodiscard]] std::unique_ptr<Command> MakeSplitCommand();
[[nodiscard]] std::unique_ptr<Command> MakeStuckListCommand();
[[nodiscard]] std::unique_ptr<Command> MakeStuckReplayCommand();
[[nodiscard]] std::unique_ptr<Command> MakeStuckRevertCommand();
[[nodiscard]] std::unique_ptr<Command> MakeStuckShowCommand();
[[nodiscard]] std::unique_ptr<Command> MakeTableDumpCommand();
[[nodiscard]] std::unique_ptr<Command> MakeTableLoadCommand();
[[nodiscard]] std::unique_ptr<Command> MakeTouchingCommand();
[[nodiscard]] std::unique_ptr<Command> MakeUndoCommand();
[[nodiscard]] std::unique_ptr<Command> MakeUnprotectCommand();
[[nodiscard]] std::unique_ptr<Command> MakeWorkerDownsampleCommand();
[[nodiscard]] std::unique_ptr<Command> MakeWorkerRedisCommand();
[[nodiscard]] std::unique_ptr<Command> MakeWorkerIngestCommand();

}  // namespace cleave::cli
