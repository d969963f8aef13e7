// Goal: our bytes are OCDBT's. Method: complete objects written out in hex (made by an independent encoder, and one
// pair by TensorStore itself, from Neuroglancer's test data) are decoded, compared field by field and encoded again;
// and every flipped, missing or added byte of each must be noticed.
#include <zstd.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ocdbt/btree_node.h"
#include "ocdbt/crc32c.h"
#include "ocdbt/envelope.h"
#include "ocdbt/manifest.h"
#include "ocdbt/node_split.h"
#include "ocdbt/test_bytes.h"

namespace cleave::ocdbt {
namespace {

const absl::Time kTime = absl::FromUnixNanos(1700000000123456789);

std::string FileName(absl::string_view sixteen_bytes) { return absl::StrCat("d/", sixteen_bytes); }
const std::string kFileA = FileName("101112131415161718191a1b1c1d1e1f");
const std::string kFileAHex = absl::BytesToHexString(kFileA);

Config ExampleConfig() {
  Config config;
  for (uint8_t i = 0; i < 16; ++i) {
    config.uuid[i] = i;
  }
  config.max_inline_value_bytes = 8;
  config.max_decoded_node_bytes = 8388608;
  config.version_tree_arity_log2 = 4;
  config.compression = {false, 0};
  return config;
}

// Example A: one leaf with inline and indirect values.
const std::string kLeafA = Hex(absl::StrCat("0cdb20de 5100000000000000 00 00 00 01 22 00", kFileAHex,
                                            "03 0400 050101 6170706c65 79 62 03ac0200 000100 00 00 726564 4c2131d2"));
const std::string kManifestA =
    Hex(absl::StrCat("0cdb3a2a 6300000000000000 0000 000102030405060708090a0b0c0d0e0f 00 08 80808004 04 00 012200",
                     kFileAHex, "01 01 00 00 ac02 51 03 51 ac02 15cd853dfe9c9717 00 f34ef069"));
// Example B: an empty database, and the configuration of a numbered one.
const std::string kManifestB =
    Hex("0cdb3a2a 5100000000000000 0000 000102030405060708090a0b0c0d0e0f 00 08 80808004 04 00 010000 01010000"
        "ffffffffffffffffff01 ffffffffffffffffff01 000000 15cd853dfe9c9717 00 041dfc59");
const std::string kNumberedConfigB =
    Hex("0cdb3a2a 2a00000000000000 0000 000102030405060708090a0b0c0d0e0f 01 08 80808004 04 00 67716c59");

// Example C: a split with an interior root.
const std::string kLeafC1 = Hex("0cdb20de 2200000000000000 0000 000002 00 0101 3132 0202 0000 31313232 7fbdfffd");
const std::string kLeafC2 = Hex("0cdb20de 2300000000000000 0000 000002 00 0201 623163 0202 0000 33333434 faa0f38f");
const std::string kRootC =
    Hex(absl::StrCat("0cdb20de 5400000000000000 0000 01 012200", kFileAHex,
                     "02 06 0802 0706 6368756e6b2f6131 6231 0000 0022 2223 0202 2223 0000 ed183403"));

// Example D: nodes of the version tree.
const std::string kFileD0 = FileName(std::string("a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"));
const std::string kFileD1 = FileName(std::string("a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"));
const std::string kFileD2 = FileName(std::string("a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2"));
const std::string kLeafD =
    Hex("0cdb20de 2700000000000000 0000 000003 0101 020101 6b303132 010101 000000 767676 3b292e29");
const std::string kVersionLeafD =
    Hex(absl::StrCat("0cdb1234 7c00000000000000 0000 0100 02 03 221f 0000", absl::BytesToHexString(kFileD0),
                     absl::BytesToHexString(kFileD1.substr(3)),
                     "02 0102 0000 0001 0000 1b21 0102 1b21 0000 15cd853dfe9c9717 16cd853dfe9c9717 f7aca57f"));
const std::string kVersionNodeD =
    Hex(absl::StrCat("0cdb1234 4700000000000000 0000 0101 012200", absl::BytesToHexString(kFileD2),
                     "01 02 00 27 7c 02 15cd853dfe9c9717 1e665fd4"));

// Example E: written by TensorStore.
const std::string kManifestE =
    Hex("0cdb3a2a6e00000000000000000128b52ffd2053990200c297fed98f4286d54957e7d4738210c10064808080040401000000"
        "00012200642f39623037613961303061316135363262316338303166316431363461393063360101000000590859007cf3ed"
        "d3e1951f18008224ca0b");
const std::string kLeafE =
    Hex("0cdb20de5900000000000000000128b52ffd203ef10100000008000001040400000101010801010105236162617a2f666972"
        "7374787a63656d707479000303000000030000000000000000006162636162636261720ecff67e");

TEST(Crc32c, KnownValueOnBothPaths) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283U);
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Crc32c(bytes), internal_crc32c::Portable(bytes)) << bytes.size();
    bytes.push_back(static_cast<char>(i * 37));
  }
}

