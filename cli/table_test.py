"""Goal: `cleave table dump` writes what KVDbClient's own deserializers read and what PyChunkedGraph's rules say of such a
table; `cleave table load` makes of a table written with KVDbClient's serializers a project that is the same graph, now
and in the past, and can be edited. `cleave ingest` reads files that protobuf and zstandard wrote here.

Method: a project with merges, splits by edges and a supervoxel split is made by the program. Its dump is decoded cell
by cell with kvdbclient's attributes; cross-chunk edges are lifted anew by a plain model in Python, at every moment in
the life of every node, and compared. Then the dump is written again as PyChunkedGraph would have left it: no supervoxel
pairs on nodes that edits made, locks, rows with binary keys; it is loaded, checked by fsck, dumped and compared.
"""

import base64
import collections
import datetime
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import types
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
attributes = pytest.importorskip("kvdbclient.attributes")
serializers = pytest.importorskip("kvdbclient.serializers")
zstandard = pytest.importorskip("zstandard")

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("CLEAVE_PROGRAM") or ROOT / "build/release/cleave")
SIZE, CHUNK = (96, 64, 32), (16, 16, 16)
LAYERS = 5  # 6 chunks along x: 5 layers

if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)


def run(*arguments, expect=0):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_json(*arguments, expect=0):
    return json.loads(run(*arguments, "--json", expect=expect).stdout)


# --- dumps ---


def read_dump(path):
    """{row key: {(family, qualifier): [(milliseconds, bytes), ...] newest first}}"""
    data = Path(path).read_bytes()
    if str(path).endswith(".zst"):
        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    lines = data.decode().splitlines()
    assert json.loads(lines[0]) == {"format": "cleave-table-dump", "version": 1}
    table = {}
    for line in lines[1:]:
        row = json.loads(line)
        key = base64.b64decode(row["row"])
        assert key not in table
        cells = collections.defaultdict(list)
        for family, qualifier, time_ms, value in row["cells"]:
            cells[(family, qualifier)].append((time_ms, base64.b64decode(value)))
        for versions in cells.values():
            assert [t for t, _ in versions] == sorted({t for t, _ in versions}, reverse=True)
        table[key] = dict(cells)
    return table


def write_dump(path, table):
    lines = [json.dumps({"format": "cleave-table-dump", "version": 1})]
    for key, cells in table.items():
        flat = [
            [family, qualifier, time_ms, base64.b64encode(value).decode()]
            for (family, qualifier), versions in cells.items()
            for time_ms, value in versions
        ]
        lines.append(json.dumps({"row": base64.b64encode(key).decode(), "cells": flat}))
    Path(path).write_text("\n".join(lines) + "\n")
    return path


def attribute(column):
    return attributes.from_key(column[0], column[1].encode())


def decode(column, value):
    return attribute(column).deserialize(value)


def column_of(attribute):
    return attribute.family_id, attribute.key.decode()


CHILD, PARENT = column_of(attributes.Hierarchy.Child), column_of(attributes.Hierarchy.Parent)
NEW_IDENTITY = column_of(attributes.Hierarchy.NewIdentity)


def layer_of(node):
    return int(node) >> 56


class Graph:
    """A table, and PyChunkedGraph's rules for reading it."""

    def __init__(self, table):
        self.table = table
        self.nodes = [int(key) for key in table if key.isdigit() and layer_of(int(key)) >= 1]
        self.operations = [int(key) for key in table if key.isdigit() and layer_of(int(key)) == 0]

    def row(self, node):
        return self.table.get(serializers.serialize_uint64(np.uint64(node)), {})

    def parent(self, node, time_ms):
        for time, value in self.row(node).get(PARENT, []):
            if time <= time_ms:
                return int(decode(PARENT, value))
        return 0

    def lift(self, node, layer, time_ms):
        while True:
            up = self.parent(node, time_ms)
            if up == 0 or layer_of(up) > layer:
                return node
            node = up

    def root(self, node, time_ms):
        return self.lift(node, LAYERS, time_ms)

    def children(self, node):
        return [int(c) for c in decode(CHILD, self.row(node)[CHILD][0][1])]

    def made(self, node):
        return self.row(node)[CHILD][0][0]

    def ended(self, node):
        ends = []
        for child in self.children(node):
            ends += [t for t, v in self.row(child).get(PARENT, []) if t > self.made(node) and int(decode(PARENT, v)) != node]
            ends += [t for t, _ in self.row(child).get(NEW_IDENTITY, [])]
        return min([t for t in ends if t > self.made(node)], default=2**60)

    def leaves(self, node):
        if layer_of(node) == 1:
            return [node]
        return [leaf for child in self.children(node) for leaf in self.leaves(child)]

    def pairs(self, l2_node, layer):
        column = column_of(attributes.Connectivity.AtomicCrossChunkEdge[layer])
        versions = self.row(l2_node).get(column, [])
        return {tuple(map(int, pair)) for pair in decode(column, versions[0][1])} if versions else set()

    def l2_nodes(self, node):
        return [node] if layer_of(node) == 2 else [l for c in self.children(node) for l in self.l2_nodes(c)]


