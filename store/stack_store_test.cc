// Goal: layers cover, hide and map keys as TensorStore's kvstack does. Method: small stacks written out by hand, and
// random stacks against a model that looks for the topmost layer key by key. Seed: CLEAVE_TEST_SEED.
#include "store/stack_store.h"

#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "store/file_store.h"
#include "store/key_text.h"
#include "store/memory_store.h"

namespace cleave::store {
namespace {

uint32_t Seed() {
  uint32_t seed = std::random_device()();
  if (const char* text = std::getenv("CLEAVE_TEST_SEED"); text != nullptr) {
    EXPECT_TRUE(absl::SimpleAtoi(text, &seed));
  }
  std::printf("CLEAVE_TEST_SEED=%u\n", seed);
  return seed;
}

TEST(StackStore, AForkWritesOnlyToItsOwnFolder) {
  const auto base = std::make_shared<MemoryStore>();
  const auto fork = std::make_shared<MemoryStore>();
  ASSERT_TRUE(base->Write("manifest.ocdbt", "base manifest").ok());
  ASSERT_TRUE(base->Write("d/1", "base data").ok());
  ASSERT_TRUE(base->Write("g_d/1", "hidden").ok());
  const auto stack =
      StackStore::Create({StackLayer::Everything(base), StackLayer::Exact("manifest.ocdbt", fork, "manifest.ocdbt"),
                          StackLayer::Prefix("g_d/", fork, "g_d/")})
          .value();
  EXPECT_EQ(stack->Read("manifest.ocdbt")->value, std::nullopt);
  ASSERT_TRUE(stack->Write("manifest.ocdbt", "fork manifest").ok());
  ASSERT_TRUE(stack->Write("g_d/2", "fork data").ok());
  EXPECT_EQ(stack->Read("manifest.ocdbt")->value, "fork manifest");
  EXPECT_EQ(base->Read("manifest.ocdbt")->value, "base manifest");
  EXPECT_EQ(stack->Read("d/1")->value, "base data");
  EXPECT_EQ(stack->Read("g_d/1")->value, std::nullopt);
  EXPECT_EQ(stack->List({}).value(), (std::vector<std::string>{"d/1", "g_d/2", "manifest.ocdbt"}));
  EXPECT_EQ(fork->List({}).value(), (std::vector<std::string>{"g_d/2", "manifest.ocdbt"}));
}

TEST(StackStore, KeysOutsideEveryLayer) {
  const auto stack = StackStore::Create({StackLayer::Prefix("a/", std::make_shared<MemoryStore>(), "")}).value();
  EXPECT_EQ(stack->Read("b")->value, std::nullopt);
  EXPECT_EQ(stack->Write("b", "v").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(stack->Delete("b").ok());
}

TEST(StackStore, RefusesImpossibleLayers) {
  const auto store = std::make_shared<MemoryStore>();
  EXPECT_EQ(StackStore::Create({{store, "", {"b", "a"}, 0, true}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(StackStore::Create({{store, "", KeyRange::Prefix("ab"), 3, true}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(StackStore::Create({{store, "", {"abc", "abd"}, 3, true}}).ok());
}

TEST(StackStore, SpecIsTensorStoresJson) {
  const auto file = std::make_shared<FileStore>("/w");
  const auto stack = StackStore::Create({StackLayer::Everything(file),
                                         StackLayer::Exact("m", file, "f/m"),
                                         StackLayer::Prefix("g/", file, "f/g/"),
                                         {file, "q/", KeyRange::Prefix("n."), 0, true},
                                         {file, "", {"x", "z"}, 0, true}})
                         .value();
  EXPECT_EQ(stack->KvStoreSpec(),
            R"({"driver":"kvstack","layers":[{"base":{"driver":"file","path":"/w/"}},)"
            R"({"base":{"driver":"file","path":"/w/f/m"},"exact":"m"},)"
            R"({"base":{"driver":"file","path":"/w/f/g/"},"prefix":"g/"},)"
            R"({"base":{"driver":"file","path":"/w/q/"},"prefix":"n.","strip_prefix":0},)"
            R"({"base":{"driver":"file","path":"/w/"},"exclusive_max":"z","inclusive_min":"x"}]})");
}

std::string RandomKey(std::mt19937& random) {
  std::string key;
  for (auto length = 1 + random() % 3; length > 0; --length) {
    key += "abc\xff"[random() % 4];
  }
  return key;
}

StackLayer RandomLayer(std::mt19937& random, const std::shared_ptr<Store>& store, int number) {
  const std::string path = absl::StrCat("layer", number, "/x");
  switch (random() % 4) {
    case 0:
      return {store, path, {}, 0, true};
    case 1:
      return StackLayer::Exact(RandomKey(random), store, path);
    case 2:
      return StackLayer::Prefix(RandomKey(random), store, path);
    default: {
      const std::string a = RandomKey(random), b = RandomKey(random);
      return {store, path, {std::min(a, b), std::max(a, b)}, 0, true};
    }
  }
}

TEST(StackStore, RandomStacksAgreeWithAModel) {
  std::mt19937 random(Seed());
  for (int round = 0; round < 300; ++round) {
    const auto memory = std::make_shared<MemoryStore>();
    std::vector<StackLayer> layers;
    for (int i = 0; i < 4; ++i) {
      layers.push_back(RandomLayer(random, memory, i));
    }
    const auto stack = StackStore::Create(layers).value();
    std::map<std::string, std::string> model;
    for (int i = 0; i < 30; ++i) {
      const std::string key = RandomKey(random), value = absl::StrCat("v", i);
      const bool covered =
          std::any_of(layers.begin(), layers.end(), [&](const StackLayer& layer) { return layer.range.Contains(key); });
      ASSERT_EQ(stack->Write(key, value).ok(), covered);
      if (covered) {
        model[key] = value;
      }
    }
    std::string begin = RandomKey(random), end = random() % 2 == 0 ? RandomKey(random) : "";
    std::vector<std::string> expected;
    for (const auto& [key, value] : model) {
      ASSERT_EQ(stack->Read(key)->value, value);
      if (KeyRange{begin, end}.Contains(key)) {
        expected.push_back(key);
      }
    }
    ASSERT_EQ(stack->List({begin, end}).value(), expected) << Quoted(begin) << " to " << Quoted(end);
  }
}

}  // namespace
}  // namespace cleave::store
