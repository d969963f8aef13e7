"""Goal: `cleave ingest mesh-meta` stores what mesh workers and clients must know, once and again; a branch has meshes of its
own; Python finds the record where PyChunkedGraph looks for it.

Method: small projects, of `cleave init`, of a dataset file and of a table that Python wrote; the record is unpickled with
stand-ins of the peer's classes (table_test.py). The program is $CLEAVE_PROGRAM, else build/release/cleave.
"""

import base64
import collections
import datetime
import json
import os
import pickle
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("CLEAVE_PROGRAM", ROOT / "build/release/cleave"))
if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)
np = pytest.importorskip("numpy")


def call(*arguments):
    return subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=300)


def run_json(*arguments):
    done = call(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def labels(tmp_path):
    ids = np.zeros((64, 32, 32), np.uint64)
    ids[2:60, 4:20, 4:20] = 7
    np.save(tmp_path / "labels.npy", ids)
    return tmp_path / "labels.npy"


@pytest.fixture
def project(labels, tmp_path):
    run_json("init", tmp_path / "p", "--segmentation", labels, "--resolution", "8,8,40", "--chunk-size", "32,32,32")
    return tmp_path / "p"


@pytest.fixture
def peer(monkeypatch):
    """The peer's classes, as far as unpickling needs them."""
    module = types.ModuleType("pychunkedgraph.graph.meta")

    for name, members in (("GraphConfig", "abcdefghi"), ("DataSource", "abcde")):
        setattr(module, name, collections.namedtuple(name, list(members), module=module.__name__))

    class ChunkedGraphMeta:
        def __init__(self, *parts):
            self.parts = parts

        def __new__(cls, *parts):
            return super().__new__(cls)

        @property
        def custom_data(self):
            return self.parts[2]

        def __getnewargs__(self):
            return self.parts[:2]

        def __getstate__(self):
            return dict(zip(("graph_config", "data_source", "custom_data"), self.parts))

        def __setstate__(self, state):
            self.__init__(state["graph_config"], state["data_source"], state.get("custom_data", {}))

    ChunkedGraphMeta.__module__, ChunkedGraphMeta.__qualname__ = module.__name__, "ChunkedGraphMeta"
    module.ChunkedGraphMeta = ChunkedGraphMeta
    for name in ("pychunkedgraph", "pychunkedgraph.graph"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def dumped_record(project, tmp_path):
    run_json("table", "dump", project, "--out", tmp_path / "dump.jsonl")
    for line in (tmp_path / "dump.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row.get("row") == base64.b64encode(b"meta").decode():
            (cell,) = row["cells"]
            return pickle.loads(base64.b64decode(cell[3]))
    raise AssertionError("there is no row meta")


def test_the_record_is_where_the_peer_looks(project, tmp_path, peer):
    first = run_json("ingest", "mesh-meta", project, "--max-layer", 2, "--max-error", 25)
    assert first["first"] and not first["changes"]
    mesh = dumped_record(project, tmp_path).custom_data["mesh"]
    assert mesh == first["record"]
    assert (mesh["dir"], mesh["dynamic_mesh_dir"], mesh["max_layer"], mesh["max_error"]) == ("mesh", "dynamic_graph", 2, 25.0)
    again = run_json("ingest", "mesh-meta", project)
    assert not again["first"] and not again["changes"] and again["record"] == mesh
    other = run_json("ingest", "mesh-meta", project, "--dir", "graphene_meshes", "--initial-time", "2030-01-01T00:00:00Z")
    assert other["initial_time_kept"] and other["initial_time"] == first["initial_time"]
    assert [(c["where"], c["member"], c["now"]) for c in other["changes"]] == [("record", "dir", '"graphene_meshes"')]
    assert dumped_record(project, tmp_path).custom_data["mesh"]["initial_ts"] == mesh["initial_ts"]
    info = json.loads((project / "meshes/graphene_meshes/info").read_text())
    assert info == other["info"] and info["@type"] == "neuroglancer_legacy_mesh"


def test_a_record_of_python_keeps_all_else(project, tmp_path, peer):
    custom = {"READ_ONLY": False, "seg": {"a": (1, 2)}, "mesh": {"dir": "m", "max_layer": 2, "mip": 0, "initial_ts": 1600000000}}
    run_json("export", project, "--what", "supervoxels", "--out", tmp_path / "seg.npy")
    run_json("table", "dump", project, "--out", tmp_path / "dump.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "dump.jsonl").read_text().splitlines()]
    ours = next(row for row in rows if row.get("row") == base64.b64encode(b"meta").decode())
    state = pickle.loads(base64.b64decode(ours["cells"][0][3]))
    assert state.custom_data == {}
    config = peer.GraphConfig("graph", "", [32, 32, 32], 2, 8, 10, False, datetime.timedelta(minutes=3), 8)
    source = peer.DataSource(None, None, None, 4, 0)
    for protocol in range(2, 6):
        made = peer.ChunkedGraphMeta(config, source, custom)
        ours["cells"][0][3] = base64.b64encode(pickle.dumps(made, protocol=protocol)).decode()
        dump = tmp_path / f"dump{protocol}.jsonl"
        dump.write_text("".join(json.dumps(row) + "\n" for row in rows))
        loaded = tmp_path / f"loaded{protocol}"
        run_json("table", "load", dump, loaded, "--segmentation", tmp_path / "seg.npy", "--edges", project / "edges", "--resolution", "8,8,40")
        report = run_json("ingest", "mesh-meta", loaded, "--mip", 0, "--max-error", 9)
        assert report["record"]["dir"] == "m" and report["record"]["initial_ts"] == 1600000000
        assert report["record"]["dynamic_mesh_dir"] == "dynamic"
        after = dumped_record(loaded, tmp_path).custom_data
        assert after.pop("mesh") == report["record"]
        assert after == {"READ_ONLY": False, "seg": {"a": (1, 2)}}


def test_a_dataset_file_says_it(labels, tmp_path):
    text = f"project: made\ngraph:\n  chunk-size: [32, 32, 32]\nvoxels:\n  segmentation: {labels}\n  resolution: [8, 8, 40]\n"
    (tmp_path / "dataset.yaml").write_text(text + "mesh:\n  max_layer: 2\n  sharding:\n    2: {minishard_bits: 6}\n")
    run_json("ingest", "graph", tmp_path / "dataset.yaml", "--workers", 1)
    report = run_json("ingest", "mesh-meta", tmp_path / "dataset.yaml")
    assert report["record"]["max_layer"] == 2 and report["info"]["sharding"]["2"]["minishard_bits"] == 6
    assert not run_json("ingest", "mesh-meta", tmp_path / "made")["changes"], "the file is kept with the project"
    (tmp_path / "dataset.yaml").write_text(text + "mesh:\n  lods: 3\n")
    wrong = call("ingest", "mesh-meta", tmp_path / "dataset.yaml")
    assert wrong.returncode == 2 and "lods" in wrong.stderr


def test_a_branch_has_single_files_of_its_own(project, tmp_path):
    run_json("ingest", "mesh-meta", project, "--folder", tmp_path / "elsewhere")
    run_json("branch", project, tmp_path / "b")
    record = run_json("ingest", "mesh-meta", tmp_path / "b")["record"]
    assert record["dynamic_mesh_dir"].startswith("dynamic_graph_") and record["folder"].endswith("/elsewhere/")
    assert run_json("ingest", "mesh-meta", project)["record"]["dynamic_mesh_dir"] == "dynamic_graph"


def test_a_copy_has_a_folder_of_single_files_named_after_it(project, tmp_path):
    shared = tmp_path / "elsewhere"
    run_json("ingest", "mesh-meta", project, "--folder", shared)
    copy = run_json("copy", project, tmp_path / "c", "--graph-id", "c1")
    assert copy["dynamic_mesh_dir"] == "dynamic_c1"
    record = run_json("ingest", "mesh-meta", tmp_path / "c")["record"]
    assert record["dynamic_mesh_dir"] == "dynamic_c1" and record["dir"] == "mesh"
    assert run_json("ingest", "mesh-meta", project)["record"]["dynamic_mesh_dir"] == "dynamic_graph"
    (shared / "mesh/dynamic_taken").mkdir(parents=True)
    (shared / "mesh/dynamic_taken/17:0:0-1_0-1_0-1").write_bytes(b"mesh")
    refused = call("copy", project, tmp_path / "d", "--graph-id", "taken")
    assert refused.returncode == 4 and "meshes of another graph" in refused.stderr and not (tmp_path / "d").exists()


def test_a_copy_takes_single_files_of_the_project_along(project, tmp_path):
    run_json("ingest", "mesh-meta", project)
    folder = project / "meshes/mesh/dynamic_graph"
    folder.mkdir(parents=True)
    (folder / "17:0:0-1_0-1_0-1").write_bytes(b"of no node of this graph")
    run_json("copy", project, tmp_path / "c")
    assert not (tmp_path / "c/meshes/mesh/dynamic_graph").exists()
    assert (tmp_path / "c/meshes/mesh/info").exists() and folder.exists()
    assert run_json("ingest", "mesh-meta", tmp_path / "c")["record"]["dynamic_mesh_dir"] == "dynamic_c"


def test_what_cannot_be_is_refused(project, tmp_path):
    for arguments, says in ((("--max-layer", 40), "max-layer"), (("--dir", "a/../b"), "a/../b"),
                            (("--initial-time", "noon"), "--initial-time"), (("--folder", "ftp://x/"), "ftp")):  # fmt: skip
        done = call("ingest", "mesh-meta", project, *arguments)
        assert done.returncode == 2 and says in done.stderr, done.stderr
    assert call("ingest", "mesh-meta", tmp_path / "none").returncode == 3