# --- a project with a history ---


def make_labels():
    """Rows of blocks along x that touch face to face; in the middle of a row the contact is small."""
    labels = np.zeros(SIZE, np.uint32, order="F")
    label = 0
    for y in range(2, 58, 14):
        for x in range(1, 90, 11):
            label += 1
            labels[x : x + 11, y : y + (3 if x == 45 else 10), 3:29] = label
    return labels


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    labels = make_labels()
    np.save(folder / "labels.npy", labels)
    objects = {int(label): 1000 + y for y in (3, 17) for label in np.unique(labels[:, y, 10])}
    (folder / "objects.csv").write_text("".join(f"{label},{objects.get(label, label)}\n" for label in range(1, labels.max() + 1)))
    run("init", folder / "p", "--segmentation", folder / "labels.npy", "--resolution", "8,8,40", "--chunk-size",
        ",".join(map(str, CHUNK)), "--agglomeration", folder / "objects.csv")

    def edit(kind, source, sink):
        return run_json(kind, folder / "p", "--source", source, "--sink", sink, "--user", "ana")

    edit("split", "18,6,10", "73,6,10")  # an object of many labels: edges are cut
    edit("split", "18,20,10", "73,20,10")
    edit("merge", "43,4,10", "46,4,10")  # what was cut is joined again
    edit("merge", "18,34,10", "29,34,10")  # touching neighbours
    edit("merge", "6,34,10", "6,48,10")  # do not touch: an edge of the user's
    edit("split", "75,50,5", "69,50,26")  # inside one label: supervoxels are cut
    assert run_json("fsck", folder / "p")["clean"] is True
    run("table", "dump", folder / "p", "--out", folder / "dump.jsonl.zst")
    run("export", folder / "p", "--what", "supervoxels", "--out", folder / "seg.npy")
    return folder


@pytest.fixture(scope="module")
def dumped(project):
    return Graph(read_dump(project / "dump.jsonl.zst"))


def test_every_cell_is_one_that_kvdbclient_reads(dumped):
    seen = set()
    for key, cells in dumped.table.items():
        for column, versions in cells.items():
            for _, value in versions:
                if column != ("0", "meta"):
                    decode(column, value)
            seen.add(column[1])
    for needed in ("children parents new_parents former_parents former_ids new_ids cross_edges_2 atomic_cross_edges_2 "
                   "operation_status operation_ts source_coords roots fake_edges split_edges counter version").split():
        assert needed in seen, needed
    assert not any(name.startswith("cleave_") for name in seen)
    assert len(dumped.operations) == 6
    keys = {key.decode() for key in dumped.table}
    assert all(key.isdigit() or key[0] in "if" or key in ("meta", "version") for key in keys)
    log = dumped.table[serializers.serialize_uint64(np.uint64(1))]
    assert decode(("0", "operation_status"), log[("0", "operation_status")][0][1]) == 0
    assert isinstance(decode(("0", "operation_ts"), log[("0", "operation_ts")][0][1]), datetime.datetime)


def test_parents_children_and_lineage_agree(dumped):
    times = sorted({t for node in dumped.nodes for t, _ in dumped.row(node).get(PARENT, [])})
    assert len(times) == 7
    for node in dumped.nodes:
        if layer_of(node) == 1:
            for time in times:
                assert layer_of(dumped.root(node, time)) == LAYERS
        else:
            for child in dumped.children(node):
                assert dumped.parent(child, dumped.made(node)) == node


