"""Goal: every scale of a project is what tinybrain makes of the scale below, as TensorStore reads it: after init (of a copy
and of an overlay), and after edits once the worker, or a server, has followed them. A worker beside a server is told why
it cannot run.

Method: a small false merger with a neck is made, split and looked at through the specification that `cleave info` prints.
The program is $CLEAVE_PROGRAM, else build/release/cleave.
"""

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

if os.environ.get("CI") == "true":
    import tensorstore
    import tinybrain
else:
    tensorstore = pytest.importorskip("tensorstore")
    tinybrain = pytest.importorskip("tinybrain")

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("CLEAVE_PROGRAM") or ROOT / "build/release/cleave")
OK, REFUSED, IN_USE = 0, 4, 6
SIZE = (150, 90, 70)
SOURCE, SINK = "30,45,35", "110,45,35"
FACTORS = [(2, 2, 1), (2, 2, 1), (2, 2, 2)]

if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)


def run(*arguments, expect=OK):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_json(*arguments, expect=OK):
    return json.loads(run(*arguments, "--json", expect=expect).stdout)


def read_scale(kvstore, index):
    spec = {"driver": "neuroglancer_precomputed", "kvstore": kvstore, "scale_index": index}
    return tensorstore.open(spec, read=True, recheck_cached_data="open").result()[..., 0].read().result()


def stale_scales(kvstore, scales):
    """The scales that are not what tinybrain makes of the finest, as they are now."""
    fine = np.asfortranarray(read_scale(kvstore, 0))
    stale = []
    for index in range(1, scales):
        fine = tinybrain.downsample_segmentation(fine, FACTORS[index - 1], num_mips=1)[0]
        if not np.array_equal(read_scale(kvstore, index), fine):
            stale.append(index)
    return stale


@pytest.fixture
def project(tmp_path):
    random = np.random.default_rng(1)
    labels = random.integers(3, 60, size=[s // 8 + 1 for s in SIZE]).repeat(8, 0).repeat(8, 1).repeat(8, 2)
    labels = np.asfortranarray(labels[: SIZE[0], : SIZE[1], : SIZE[2]].astype(np.uint32))
    labels[10:70, 20:70, 10:60] = 1
    labels[70:130, 20:70, 10:60] = 2
    np.save(tmp_path / "labels.npy", labels)
    run("init", tmp_path / "project", "--segmentation", tmp_path / "labels.npy", "--resolution", "8,8,40",
        "--chunk-size", "32,32,32", "--fuse", "1,2", "--scales", len(FACTORS) + 1)  # fmt: skip
    return tmp_path / "project"


def test_scales_follow_edits(project):
    kvstore = run_json("info", project)["kvstore"]
    assert stale_scales(kvstore, 4) == []
    done = run_json("worker", "downsample", project)
    assert done == {"events": 0, "blocks": 0, "chunks_written": 0, "events_left": 0}
    split = run_json("split", project, "--source", SOURCE, "--sink", SINK)
    assert split["changed_boxes"]
    assert stale_scales(kvstore, 4) != []
    assert len(run_json("events", project, "--group", "downsample")["events"]) == 1
    run("fsck", project)  # what waits is no damage
    done = run_json("worker", "downsample", project)
    assert done["events"] == 1 and done["chunks_written"] > 0 and done["events_left"] == 0
    assert stale_scales(kvstore, 4) == []
    assert run_json("events", project, "--group", "downsample")["events"] == []
    run("undo", project, split["operation"])
    run("fsck", project)
    assert run_json("worker", "downsample", project, "--all")["chunks_written"] == 0
    assert stale_scales(kvstore, 4) == []


def test_groups_of_consumers(project):
    for source, sink in ((SOURCE, SINK), ("20,45,20", "20,45,55")):
        run("split", project, "--source", source, "--sink", sink)
    page = run_json("events", project, "--group", "meshes", "--limit", 1)
    assert len(page["events"]) == 1 and page["events"][0]["boxes"] and page["events"][0]["l2_nodes"]
    rest = run_json("events", project, "--group", "meshes", "--acknowledge", page["next"])
    assert len(rest["events"]) == 1 and rest["groups"]["meshes"] == page["next"]
    assert rest["events"][0]["operation"] != page["events"][0]["operation"]
    run("events", project, "--group", "no/name", expect=2)


def test_an_overlay_has_scales_of_its_own(project, tmp_path):
    ids = tmp_path / "ids.npy"
    run("export", project, "--what", "supervoxels", "--out", ids)
    metadata = {"resolution": [8, 8, 40], "size": SIZE, "chunk_size": [32, 32, 32], "key": "fine", "encoding": "raw"}
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{tmp_path}/original/", "scale_metadata": metadata,
            "multiscale_metadata": {"type": "segmentation", "data_type": "uint64", "num_channels": 1}}  # fmt: skip
    tensorstore.open(spec, create=True).result()[..., 0].write(np.load(ids)).result()
    over = tmp_path / "over"
    run("init", over, "--segmentation", f"file://{tmp_path}/original/", "--base", "overlay", "--chunk-size", "32,32,32",
        "--scales", 4)  # fmt: skip
    assert stale_scales(run_json("info", over)["kvstore"], 4) == []
    run("fsck", over)
    run("split", over, "--source", "12,30,20", "--sink", "28,30,20")
    run("worker", "downsample", over)
    run("fsck", over)
    assert stale_scales(run_json("info", over)["kvstore"], 4) == []


def test_a_server_follows_by_itself(project):
    kvstore = run_json("info", project)["kvstore"]
    server = subprocess.Popen([str(PROGRAM), "serve", str(project), "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        port = json.loads(server.stdout.readline())["port"]
        refused = run("worker", "downsample", project, expect=IN_USE)
        assert "no worker can run beside it" in refused.stderr
        points = [[[0, *(int(c) * nm for c, nm in zip(p.split(","), (8, 8, 40)))]] for p in (SOURCE, SINK)]
        base = f"http://127.0.0.1:{port}/segmentation/api/v1/table/graph/"
        body = json.dumps({"sources": points[0], "sinks": points[1]}).encode()
        with urllib.request.urlopen(urllib.request.Request(base + "split", data=body, method="POST")) as answer:
            assert len(json.load(answer)["new_root_ids"]) == 2
        for _ in range(300):
            with urllib.request.urlopen(base + "events?group=downsample") as answer:
                if not json.load(answer)["events"]:
                    break
            time.sleep(0.1)
        assert stale_scales(kvstore, 4) == []
    finally:
        server.terminate()
        server.wait(60)


