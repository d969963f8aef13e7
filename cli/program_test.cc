// Goal: the program finds its command, prints results in the form that was asked for, and every kind of error ends in
// its exit code.
// Method: it is run inside this process on arguments that need no project; the console is looked at alone as well.
// What commands do to real projects is tested from outside, in cli_test.py.
#include "cli/program.h"

#include <sstream>

#include "absl/strings/str_split.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cleave::cli {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

Outcome RunCleave(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = RunProgram(arguments, out, err);
  return {code, out.str(), err.str()};
}

TEST(Program, HelpOfEveryCommandHasAnExampleThatNamesIt) {
  for (const std::unique_ptr<Command>& command : MakeCommands()) {
    const CommandText text = command->text();
    std::vector<std::string> words = absl::StrSplit(text.name, ' ');
    const std::vector<std::string> group(words.begin(), words.end() - 1);
    words.emplace_back("--help");
    const Outcome help = RunCleave(words);
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("cleave " + text.name));
    EXPECT_THAT(help.out, HasSubstr("--json"));
    EXPECT_EQ(help.err, "");
    std::vector<std::string> list = group;
    list.emplace_back("--help");
    EXPECT_THAT(RunCleave(list).out, HasSubstr(text.summary));
  }
}

TEST(Program, WrongArgumentsAreUsageErrors) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"fly"},
                                             {"lookup"},
                                             {"lookup", "demo"},
                                             {"info", "demo", "--nonsense"},
                                             {"ocdbt"},
                                             {"ocdbt", "fly"},
                                             {"ocdbt", "get", "demo"},
                                             {"lookup", "demo", "--point"}}) {
    const Outcome wrong = RunCleave(arguments);
    EXPECT_EQ(wrong.code, 2);
    EXPECT_EQ(wrong.out, "");
    EXPECT_THAT(wrong.err, HasSubstr("cleave: "));
    EXPECT_THAT(wrong.err, HasSubstr("--help"));
  }
}

TEST(Program, ErrorsAreJsonTooWhenAskedFor) {
  const Outcome wrong = RunCleave({"lookup", "--json"});
  EXPECT_EQ(wrong.code, 2);
  const Json error = Json::parse(wrong.out)["error"];
  EXPECT_EQ(error["code"], "INVALID_ARGUMENT");
  EXPECT_THAT(wrong.err, HasSubstr(error["message"].get<std::string>()));
}

TEST(Program, NegativePointsAreValuesNotOptions) {
  for (const std::vector<std::string>& point : std::vector<std::vector<std::string>>{
           {"--point", "-1,-2,-3"}, {"--point=-1,-2,-3"}, {"--point", "-1,-2,-3", "-4,5,6"}}) {
    std::vector<std::string> arguments = {"lookup", "/nonexistent/project"};
    arguments.insert(arguments.end(), point.begin(), point.end());
    const Outcome outcome = RunCleave(arguments);
    EXPECT_EQ(outcome.code, 3) << outcome.err;  // the point was taken: it is the project that is missing
    EXPECT_THAT(outcome.err, HasSubstr("/nonexistent/project is not a Cleave project"));
  }
}

TEST(Program, TheProjectMayComeAfterRepeatedOptions) {
  const Outcome outcome = RunCleave({"split", "--source", "1,2,3", "4,5,6", "--sink", "7,8,9", "/nonexistent/project"});
  EXPECT_EQ(outcome.code, 3) << outcome.err;
}

TEST(ExitCode, FollowsTheStatus) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(absl::OutOfRangeError("")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), ExitCode::kNotFound);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::AbortedError("")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::AlreadyExistsError("")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::DataLossError("")), ExitCode::kDamaged);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), ExitCode::kUnavailable);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), ExitCode::kInternal);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("")), ExitCode::kInternal);
}

TEST(Console, ShowsOneFormAndAtMostOneObject) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, {.json = true});
  console.Note("not said");
  console.Note("said", /*important=*/true);
  console.Show({{"answer", 42}}, "forty-two\n");
  console.ShowError(absl::DataLossError("damaged"));
  EXPECT_EQ(out.str(), "{\"answer\":42}\n");
  EXPECT_EQ(err.str(), "cleave: said\ncleave: damaged\n");
}

TEST(Console, SurvivesTextThatIsNoUtf8) {
  std::ostringstream out;
  std::ostringstream err;
  Console console(out, err, {.json = true});
  console.ShowError(absl::NotFoundError("no \xff"));
  EXPECT_EQ(Json::parse(out.str())["error"]["code"], "NOT_FOUND");
}

TEST(JsonText, IdsAreStringsAndStagesKeys) {
  EXPECT_EQ(ToJson(graph::NodeId{UINT64_MAX}).dump(), "\"18446744073709551615\"");
  EXPECT_EQ(ToJson(std::vector<graph::NodeId>{}).dump(), "[]");
  EXPECT_EQ(ToJson(Box{{-1, 0, 0}, {2, 3, 4}}).dump(), "{\"lower\":[-1,0,0],\"upper\":[2,3,4]}");
  Stages stages;
  stages.Add("voxel cut", absl::Milliseconds(250));
  EXPECT_EQ(SecondsJson(stages, absl::Milliseconds(500)).dump(), "{\"total\":0.5,\"voxel_cut\":0.25}");
}

TEST(JsonText, NumbersAndTimesAreWrittenForPeople) {
  EXPECT_EQ(CountText(0), "0");
  EXPECT_EQ(CountText(999), "999");
  EXPECT_EQ(CountText(1000), "1,000");
  EXPECT_EQ(CountText(-1234567), "-1,234,567");
  EXPECT_EQ(CountText(-123), "-123");
  EXPECT_EQ(TimeText(absl::FromUnixMillis(1769860800123)), "2026-01-31T12:00:00.123Z");
  EXPECT_EQ(IdsText({}), "none");
  EXPECT_EQ(IdsText({graph::NodeId{1}, graph::NodeId{2}}), "1, 2");
  EXPECT_EQ(IdsText(std::vector<graph::NodeId>(10, graph::NodeId{7})), "7, 7, 7, 7, 7, 7, 7, 7 and 2 more");
}

}  // namespace
}  // namespace cleave::cli
