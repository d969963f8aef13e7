"""Checks cells, columns and row keys against KVDbClient, byte for byte.

Goal: what KVDbClient's serializers write, ours read and write again as the same bytes; what ours write, its read.
Method: random values go through KVDbClient's own attribute, through `table_peer` (decode, encode), and back. For zstd
columns the bytes may differ, so the decoded values are compared. columns.h is compared with KVDbClient's attributes.

Run: python3 table/kvdbclient_interop_test.py PATH_OF_table_peer   (needs `pip install kvdbclient`)
The seed is printed and may be given in CLEAVE_TEST_SEED. Exit code 77 says that kvdbclient is not installed.
"""

import datetime
import os
import pathlib
import pickle
import random
import re
import subprocess
import sys
import unittest

try:
    import numpy as np
    from kvdbclient import attributes, serializers
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

HERE = pathlib.Path(__file__).parent
ROUNDS = 50


class Peer:
    """One running `table_peer`."""

    def __init__(self, program):
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, kind, cell):
        self._process.stdin.write(f"{kind} {cell.hex()}\n")
        self._process.stdin.flush()
        status, _, answer = self._process.stdout.readline().rstrip("\n").partition(" ")
        if status != "ok":
            raise ValueError(answer)
        return bytes.fromhex(answer)

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def node_ids(generator, shape):
    return generator.integers(0, 2**64, size=shape, dtype=np.uint64)


def some_time(source):
    start = datetime.datetime(1, 1, 2, tzinfo=datetime.timezone.utc)
    span_seconds = int((datetime.datetime(9999, 12, 30, tzinfo=datetime.timezone.utc) - start).total_seconds())
    return start + datetime.timedelta(seconds=source.randrange(span_seconds), microseconds=source.randrange(10**6))