def test_cross_edges_are_lifted_at_every_moment(dumped):
    times = sorted({t for node in dumped.nodes for t, _ in dumped.row(node).get(PARENT, [])})
    versions_seen = 0
    for node in dumped.nodes:
        layer = layer_of(node)
        if layer < 2:
            continue
        for edge_layer in range(layer, LAYERS):
            column = column_of(attributes.Connectivity.CrossChunkEdge[edge_layer])
            versions = dumped.row(node).get(column, [])
            pairs = set().union(*(dumped.pairs(l2, edge_layer) for l2 in dumped.l2_nodes(node)))
            assert bool(versions) == bool(pairs)
            for time in [t for t in times if dumped.made(node) <= t < dumped.ended(node)]:
                expected = {(node, dumped.lift(partner, layer, time)) for _, partner in pairs}
                newest = next((v for t, v in versions if t <= time), None)
                found = set() if newest is None else {tuple(map(int, e)) for e in decode(column, newest)}
                assert found == expected, (node, edge_layer, time)
                if newest is not None:
                    assert decode(column, newest).shape == (len(expected), 2)
            for (_, newer), (_, older) in zip(versions, versions[1:]):
                assert newer != older
            versions_seen = max(versions_seen, len(versions))
        assert layer == 2 or not any(q.startswith("atomic") for _, q in dumped.row(node))
    assert versions_seen >= 2, "no neighbour of an edited node was seen to change"


def test_counters_give_ids_that_are_new(dumped):
    counter = ("1", "counter")
    largest = collections.Counter()
    for node in dumped.nodes:
        segment_bits = 64 - 8 - 3 * (10 if layer_of(node) <= 2 else max(1, LAYERS - layer_of(node)))
        chunk = node >> segment_bits << segment_bits
        largest[chunk] = max(largest[chunk], node - chunk)
    for chunk, segment in largest.items():
        row = dumped.table[serializers.serialize_uint64(np.uint64(chunk), counter=True)]
        assert decode(counter, row[counter][0][1]) >= segment
        if layer_of(chunk) == LAYERS:
            for number in range(256):
                key = f"i{chunk:020d}_{number}".encode()
                value = int(decode(counter, dumped.table[key][counter][0][1]))
                assert (value + 1) * 256 + number > segment
    assert decode(counter, dumped.table[b"ioperations"][counter][0][1]) == 6


# --- the pickled record: doubles of PyChunkedGraph's classes, by name and shape ---


