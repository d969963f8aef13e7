#!/usr/bin/env python3
"""Our coarser labels are those of tinybrain, which the field's pipelines downsample with.

Usage: downsample_peer_test.py PATH/TO/volume_peer     (needs: pip install numpy tinybrain)

Random blocks with odd and even sides go through both programs: few labels in noise, so that every kind of tie occurs,
and objects as a segmentation has them. The results must be equal, voxel by voxel, for each factor that a volume's
scales have, once and repeated.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import tinybrain
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

ROUNDS = 8
MIPS = 3


def noise(random, size):
    labels = random.integers(0, random.integers(2, 6), size=size, dtype=np.uint64)
    return labels + np.uint64(2**64 - 8) if random.integers(2) else labels


def objects(random, size):
    coarse = random.integers(0, 2**63, size=[s // 7 + 1 for s in size], dtype=np.uint64)
    return coarse.repeat(7, 0).repeat(7, 1).repeat(7, 2)[tuple(slice(s) for s in size)]


def ours(peer, folder, labels, factor):
    np.save(folder / "labels.npy", labels)
    subprocess.run([peer, "downsample", ",".join(map(str, factor)), folder / "labels.npy", folder / "coarse.npy"],
                   check=True)
    return np.load(folder / "coarse.npy")


def main():
    peer = sys.argv[1]
    seed = int(os.environ.get("CLEAVE_TEST_SEED", np.random.SeedSequence().entropy % 2**32))
    print(f"CLEAVE_TEST_SEED={seed}")
    random = np.random.default_rng(seed)
    blocks = 0
    with tempfile.TemporaryDirectory() as folder:
        for factor in ((2, 2, 1), (2, 2, 2), (1, 2, 2), (2, 1, 2)):
            for i in range(ROUNDS):
                size = random.integers(1, 60, size=3)
                size += size % 2 * (i % 2)  # half of them even, as blocks of a volume are
                labels = np.asfortranarray((noise if i % 4 < 2 else objects)(random, size))
                theirs = tinybrain.downsample_segmentation(labels.copy(order="F"), factor, num_mips=MIPS)
                for mip, expected in enumerate(theirs):
                    labels = ours(peer, pathlib.Path(folder), labels, factor)
                    np.testing.assert_array_equal(labels, expected, err_msg=f"{factor} of {size}, mip {mip + 1}")
                    blocks += 1
    print(f"{blocks} blocks are equal")


if __name__ == "__main__":
    main()
