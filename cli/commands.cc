#include "cli/command.h"

namespace cleave::cli {

std::vector<std::unique_ptr<Command>> MakeCommands() {
  std::vector<std::unique_ptr<Command>> commands;
  for (const auto make : {
           MakeInitCommand,           MakeIngestCommand,
           MakeIngestGraphCommand,    MakeIngestLayerCommand,
           MakeIngestMeshMetaCommand, MakeIngestStatusCommand,
           MakeInfoCommand,           MakeFsckCommand,
           MakeBranchCommand,         MakeCopyCommand,
           MakeDiffCommand,           MakeStuckListCommand,
           MakeStuckShowCommand,      MakeStuckReplayCommand,
           MakeStuckRevertCommand,    MakeLookupCommand,
           MakeRootCommand,           MakeLeavesCommand,
           MakeGraphRootsCommand,     MakeGraphParentsCommand,
           MakeGraphChildrenCommand,  MakeGraphLeavesCommand,
           MakeGraphCoveringCommand,  MakeGraphCoordinatesCommand,
           MakeGraphEdgesCommand,     MakeGraphL2GraphCommand,
           MakeGraphPathCommand,      MakeGraphContactsCommand,
           MakeGraphLatestCommand,    MakeGraphLineageCommand,
           MakeGraphHistoryCommand,   MakeGraphChangesCommand,
           MakeGraphDeltaCommand,     MakeGraphOperationsCommand,
           MakeGraphSafeTimeCommand,  MakeMergeCommand,
           MakeSplitCommand,          MakeCommitCommand,
           MakeUndoCommand,           MakeRedoCommand,
           MakeRollbackCommand,       MakeBatchCommand,
           MakeProtectCommand,        MakeUnprotectCommand,
           MakeProtectedCommand,      MakeLogCommand,
           MakeEventsCommand,         MakeExportCommand,
           MakePictureCommand,        MakeMeshCommand,
           MakeServeCommand,          MakeWorkerDownsampleCommand,
           MakeWorkerRedisCommand,    MakeWorkerIngestCommand,
           MakeGenerateCommand,       MakeProfileRecordCommand,
           MakeProfileReplayCommand,  MakeTouchingCommand,
           MakeAgreementCommand,      MakeTableDumpCommand,
           MakeTableLoadCommand,      MakeOcdbtCreateCommand,
           MakeOcdbtLsCommand,        MakeOcdbtGetCommand,
           MakeOcdbtPutCommand,       MakeOcdbtRmCommand,
           MakeOcdbtVersionsCommand,  MakeOcdbtTagCommand,
           MakeOcdbtBranchCommand,    MakeOcdbtDiffCommand,
           MakeOcdbtDumpCommand,      MakeOcdbtVerifyCommand,
           MakeOcdbtGcCommand,        MakeOcdbtCompactCommand,
       }) {
    commands.push_back(make());
  }
  return commands;
}

}  // namespace cleave::cli