@pytest.fixture()
def peer_classes(monkeypatch):
    module = types.ModuleType("pychunkedgraph.graph.meta")

    def record(name, fields):
        made = collections.namedtuple(name, fields)
        made.__module__ = module.__name__
        setattr(module, name, made)

    record("GraphConfig", "ID ID_PREFIX CHUNK_SIZE FANOUT LAYER_ID_BITS SPATIAL_BITS OVERWRITE ROOT_LOCK_EXPIRY ROOT_COUNTERS")
    record("DataSource", "EDGES COMPONENTS WATERSHED DATA_VERSION CV_MIP")

    class ChunkedGraphMeta:
        def __init__(self, graph_config, data_source, custom_data):
            self.parts = graph_config, data_source, custom_data

        def __getnewargs__(self):
            return self.parts[:2]

        def __getstate__(self):
            return dict(zip(("graph_config", "data_source", "custom_data"), self.parts))

        def __setstate__(self, state):
            self.__init__(state["graph_config"], state["data_source"], state["custom_data"])

    ChunkedGraphMeta.__module__ = module.__name__
    ChunkedGraphMeta.__qualname__ = "ChunkedGraphMeta"
    module.ChunkedGraphMeta = ChunkedGraphMeta
    for name in ("pychunkedgraph", "pychunkedgraph.graph"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_the_record_unpickles_as_peers_class(dumped, peer_classes):
    config, source, custom = decode(("0", "meta"), dumped.table[b"meta"][("0", "meta")][0][1]).parts
    assert isinstance(config, peer_classes.GraphConfig) and isinstance(source, peer_classes.DataSource)
    assert (config.ID, config.ID_PREFIX, config.CHUNK_SIZE, config.FANOUT) == ("graph", "", list(CHUNK), 2)
    assert (config.LAYER_ID_BITS, config.SPATIAL_BITS, config.OVERWRITE) == (8, 10, False)
    assert config.ROOT_LOCK_EXPIRY == datetime.timedelta(minutes=3)
    assert source.CV_MIP == 0 and custom == {}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("chunk_size", [list(CHUNK), tuple(CHUNK), np.array(CHUNK), [np.int64(c) for c in CHUNK]])
def test_reads_the_peers_record(project, dumped, peer_classes, tmp_path, protocol, chunk_size):
    config = peer_classes.GraphConfig("minnie", "pre_", chunk_size, 2, 8, 10, False, datetime.timedelta(minutes=3), 8)
    source = peer_classes.DataSource("gs://e", None, "gs://w", 4, 0)
    custom = {"mesh": {"dir": "graphene_meshes", "max_layer": 6}, "READ_ONLY": False, "scale": 1.5, "t": datetime.timezone.utc}
    table = dict(dumped.table)
    meta = pickle.dumps(peer_classes.ChunkedGraphMeta(config, source, custom), protocol=protocol)
    table[b"meta"] = {("0", "meta"): [(1, meta)]}
    load(write_dump(tmp_path / "d.jsonl", table), project, tmp_path / "p")
    info = run_json("info", tmp_path / "p", "--brief")
    assert info["chunk_size"] == list(CHUNK) and info["graph_id"] == "pre_minnie"
    run("table", "dump", tmp_path / "p", "--out", tmp_path / "again.jsonl")
    assert read_dump(tmp_path / "again.jsonl")[b"meta"][("0", "meta")][0][1] == meta


# --- loading ---


def load(dump, project, folder, *options):
    return run_json("table", "load", dump, folder, "--segmentation", project / "seg.npy", "--edges", project / "p/edges",
                    "--resolution", "8,8,40", *options)


def without_times_of_counters(table):
    return {
        key: {column: [v for _, v in versions] if column == ("1", "counter") else versions for column, versions in cells.items()}
        for key, cells in table.items()
    }


# The record is a pickle of a class that is not here; counters are written by the store that increments them.
NOT_WRITTEN = ("0", "meta"), ("1", "counter")


def as_the_peer_leaves_it(graph):
    """What PyChunkedGraph would have written: pairs on L2 nodes of ingest only; every value by KVDbClient's serializer."""
    ingested = min(graph.made(node) for node in graph.nodes if layer_of(node) == 2)
    table = {}
    for key, cells in graph.table.items():
        is_edited_l2 = key.isdigit() and layer_of(int(key)) == 2 and graph.made(int(key)) > ingested
        table[key] = {
            column: [(t, v if column in NOT_WRITTEN else attribute(column).serialize(decode(column, v))) for t, v in versions]
            for column, versions in cells.items()
            if not (is_edited_l2 and column[1].startswith("atomic_cross_edges"))
        }
    lock = attributes.Concurrency.Lock.serialize(np.uint64(7))
    table[b"\x30\x31" + struct.pack(">Q", 1 << 57)] = {("0", "lock"): [(5, lock)]}
    root = next(key for key in table if key.isdigit() and layer_of(int(key)) == LAYERS)
    table[root] = {**table[root], ("0", "indefinite_lock"): [(5, lock)]}
    return table


def test_a_table_as_the_peer_leaves_it_becomes_the_same_graph(project, dumped, tmp_path):
    made = load(write_dump(tmp_path / "peer.jsonl", as_the_peer_leaves_it(dumped)), project, tmp_path / "p")
    assert made["recovered_l2_nodes"] > 0 and made["operations"] == 6 and made["unfinished_operations"] == 0
    assert made["skipped"] == 1
    assert run_json("fsck", tmp_path / "p")["findings"] == []
    run("table", "dump", tmp_path / "p", "--out", tmp_path / "again.jsonl")
    again = read_dump(tmp_path / "again.jsonl")
    expected = without_times_of_counters(dumped.table)
    found = without_times_of_counters(again)
    assert found.keys() == expected.keys()
    for key, cells in expected.items():
        for column, versions in cells.items():
            if column[1].startswith(("cross_edges", "atomic_cross_edges", "children")):
                pairs = [(t, np.sort(decode(column, v), axis=0).tolist()) for t, v in found[key][column]]
                assert pairs == [(t, np.sort(decode(column, v), axis=0).tolist()) for t, v in versions], (key, column)
            else:
                assert found[key][column] == versions, (key, column)


def test_a_loaded_project_has_a_past_and_can_be_edited(project, dumped, tmp_path):
    load(write_dump(tmp_path / "peer.jsonl", as_the_peer_leaves_it(dumped)), project, tmp_path / "p")
    for command in (["lookup", "--point", "6,6,10", "84,6,10", "6,20,10", "9,34,26"], ["log"]):
        ours = run_json(command[0], tmp_path / "p", *command[1:])
        theirs = run_json(command[0], project / "p", *command[1:])
        if command[0] == "lookup":
            assert ours == theirs
        else:
            assert [o["operation"] for o in ours["operations"]] == [o["operation"] for o in theirs["operations"]]
            assert [o.get("old_roots") for o in ours["operations"]] == [o.get("old_roots") for o in theirs["operations"]]
    times = sorted({t for node in dumped.nodes for t, _ in dumped.row(node).get(PARENT, [])})
    supervoxel = run_json("lookup", project / "p", "--point", "84,6,10")["points"][0]["supervoxel"]
    for time in times:
        at = datetime.datetime.fromtimestamp(time // 1000, datetime.timezone.utc).strftime(f"%Y-%m-%dT%H:%M:%S.{time % 1000:03d}Z")
        root = run_json("root", tmp_path / "p", "--supervoxel", supervoxel, "--at", at)["root"]
        assert int(root) == dumped.root(int(supervoxel), time)
    merged = run_json("merge", tmp_path / "p", "--source", "18,20,10", "--sink", "73,20,10")
    assert merged["operation"] == 7 and int(merged["new_roots"][0]) not in dumped.nodes
    run_json("split", tmp_path / "p", "--source", "18,6,10", "--sink", "73,6,10")
    assert run_json("fsck", tmp_path / "p")["findings"] == []


def test_supervoxels_with_several_lives_are_loaded(project, tmp_path):
    """An undo with voxels gives ids back that a cut had ended; the loaded graph knows every life of them."""
    shutil.copytree(project / "p", tmp_path / "p")
    for command in (["undo", "6", "--voxels"], ["redo", "6"], ["undo", "6", "--voxels"]):
        run_json(command[0], tmp_path / "p", *command[1:])
    points = ["--point", "75,50,5", "69,50,26", "84,6,10"]
    for name, rest in (("undone", []), ("cut", ["redo", "6"])):
        if rest:
            run_json(rest[0], tmp_path / "p", *rest[1:])
        run("export", tmp_path / "p", "--what", "supervoxels", "--out", tmp_path / f"{name}.npy")
        run("table", "dump", tmp_path / "p", "--out", tmp_path / f"{name}.jsonl")
        run("table", "load", tmp_path / f"{name}.jsonl", tmp_path / name, "--segmentation", tmp_path / f"{name}.npy",
            "--edges", tmp_path / "p/edges", "--resolution", "8,8,40", "--quiet")
        assert run_json("fsck", tmp_path / name)["findings"] == []
        run("table", "dump", tmp_path / name, "--out", tmp_path / "again.jsonl")
        again = read_dump(tmp_path / "again.jsonl")
        for key, cells in read_dump(tmp_path / f"{name}.jsonl").items():
            if key.isdigit():
                assert again[key] == cells
        assert run_json("lookup", tmp_path / name, *points) == run_json("lookup", tmp_path / "p", *points)
        ends = [p["root"] for p in run_json("lookup", tmp_path / name, *points)["points"][:2]]
        assert (ends[0] == ends[1]) == (name == "undone")
    merged = run_json("merge", tmp_path / "cut", "--source", "75,50,5", "--sink", "69,50,26")
    assert len(merged["new_roots"]) == 1
    assert run_json("fsck", tmp_path / "cut")["findings"] == []


def test_loads_that_cannot_be(project, dumped, tmp_path):
    def refused(table, code, says):
        dump = write_dump(tmp_path / "bad.jsonl", table)
        done = run("table", "load", dump, tmp_path / "p", "--segmentation", project / "seg.npy", "--edges",
                   project / "p/edges", "--resolution", "8,8,40", "--quiet", expect=code)
        assert says in done.stderr, done.stderr
        shutil.rmtree(tmp_path / "p", ignore_errors=True)

    table = as_the_peer_leaves_it(dumped)
    refused({k: v for k, v in table.items() if k != b"meta"}, 4, "chunk size")
    counter = next(key for key in table if key.startswith(b"i0"))
    refused({**table, counter: {("1", "counter"): [(1, struct.pack(">q", 1 << 60))]}}, 5, "more than")
    refused({**table, b"meta": {("0", "meta"): [(1, pickle.dumps({"a": 1}))]}}, 5, "ChunkedGraphMeta")
    refused({**table, str(9 << 56 | 1).zfill(20).encode(): {CHILD: table[next(k for k in table if CHILD in table[k])][CHILD]}},
            5, "chunk size")
    edited = next(k for k, cells in table.items() if k.isdigit() and layer_of(int(k)) == 2
                  and ("4", "cross_edges_2") in cells and not any(c[1].startswith("atomic") for c in cells))
    column = ("4", "cross_edges_2")
    lonely = np.array([[int(edited), next(n for n in dumped.nodes if layer_of(n) == 2 and dumped.lift(n, LAYERS, 2**60)
                                          != dumped.lift(int(edited), LAYERS, 2**60))]], np.uint64)
    broken = {**table[edited], column: [(table[edited][CHILD][0][0], attribute(column).serialize(lonely))]}
    refused({**table, edited: broken}, 5, "no edge file and no edit")
    (tmp_path / "cut.jsonl.zst").write_bytes((project / "dump.jsonl.zst").read_bytes()[:-20])
    done = run("table", "load", tmp_path / "cut.jsonl.zst", tmp_path / "p", "--segmentation", project / "seg.npy", "--edges",
               project / "p/edges", "--resolution", "8,8,40", "--quiet", expect=5)
    assert "cut short" in done.stderr or "damaged" in done.stderr
    assert not (tmp_path / "p").exists()


# --- ingest of files that were written here ---


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def test_ingest_reads_protobuf_of_others(project, tmp_path):
    """Two supervoxels a chunk in a row of three chunks, joined along the row."""
    chunk = (8, 8, 8)
    seg = np.zeros((24, 8, 8), np.uint64, order="F")

    def sv(x, segment):
        return 1 << 56 | x << 46 | segment

    for x in range(3):
        seg[8 * x : 8 * x + 8, :4] = sv(x, 10)  # segments need not be dense
        seg[8 * x : 8 * x + 8, 4:] = sv(x, 20)
    np.save(tmp_path / "seg.npy", seg)
    (tmp_path / "edges").mkdir()
    (tmp_path / "components").mkdir()
    for x in range(3):
        kinds = {1: [(sv(x, 10), sv(x, 20), 0.25, 32)], 2: [], 3: []}
        for other in (x - 1, x + 1):
            if 0 <= other < 3:
                kinds[2].append((sv(x, 10), sv(other, 10), np.inf, 1))
                kinds[3].append((sv(x, 20), sv(other, 20), 0.5, 32))
        message = b""
        for number, edges in kinds.items():
            if edges:
                one, two, affinity, area = zip(*edges)
                message += field(number, field(1, np.array(one, "<u8").tobytes()) + field(2, np.array(two, "<u8").tobytes())
                                 + field(3, np.array(affinity, "<f4").tobytes()) + field(4, np.array(area, "<u8").tobytes()))
        compressor = zstandard.ZstdCompressor(level=17)
        data = compressor.compress(message)
        if x == 1:  # as a streaming compressor leaves it, without its size
            stream = compressor.compressobj()
            data = stream.compress(message) + stream.flush()
        (tmp_path / f"edges/edges_{x}_0_0.proto.zst").write_bytes(data)
        # The last border is joined on both sides, the first is not.
        joined = [2, sv(1, 20), sv(2, 20)] if x else [1, sv(0, 20)]
        (tmp_path / f"components/components_{x}_0_0.proto").write_bytes(field(1, b"".join(map(varint, joined))))
    made = run_json("ingest", tmp_path / "p", "--segmentation", tmp_path / "seg.npy", "--edges", tmp_path / "edges",
                    "--components", tmp_path / "components", "--chunk-size", ",".join(map(str, chunk)), "--resolution", "8,8,40")
    assert made["supervoxels"] == 6 and made["edges"] == {"inside": 3, "between": 2, "cross": 2} and made["roots"] == 3
    points = run_json("lookup", tmp_path / "p", "--point", "1,1,1", "20,1,1", "1,6,1", "9,6,1", "20,6,1")["points"]
    assert [int(p["supervoxel"]) for p in points] == [sv(0, 10), sv(2, 10), sv(0, 20), sv(1, 20), sv(2, 20)]
    roots = [p["root"] for p in points]
    assert roots[0] == roots[1] and roots[3] == roots[4] and len(set(roots)) == 3
    assert run_json("fsck", tmp_path / "p")["clean"] is True
    assert run_json("ingest", tmp_path / "p", "--segmentation", tmp_path / "seg.npy", "--edges", tmp_path / "edges",
                    "--components", tmp_path / "components", "--chunk-size", "8,8,8", "--resolution", "8,8,40")["roots"] == 3


def test_the_manual_is_what_help_says():
    manual = (ROOT / "docs/cli.md").read_text()
    for command in ("dump", "load"):
        page = run("table", command, "--help").stdout
        assert page[page.index("Usage:") :].rstrip() in manual and f"### table {command}\n" in manual