TEST(Golden, LeafA) {
  const auto node = BtreeNode::Decode(kLeafA, "");
  ASSERT_TRUE(node.ok()) << node.status();
  const auto entries = (*node)->leaf_entries();
  ASSERT_EQ(entries.size(), 3);
  EXPECT_EQ(entries[0].key, "apple");
  EXPECT_EQ(entries[0].value.inline_bytes, "red");
  EXPECT_EQ(entries[1].key, "apply");
  EXPECT_EQ(entries[1].value.reference, (DataReference{DataFileId("", kFileA), 0, 300}));
  EXPECT_EQ(entries[2].key, "b");
  EXPECT_EQ(entries[2].value.length(), 0);
  const EncodedNode encoded = EncodeLeaf(entries, 0, {false, 0});
  EXPECT_EQ(encoded.object, kLeafA);
  EXPECT_EQ(encoded.statistics, (Statistics{3, 81, 300}));
  // The same, compressed.
  EXPECT_EQ(EncodeLeaf(entries, 0, {true, 0}).object,
            Hex(absl::StrCat("0cdb20de 5a00000000000000 0001 28b52ffd203ff90100",
                             absl::BytesToHexString(kLeafA.substr(0xe, 63)), "550b2ded")));
}

TEST(Golden, ManifestA) {
  const auto manifest = DecodeManifest(kManifestA);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->config, ExampleConfig());
  ASSERT_EQ(manifest->versions.size(), 1);
  EXPECT_EQ(manifest->newest().generation, GenerationNumber{1});
  EXPECT_EQ(manifest->newest().root.location, (DataReference{DataFileId("", kFileA), 300, 81}));
  EXPECT_EQ(manifest->newest().root.statistics, (Statistics{3, 81, 300}));
  EXPECT_EQ(manifest->newest().commit_time, kTime);
  EXPECT_EQ(EncodeManifest(*manifest), kManifestA);
  Manifest compressed = *manifest;
  compressed.config.compression = {true, 0};
  EXPECT_EQ(EncodeManifest(compressed).size(), 112);
}

TEST(Golden, EmptyManifestB) {
  const auto manifest = DecodeManifest(kManifestB);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_TRUE(manifest->newest().empty());
  EXPECT_EQ(EncodeManifest(*manifest), kManifestB);
}

TEST(Golden, TreeCIsBuiltFromItsKeys) {
  const auto leaf1 = BtreeNode::Decode(kLeafC1, "");
  const auto leaf2 = BtreeNode::Decode(kLeafC2, "");
  const auto root = BtreeNode::Decode(kRootC, "");
  ASSERT_TRUE(leaf1.ok() && leaf2.ok() && root.ok()) << leaf1.status() << leaf2.status() << root.status();
  EXPECT_EQ((*leaf1)->leaf_entries()[1].key, "2");
  EXPECT_EQ((*leaf2)->leaf_entries()[0].key, "b1");
  EXPECT_EQ((*root)->interior_entries()[1].key, "chunk/b1");
  EXPECT_EQ((*root)->interior_entries()[1].subtree_prefix_bytes, 6);

  const std::vector<LeafEntry> entries = {{"chunk/a1", {false, "11", {}}},
                                          {"chunk/a2", {false, "22", {}}},
                                          {"chunk/b1", {false, "33", {}}},
                                          {"chunk/c", {false, "44", {}}}};
  const std::vector<uint64_t> bytes = {26, 26, 26, 25};
  EXPECT_EQ(SplitEntries(bytes, 6, {60, 1}), (std::vector<size_t>{2, 4}));
  EXPECT_EQ(EstimatedBytes(entries[0]), 26);
  EXPECT_EQ(EncodeLeaf(std::span(entries).first(2), 7, {false, 0}).object, kLeafC1);
  EXPECT_EQ(EncodeLeaf(std::span(entries).last(2), 6, {false, 0}).object, kLeafC2);
  const DataFileId file("", kFileA);
  const std::vector<InteriorEntry> children = {{"chunk/a1", 7, {{file, 0, 34}, {2, 34, 0}}},
                                               {"chunk/b1", 6, {{file, 34, 35}, {2, 35, 0}}}};
  EXPECT_EQ(EstimatedBytes(children[0]), 98);
  EXPECT_EQ(SplitEntries(std::vector<uint64_t>{98, 98}, 6, {60, 2}), (std::vector<size_t>{2}));
  const EncodedNode encoded = EncodeInterior(1, children, 0, {false, 0});
  EXPECT_EQ(encoded.object, kRootC);
  EXPECT_EQ(encoded.statistics, (Statistics{4, 153, 0}));
}

