// Goal: a file of options does what the same options on a command line do, and says where it is wrong.
// Method: small command lines and files of known content.
#include "cli/option_file.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cleave::cli {
namespace {

class OptionFileTest : public testing::Test {
 protected:
  OptionFileTest() {
    app_.add_option("PROJECT,--project", projects_);
    app_.add_option("--port", port_)->check(CLI::Range(1, 65535));
    app_.add_option("--public-url", url_);
    app_.add_flag("--open-data", open_data_);
    app_.add_flag("--json", json_);
  }
  ~OptionFileTest() override { std::filesystem::remove(path_); }

  absl::Status Apply(const std::string& text, std::vector<std::string> arguments = {}) {
    std::ofstream(path_) << text;
    app_.parse(std::move(arguments));
    return ApplyOptionFile(app_, path_);
  }
  void ExpectWrong(const std::string& text, const std::string& says) {
    const absl::Status status = Apply(text);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(says)) << text;
  }

  const std::string path_ = absl::StrCat(testing::TempDir(), "/cleave_option_file_", getpid(), ".yaml");
  CLI::App app_;
  int port_ = 8080;
  std::string url_ = "none";
  bool open_data_ = false;
  bool json_ = false;
  std::vector<std::string> projects_;
};

TEST_F(OptionFileTest, SetsWhatTheCommandLineDoesNot) {
  ASSERT_TRUE(Apply("# comment\nport: 9000\npublic-url: https://example.org/x\nopen-data: true\n").ok());
  EXPECT_EQ(port_, 9000);
  EXPECT_EQ(url_, "https://example.org/x");
  EXPECT_TRUE(open_data_);
  ASSERT_TRUE(Apply("port: 9000\nopen-data: false\n", {"7000", "--port"}).ok());
  EXPECT_EQ(port_, 7000);
  EXPECT_FALSE(open_data_);
}

TEST_F(OptionFileTest, AListGivesSeveralValues) {
  ASSERT_TRUE(Apply("project:\n  - a\n  - b=c\n").ok());
  EXPECT_THAT(projects_, testing::ElementsAre("a", "b=c"));
  ASSERT_TRUE(Apply("project: [d]\n", {"e"}).ok());
  EXPECT_THAT(projects_, testing::ElementsAre("e")) << "the command line counts first";
}

TEST_F(OptionFileTest, AFileOfCommentsSetsNothing) {
  EXPECT_TRUE(Apply("# port: 9000\n").ok());
  EXPECT_TRUE(Apply("").ok());
  EXPECT_EQ(port_, 8080);
}

TEST_F(OptionFileTest, SaysWhatIsWrongAndWhere) {
  ExpectWrong("port: 9000\nprot: 1\n", "line 2: there is no option 'prot'");
  ExpectWrong("port: many\n", "line 1");
  ExpectWrong("port: 70000\n", "line 1");
  ExpectWrong("open-data: perhaps\n", "line 1");
  ExpectWrong("port: [1, 2]\n", "line 1: 'port' takes one value, not a list");
  ExpectWrong("project: []\n", "line 1: expected 'OPTION: VALUE'");
  ExpectWrong("project: [a, [b]]\n", "line 1: expected 'OPTION: VALUE'");
  ExpectWrong("project: {a: b}\n", "line 1: expected 'OPTION: VALUE'");
  ExpectWrong("- port\n", "expected lines 'OPTION: VALUE'");
  ExpectWrong("port: 1\nport: 2\n", "line 2: 'port' is given twice");
  ExpectWrong("port: \"1\n", "line");
  ExpectWrong("json: true\n", "there is no option 'json'");
  EXPECT_TRUE(absl::IsNotFound(ApplyOptionFile(app_, path_ + ".none")));
}

}  // namespace
}  // namespace cleave::cli
