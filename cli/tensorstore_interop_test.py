"""Goal: TensorStore opens the base and the fork of a project through the specification that `cleave info` prints, and
reads the same voxels as `cleave export` before a split, after it, and after it at the version before. A volume that
TensorStore wrote can lie under a project without a copy, and is read through it by TensorStore, too.

Method: a small false merger is made, split, and read by both programs at each of these moments. For the overlay, the
supervoxels of that project are written by TensorStore as the original.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

if os.environ.get("CI") == "true":
    import tensorstore
else:
    tensorstore = pytest.importorskip("tensorstore")

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("CLEAVE_PROGRAM") or ROOT / "build/release/cleave")
OFFSET, SIZE = (-13, 7, 100), (72, 40, 32)
SOURCE, SINK = "7,27,116", "31,27,116"


def run(*arguments):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def read(kvstore, **version):
    spec = {"driver": "neuroglancer_precomputed", "kvstore": {**kvstore, **version}, "scale_index": 0}
    volume = tensorstore.open(spec, read=True).result()
    assert volume.domain.inclusive_min[:3] == OFFSET and volume.domain.shape[:3] == SIZE
    return volume[..., 0].read().result()


def exported(project, path, *moment):
    run("export", project, "--what", "supervoxels", *moment, "--out", path)
    return np.load(path)


def test_tensorstore_sees_every_version(tmp_path):
    labels = np.zeros(SIZE, np.uint32, order="F")
    labels[4:32, 8:32, 4:28] = 1
    labels[32:60, 8:32, 4:28] = 2
    np.save(tmp_path / "labels.npy", labels)
    project = tmp_path / "project"
    run("init", project, "--segmentation", tmp_path / "labels.npy", "--resolution", "8,8,40", "--chunk-size", "32,32,32",
        f"--voxel-offset={','.join(map(str, OFFSET))}", "--fuse", "1,2")
    info = json.loads(run("info", project, "--json"))
    before = read(info["kvstore"])
    assert np.array_equal(before, exported(project, tmp_path / "before.npy"))
    assert np.array_equal(before != 0, labels != 0)
    coarser = tensorstore.open({"driver": "neuroglancer_precomputed", "kvstore": info["kvstore"], "scale_index": 1}).result()
    assert coarser.domain.inclusive_min[:3] == (-7, 3, 100) and coarser.domain.exclusive_max[:3] == (30, 24, 132)
    assert coarser.read().result().any(), "filled by init; scales_test.py looks at each of them"

    edit = json.loads(run("split", project, "--source", SOURCE, "--sink", SINK, "--json"))
    assert edit["fresh_supervoxels"] and edit["generation"] == info["generation"] + 1
    after = read(info["kvstore"])
    assert np.array_equal(after, exported(project, tmp_path / "after.npy"))
    assert not np.array_equal(after, before)
    pinned = read(info["kvstore"], version=info["generation"])
    assert np.array_equal(pinned, before)
    assert np.array_equal(pinned, exported(project, tmp_path / "then.npy", "--generation", info["generation"]))

    base = {"driver": "ocdbt", "base": f"file://{project}/ocdbt/base/"}
    assert np.array_equal(read(base), before), "the base never changes"


def write_original(folder, ids, encoding):
    metadata = {"resolution": [8, 8, 40], "size": SIZE, "voxel_offset": OFFSET, "chunk_size": [16, 32, 16], "key": "fine",
                "encoding": encoding}
    if encoding == "compressed_segmentation":
        metadata["compressed_segmentation_block_size"] = [8, 8, 8]
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{folder}/", "scale_metadata": metadata,
            "multiscale_metadata": {"type": "segmentation", "data_type": "uint64", "num_channels": 1}}
    volume = tensorstore.open(spec, create=True).result()
    volume[..., 0].write(ids).result()


@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
def test_tensorstore_reads_through_an_overlay(tmp_path, encoding):
    labels = np.zeros(SIZE, np.uint32, order="F")
    labels[4:32, 8:32, 4:28] = 1
    labels[32:60, 8:32, 4:28] = 2
    np.save(tmp_path / "labels.npy", labels)
    copy, project, original = (tmp_path / name for name in ("copy", "project", "original"))
    run("init", copy, "--segmentation", tmp_path / "labels.npy", "--resolution", "8,8,40", "--chunk-size", "32,32,32",
        f"--voxel-offset={','.join(map(str, OFFSET))}", "--fuse", "1,2")
    ids = exported(copy, tmp_path / "ids.npy")
    write_original(original, ids, encoding)
    (tmp_path / "pieces.csv").write_text("".join(f"{i},1\n" for i in np.unique(ids[ids != 0])))
    files = {path: path.read_bytes() for path in original.rglob("*") if path.is_file()}
    run("init", project, "--segmentation", f"file://{original}", "--base", "overlay", "--chunk-size", "32,32,32",
        "--pieces", tmp_path / "pieces.csv")
    info = json.loads(run("info", project, "--json"))
    assert info["base"] == "overlay" and info["original"] == f"file://{original}/"
    before = read(info["kvstore"])
    assert np.array_equal(before, ids) and np.array_equal(before, exported(project, tmp_path / "before.npy"))

    edits = [json.loads(run("split", folder, "--source", SOURCE, "--sink", SINK, "--json")) for folder in (copy, project)]
    assert edits[1]["fresh_supervoxels"]
    after = exported(project, tmp_path / "after.npy")
    assert np.array_equal(after, exported(copy, tmp_path / "copy.npy"))
    assert not np.array_equal(after, before)
    assert np.array_equal(read(json.loads(run("info", project, "--json"))["kvstore"]), after)
    assert np.array_equal(read(info["kvstore"]), before), "a specification shows its generation"
    assert {path: path.read_bytes() for path in original.rglob("*") if path.is_file()} == files