class InteropTest(unittest.TestCase):
    program = None

    def setUp(self):
        self.seed = int(os.environ.get("CLEAVE_TEST_SEED", random.randrange(2**32)))
        self.random = random.Random(self.seed)
        self.generator = np.random.default_rng(self.seed)
        self.peer = Peer(self.program)
        self.addCleanup(self.peer.close)

    def same_bytes(self, kind, attribute, value):
        cell = attribute.serialize(value)
        with self.subTest(kind=kind, attribute=attribute.key, seed=self.seed):
            self.assertEqual(self.peer.ask(kind, cell), cell)

    def sizes(self):
        return [0, 1, 2, 100] + [self.random.randrange(1000) for _ in range(ROUNDS)]

    def test_arrays(self):
        logs, hierarchy = attributes.OperationLogs, attributes.Hierarchy
        for size in self.sizes():
            ids = node_ids(self.generator, size)
            for attribute in (hierarchy.FormerParent, hierarchy.NewParent, hierarchy.FormerIdentity,
                              hierarchy.NewIdentity, logs.RootID, logs.SourceID, logs.L2ChunkLockScope,
                              attributes.Connectivity.Area):
                self.same_bytes("u64-array", attribute, ids)
            pairs = node_ids(self.generator, (size, 2))
            for attribute in (logs.AddedEdge, logs.RemovedEdge, attributes.Connectivity.FakeEdges,
                              attributes.Connectivity.SplitEdges, attributes.Connectivity.CompactedSplitEdges):
                self.same_bytes("pairs", attribute, pairs)
            points = self.generator.integers(-(2**63), 2**63 - 1, size=(size, 3), dtype=np.int64)
            self.same_bytes("points", logs.SourceCoordinate, points)
            self.same_bytes("f32-array", logs.Affinity, self.generator.random(size, dtype=np.float32))

    def test_compressed_arrays(self):
        edges = attributes.Connectivity
        for kind, attribute, columns in (("compressed-u64-array", attributes.Hierarchy.Child, None),
                                         ("compressed-pairs", edges.CrossChunkEdge[3], 2),
                                         ("compressed-pairs", edges.AtomicCrossChunkEdge[5], 2)):
            for size in self.sizes() + [20000]:
                value = node_ids(self.generator, size if columns is None else (size, columns)) % np.uint64(1000)
                cell = attribute.serialize(value)
                with self.subTest(attribute=attribute.key, size=size, seed=self.seed):
                    ours = self.peer.ask(kind, cell)
                    self.assertEqual(ours[:4], b"\x28\xb5\x2f\xfd")
                    np.testing.assert_array_equal(attribute.deserialize(ours), value)
                    old_cell = value.tobytes()  # as written before the peer compressed
                    np.testing.assert_array_equal(attribute.deserialize(self.peer.ask(kind, old_cell)), value)

    def test_single_values(self):
        for _ in range(ROUNDS):
            value = np.uint64(self.random.randrange(2**64))
            self.same_bytes("u64", attributes.Hierarchy.Parent, value)
            for attribute in (attributes.Concurrency.Lock, attributes.Concurrency.IndefiniteLock,
                              attributes.OperationLogs.OperationID, attributes.OperationLogs.UndoOperationID,
                              attributes.OperationLogs.RedoOperationID):
                self.same_bytes("id-text", attribute, value)
            counter = self.random.randrange(-(2**63), 2**63)
            cell = counter.to_bytes(8, "big", signed=True)
            self.assertEqual(attributes.Concurrency.Counter.deserialize(cell), counter)
            self.assertEqual(self.peer.ask("counter", cell), cell)
        for text in ("", "user@lab.org", "Zoë €", "\U0001f9e0"):
            self.same_bytes("text", attributes.OperationLogs.UserID, text)
            self.same_bytes("text", attributes.OperationLogs.OperationException, text)

    def test_pickles(self):
        for status in attributes.OperationLogs.StatusCodes:
            self.same_bytes("pickled-integer", attributes.OperationLogs.Status, status.value)
        for bits in range(63):
            for value in (2**bits - 1, 2**bits, -(2**bits), -(2**bits) - 1):
                self.same_bytes("pickled-integer", attributes.OperationLogs.Status, value)
        for _ in range(10 * ROUNDS):
            time = some_time(self.random)
            self.same_bytes("pickled-time", attributes.OperationLogs.OperationTimeStamp, time)
            for protocol in (2, 3, 4, 5):
                for zone in (datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=-5, minutes=-30))):
                    ours = self.peer.ask("pickled-time", pickle.dumps(time.astimezone(zone), protocol=protocol))
                    self.assertEqual(attributes.OperationLogs.OperationTimeStamp.deserialize(ours), time)

    def test_refuses_other_pickles(self):
        for value in (None, True, 1.5, "text", b"bytes", [1], {1: 2}, np.uint64(5), os.system, ValueError("x")):
            for kind in ("pickled-integer", "pickled-time"):
                with self.subTest(value=value), self.assertRaisesRegex(ValueError, "DATA_LOSS"):
                    self.peer.ask(kind, pickle.dumps(value))

    def test_row_keys(self):
        for _ in range(ROUNDS):
            node_id = np.uint64(self.random.randrange(2**64))
            digits = str(node_id).encode()
            self.assertEqual(self.peer.ask("key-node", digits), serializers.serialize_uint64(node_id))
            self.assertEqual(self.peer.ask("key-counter", digits), serializers.serialize_uint64(node_id, counter=True))
            self.assertEqual(self.peer.ask("key-edited-edges", digits),
                             serializers.serialize_uint64(node_id, fake_edges=True))

    def test_columns(self):
        header = (HERE / "columns.h").read_text()
        ours = set(re.findall(r'Column k\w+\{"(\w)", "(\w+)"\}', header))
        for family, stem in re.findall(r'return \{"(\w)", absl::StrCat\("(\w+_)", layer.value\)\}', header):
            ours |= {(family, f"{stem}{layer}") for layer in range(20)}
        theirs = {(family, key.decode()) for family, key in attributes._Attribute._attributes}
        v1_only = {("0", "n_layers")}
        self.assertEqual(ours, theirs - v1_only)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    InteropTest.program = sys.argv.pop(1)
    unittest.main()