TEST(Golden, VersionTreeD) {
  const auto leaf = DecodeVersionTreeNode(kVersionLeafD, "");
  ASSERT_TRUE(leaf.ok()) << leaf.status();
  ASSERT_EQ(leaf->versions.size(), 2);
  EXPECT_EQ(leaf->versions[1].generation, GenerationNumber{2});
  EXPECT_EQ(leaf->versions[1].root.location, (DataReference{DataFileId("", kFileD1), 0, 33}));
  EXPECT_EQ(leaf->versions[1].commit_time, kTime + absl::Nanoseconds(1));
  EXPECT_EQ(EncodeVersionTreeNode(*leaf, {false, 0}), kVersionLeafD);
  const auto node = DecodeVersionTreeNode(kVersionNodeD, "");
  ASSERT_TRUE(node.ok()) << node.status();
  const VersionNodeReference child{{2}, 2, {DataFileId("", kFileD2), 39, 124}, kTime, 0};
  EXPECT_EQ(node->children, std::vector<VersionNodeReference>{child});
  EXPECT_EQ(EncodeVersionTreeNode(*node, {false, 0}), kVersionNodeD);

  const std::string manifest_object =
      Hex(absl::StrCat("0cdb3a2a 7000000000000000 0000 000102030405060708090a0b0c0d0e0f 00 08 80808004 01 00 012200",
                       absl::BytesToHexString(kFileD2),
                       "01 03 00 00 00 27 032700 17cd853dfe9c9717 01 02 00 a301 47 02 15cd853dfe9c9717 01 52e86888"));
  const auto manifest = DecodeManifest(manifest_object);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(EncodeManifest(*manifest), manifest_object);
  ASSERT_EQ(manifest->version_tree_nodes.size(), 1);
  EXPECT_EQ(manifest->version_tree_nodes[0].height, 1);
  EXPECT_TRUE(CheckAgainstReference(*node, manifest->version_tree_nodes[0], 1).ok());
  EXPECT_FALSE(CheckAgainstReference(*leaf, manifest->version_tree_nodes[0], 1).ok());
}

TEST(Golden, TensorStoresOwnE) {
  const auto manifest = DecodeManifest(kManifestE);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->config.max_inline_value_bytes, 100);
  EXPECT_EQ(manifest->config.compression, (Compression{true, 0}));
  EXPECT_EQ(absl::ToUnixNanos(manifest->newest().commit_time), 1738272778344067964);
  EXPECT_EQ(manifest->newest().root.statistics, (Statistics{8, 89, 0}));
  EXPECT_EQ(EncodeManifest(*manifest), kManifestE);

  const auto leaf = BtreeNode::Decode(kLeafE, "");
  ASSERT_TRUE(leaf.ok()) << leaf.status();
  std::map<std::string, std::string> values;
  for (const LeafEntry& entry : (*leaf)->leaf_entries()) {
    values[std::string(entry.key)] = std::string(entry.value.inline_bytes);
  }
  EXPECT_EQ(values, (std::map<std::string, std::string>{{"#", ""},
                                                        {"a", "abc"},
                                                        {"b", "abc"},
                                                        {"baz/first", ""},
                                                        {"baz/x", ""},
                                                        {"baz/z", ""},
                                                        {"c", "bar"},
                                                        {"empty", ""}}));
  EXPECT_EQ(EncodeLeaf((*leaf)->leaf_entries(), 0, {true, 0}).object, kLeafE);
}

TEST(Golden, EveryDamagedByteIsNoticed) {
  using Decode = std::function<absl::Status(absl::string_view)>;
  const Decode manifest = [](absl::string_view b) { return DecodeManifest(b).status(); };
  const Decode config = [](absl::string_view b) { return DecodeManifestConfig(b).status(); };
  const Decode btree = [](absl::string_view b) { return BtreeNode::Decode(b, "").status(); };
  const Decode version = [](absl::string_view b) { return DecodeVersionTreeNode(b, "").status(); };
  const std::vector<std::pair<std::string, Decode>> objects = {
      {kManifestA, manifest}, {kManifestB, manifest}, {kNumberedConfigB, config}, {kManifestE, manifest},
      {kLeafA, btree},        {kLeafC1, btree},       {kLeafC2, btree},           {kRootC, btree},
      {kLeafD, btree},        {kLeafE, btree},        {kVersionLeafD, version},   {kVersionNodeD, version}};
  for (const auto& [object, decode] : objects) {
    ASSERT_TRUE(decode(object).ok()) << decode(object);
    for (size_t i = 0; i < object.size(); ++i) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string damaged = object;
        damaged[i] = static_cast<char>(damaged[i] ^ flip);
        EXPECT_EQ(decode(damaged).code(), absl::StatusCode::kDataLoss) << "byte " << i << " flipped by " << flip;
      }
      EXPECT_EQ(decode(object.substr(0, i)).code(), absl::StatusCode::kDataLoss) << "cut after " << i;
    }
    EXPECT_EQ(decode(object + '\0').code(), absl::StatusCode::kDataLoss);
  }
}

