#!/usr/bin/env python3
"""TensorStore opens the segmentation of a project, the base and the fork, and finds supervoxels that fit the labels.

Usage: tensorstore_interop_test.py PATH/TO/ingest_peer     (needs: pip install numpy tensorstore)

Supervoxel ids are checked by what they mean: background where the labels are, one label an id, and the layer and chunk
that stand in the id's bits (8 bits layer, 10 bits each for x, y and z).
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import tensorstore as ts
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

SIZE = (70, 50, 33)
CHUNK = (32, 24, 16)
OFFSET = (-7, 20, 64)


def blobs():
    """Labels that fill cells of a coarse lattice, some of them background."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 6, size=[s // 8 + 1 for s in SIZE], dtype=np.uint64)
    cells = np.kron(coarse, np.ones((8, 8, 8), dtype=np.uint64))
    return np.asfortranarray(cells[tuple(slice(s) for s in SIZE)] * np.uint64(2**40))


def check_ids(ids, labels):
    np.testing.assert_array_equal(ids == 0, labels == 0)
    inside = ids != 0
    assert (ids[inside] >> np.uint64(56) == 1).all()
    where = np.meshgrid(*[np.arange(s) // c for s, c in zip(SIZE, CHUNK)], indexing="ij")
    for axis, shift in enumerate((46, 36, 26)):
        in_id = ids >> np.uint64(shift) & np.uint64(1023)
        np.testing.assert_array_equal(in_id[inside], where[axis][inside])
    pairs = np.unique(np.stack([ids[inside], labels[inside]]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1], "an id stands for two labels"


def open_volume(kvstore):
    return ts.open({"driver": "neuroglancer_precomputed", "kvstore": kvstore}).result()


def main(peer):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        labels = blobs()
        np.save(folder / "labels.npy", labels)
        spec = subprocess.run([peer, folder / "labels.npy", folder / "project", ",".join(map(str, CHUNK)),
                               ",".join(map(str, OFFSET))], check=True, capture_output=True, text=True).stdout
        base = {"driver": "ocdbt", "base": f"file://{folder}/project/ocdbt/base/"}
        contents = []
        for kvstore in (json.loads(spec), base):
            volume = open_volume(kvstore)
            assert volume.domain.origin[:3] == OFFSET and volume.domain.shape[:3] == SIZE, volume.domain
            contents.append(volume[ts.d["channel"][0]].read().result())
            check_ids(contents[-1], labels)
        np.testing.assert_array_equal(contents[0], contents[1])

        fork = open_volume(json.loads(spec))
        fork[OFFSET[0], OFFSET[1], OFFSET[2], 0] = 42
        assert open_volume(json.loads(spec))[OFFSET[0], OFFSET[1], OFFSET[2], 0].read().result() == 42
        assert open_volume(base)[OFFSET[0], OFFSET[1], OFFSET[2], 0].read().result() == contents[1][0, 0, 0]
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1])
