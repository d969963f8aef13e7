#!/usr/bin/env python3
"""TensorStore reads the volumes we write, and we read those that it writes.

Usage: tensorstore_interop_test.py PATH/TO/volume_peer     (needs: pip install numpy tensorstore)

For each encoding: random labels with clipped end chunks and a voxel offset that is not zero go through both programs
in both directions; where both wrote the same labels, the chunk files must be the same, byte for byte.
"""
import filecmp
import os
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

SIZE = (100, 70, 45)
CHUNK = (32, 32, 16)
OFFSET = (7, -20, 64)


def random_labels(seed):
    """Blobs of a few labels, one noisy corner of many, and an empty part, so that every kind of block occurs."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 2**63, size=[(s + 9) // 10 for s in SIZE], dtype=np.uint64)
    labels = coarse.repeat(10, 0).repeat(10, 1).repeat(10, 2)[tuple(slice(s) for s in SIZE)].copy()
    labels[:20, :20, :20] = random.integers(0, 2**20, size=(20, 20, 20), dtype=np.uint64)
    labels[64:, 32:, :16] = 0
    return np.asfortranarray(labels)


def open_tensorstore(folder, encoding, create):
    spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": f"{folder}/"}}
    if not create:
        return ts.open(spec).result()
    spec["multiscale_metadata"] = {"data_type": "uint64", "num_channels": 1, "type": "segmentation"}
    spec["scale_metadata"] = {
        "key": "8_8_40", "resolution": [8, 8, 40], "size": SIZE, "voxel_offset": OFFSET, "chunk_size": CHUNK,
        "encoding": encoding}
    if encoding == "compressed_segmentation":
        spec["scale_metadata"]["compressed_segmentation_block_size"] = [8, 8, 8]
    return ts.open(spec, create=True).result()


def check(peer, encoding, folder):
    labels = random_labels(len(encoding))
    np.save(folder / "labels.npy", labels)
    ours, theirs = folder / "ours", folder / "theirs"
    subprocess.run([peer, "write", ours, encoding, ",".join(map(str, CHUNK)), ",".join(map(str, OFFSET)),
                    folder / "labels.npy"], check=True)
    store = open_tensorstore(ours, encoding, create=False)
    assert store.domain.origin[:3] == OFFSET, store.domain
    np.testing.assert_array_equal(store[ts.d["channel"][0]].read().result(), labels)

    open_tensorstore(theirs, encoding, create=True)[ts.d["channel"][0]].write(labels).result()
    subprocess.run([peer, "read", theirs, folder / "read.npy"], check=True)
    np.testing.assert_array_equal(np.load(folder / "read.npy"), labels)

    names = sorted(os.listdir(theirs / "8_8_40"))
    assert names == sorted(n for n in os.listdir(ours / "8_8_40")), "the chunks have the same names"
    different = [n for n in names if not filecmp.cmp(ours / "8_8_40" / n, theirs / "8_8_40" / n, shallow=False)]
    assert not different, f"{encoding}: chunks that differ: {different}"
    print(f"{encoding}: {len(names)} chunks are the same, byte for byte")


def main():
    for encoding in ("raw", "compressed_segmentation"):
        with tempfile.TemporaryDirectory() as folder:
            check(os.path.abspath(sys.argv[1]), encoding, pathlib.Path(folder))


if __name__ == "__main__":
    main()