// The checksum stands before everything else; behind it the structure must hold on its own. Bodies are damaged and then
// wrapped anew, so that the checksum is right.
TEST(Golden, DamagedStructureNeverCrashes) {
  const auto try_all = [](const std::string& object, ObjectKind kind, const auto& decode) {
    const std::string body = DecodeEnvelope(kind, object).value();
    for (size_t i = 0; i < body.size(); ++i) {
      for (int value = 0; value < 256; ++value) {
        std::string damaged = body;
        damaged[i] = static_cast<char>(value);
        const absl::Status status = decode(EncodeEnvelope(kind, damaged, {false, 0}));
        EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
      }
      EXPECT_FALSE(decode(EncodeEnvelope(kind, body.substr(0, i), {false, 0})).ok());
    }
    EXPECT_FALSE(decode(EncodeEnvelope(kind, body + '\0', {false, 0})).ok());
  };
  const auto btree = [](absl::string_view b) { return BtreeNode::Decode(b, "").status(); };
  for (const std::string& node : {kLeafA, kRootC, kLeafE}) {
    try_all(node, ObjectKind::kBtreeNode, btree);
  }
  for (const std::string& manifest : {kManifestA, kManifestB, kManifestE}) {
    try_all(manifest, ObjectKind::kManifest, [](absl::string_view b) { return DecodeManifest(b).status(); });
  }
  for (const std::string& node : {kVersionLeafD, kVersionNodeD}) {
    try_all(node, ObjectKind::kVersionTreeNode,
            [](absl::string_view b) { return DecodeVersionTreeNode(b, "").status(); });
  }
}

TEST(Envelope, ZstdContentsMayHaveNoDeclaredSize) {
  std::string body(100'000, 'x');
  ZSTD_CStream* stream = ZSTD_createCStream();
  std::string frame(1000, '\0');
  ZSTD_outBuffer out{frame.data(), frame.size(), 0};
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  while (in.pos < in.size) {
    ASSERT_FALSE(ZSTD_isError(ZSTD_compressStream2(stream, &out, &in, ZSTD_e_continue)));
  }
  ASSERT_EQ(ZSTD_compressStream2(stream, &out, &in, ZSTD_e_end), 0);
  ZSTD_freeCStream(stream);
  frame.resize(out.pos);
  std::string object = EncodeEnvelope(ObjectKind::kBtreeNode, frame, {false, 0});
  object[13] = 1;
  object.resize(object.size() - 4);
  PutU32Le(object, Crc32c(object));
  EXPECT_EQ(DecodeEnvelope(ObjectKind::kBtreeNode, object).value(), body);
}

TEST(CoveredByHeight, ReferenceExamples) {
  const auto ranges = [](uint64_t newest, int arity_log2) {
    std::vector<std::pair<uint64_t, uint64_t>> out;
    for (const GenerationRange& range : CoveredByHeight({newest}, arity_log2)) {
      out.emplace_back(range.first, range.last);
    }
    return out;
  };
  using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;
  EXPECT_EQ(ranges(4, 2), Ranges{});
  EXPECT_EQ(ranges(8, 2), (Ranges{{1, 4}}));
  EXPECT_EQ(ranges(30, 2), (Ranges{{17, 28}, {1, 16}}));
  EXPECT_EQ(ranges(17, 1), (Ranges{{13, 16}, {9, 12}, {1, 8}}));
}

TEST(DataFileTable, BasePathsAndSharedPrefixes) {
  const std::vector<DataFileId> files = {DataFileId("a/", "d/11"), DataFileId("a/", "d/12"), DataFileId("a/b/", "d/1"),
                                         DataFileId("", "d/1"), DataFileId("", "")};
  DataFileTable table;
  for (const DataFileId& file : files) {
    table.Add(file);
    table.Add(file);
  }
  std::string encoded;
  table.Encode(encoded);
  ByteReader reader(encoded);
  const std::vector<DataFileId> decoded = DecodeDataFileTable(reader, "top/");
  reader.ExpectEnd();
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_EQ(decoded.size(), files.size());
  for (const DataFileId& file : files) {
    EXPECT_EQ(decoded[table.IndexOf(file)], DataFileId("top/" + file.base_path(), file.relative_path()));
  }
}

}  // namespace
}  // namespace cleave::ocdbt
