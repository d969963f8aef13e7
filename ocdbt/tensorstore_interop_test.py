"""Checks databases against TensorStore: each reads, continues and forks what the other wrote.

Goal: TensorStore and Cleave agree on every version of a database, whoever wrote which part of it.
Method: random batches of puts, deletes and range deletes, written in turn by TensorStore and by `ocdbt_peer`, over many
configurations, against a plain dict. Every version is read by both; Cleave checks every node of every tree, statistics
and all; TensorStore's own dump decodes every node that Cleave wrote. Forks are opened by the specification that Cleave
gives.

Run: python3 ocdbt/tensorstore_interop_test.py PATH_OF_ocdbt_peer   (needs `pip install tensorstore`)
The seed is printed and may be given in CLEAVE_TEST_SEED. Exit code 77 says that tensorstore is not installed.
"""

import datetime
import hashlib
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import threading
import unittest

try:
    import tensorstore as ts
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

SEED = int(os.environ.get("CLEAVE_TEST_SEED", random.SystemRandom().randrange(2**32)))
CONFIGS = [
    {},
    {"max_inline_value_bytes": 0, "max_decoded_node_bytes": 1, "version_tree_arity_log2": 1, "compression": None},
    {"max_inline_value_bytes": 8, "max_decoded_node_bytes": 60, "version_tree_arity_log2": 2, "compression": None},
    {"max_inline_value_bytes": 100, "max_decoded_node_bytes": 700, "version_tree_arity_log2": 1},
    {"max_inline_value_bytes": 1048576, "max_decoded_node_bytes": 300, "version_tree_arity_log2": 3,
     "compression": {"id": "zstd", "level": 9}},
    {"max_inline_value_bytes": 1048576, "max_decoded_node_bytes": 0, "version_tree_arity_log2": 4},
    {"max_inline_value_bytes": 20, "max_decoded_node_bytes": 200, "version_tree_arity_log2": 1,
     "manifest_kind": "numbered"},
]


def to_hex(data):
    return data.hex() or "-"


def from_hex(text):
    return b"" if text == "-" else bytes.fromhex(text)


class Peer:
    """One running `ocdbt_peer`."""

    def __init__(self, program):
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().rstrip("\n")
        if not answer.startswith("ok "):
            raise RuntimeError(f"{words[0]}: {answer or 'the peer has ended'}")
        return answer[3:]

    def contents(self):
        pairs = (pair.split("=") for pair in self.ask("list").split())
        return {from_hex(key): from_hex(value) for key, value in pairs}

    def commit(self, operations, command="commit"):
        words = []
        for operation, *arguments in operations:
            words.append(":".join([operation, *map(to_hex, arguments)]))
        return int(self.ask(command, *words))

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def create_words(config):
    compression = config.get("compression", {"id": "zstd"})
    return [
        str(config.get("max_inline_value_bytes", 100)),
        str(config.get("max_decoded_node_bytes", 8388608)),
        str(config.get("version_tree_arity_log2", 4)),
        "none" if compression is None else str(compression.get("level", "zstd")),
        config.get("manifest_kind", "single"),
    ]


def open_tensorstore(base, **more):
    # A context of its own: nothing is cached from earlier handles.
    return ts.KvStore.open({"driver": "ocdbt", "base": base, **more}, context=ts.Context()).result()


def contents(kvstore):
    keys = kvstore.list().result()
    return {key: kvstore.read(key).result().value for key in keys}


def tensorstore_commit(kvstore, operations):
    if any(operation[0] == "range" for operation in operations):
        # TensorStore 0.1.86 crashes on a transaction with a range and single keys in a deep tree: one commit each.
        for operation, *arguments in operations:
            if operation == "put":
                kvstore[arguments[0]] = arguments[1]
            elif operation == "del":
                del kvstore[arguments[0]]
            else:
                kvstore.delete_range(ts.KvStore.KeyRange(*arguments)).result()
        return
    with ts.Transaction(atomic=True) as transaction:
        inside = kvstore.with_transaction(transaction)
        for operation, *arguments in operations:
            if operation == "put":
                inside[arguments[0]] = arguments[1]
            else:
                del inside[arguments[0]]


def apply_to_model(model, operations):
    for operation, *arguments in operations:
        if operation == "put":
            model[arguments[0]] = arguments[1]
        elif operation == "del":
            model.pop(arguments[0], None)
        else:
            begin, end = arguments
            for key in [key for key in model if key >= begin and (not end or key < end)]:
                del model[key]


class Interop(unittest.TestCase):
    program = ""

    def setUp(self):
        self.random = random.Random(f"{SEED} {self.id()}")
        self.folder = tempfile.TemporaryDirectory()
        self.peer = Peer(self.program)

    def tearDown(self):
        self.peer.close()
        self.folder.cleanup()

    def url(self, name):
        return f"file://{self.folder.name}/{name}/"

    def random_key(self):
        letters = self.random.choices([b"a", b"b", b"/", b"\xff", b"long" * 10], k=self.random.randrange(1, 6))
        return b"".join(letters)

    def random_operations(self):
        operations = []
        for _ in range(self.random.randrange(1, 25)):
            kind = self.random.randrange(20)
            if kind == 0:
                begin, end = sorted([self.random_key(), self.random_key()])
                operations.append(("range", begin, end if self.random.random() < 0.8 else b""))
            elif kind < 5:
                operations.append(("del", self.random_key()))
            else:
                operations.append(("put", self.random_key(), self.random.randbytes(self.random.choice([0, 3, 9, 150]))))
        return operations

    def check_all_versions(self, base, history, **more):
        """Both read every version as the model has it."""
        self.assertGreater(int(self.peer.ask("check")), 1)
        for version in self.peer.ask("versions").split():
            generation, num_keys, _ = map(int, version.split(":"))
            theirs = contents(open_tensorstore(base, version=generation, **more))
            self.assertEqual(len(theirs), num_keys)
            if generation in history:
                self.assertEqual(theirs, history[generation])

    def dump_everything(self, base):
        """TensorStore decodes the manifest and every node below it. Returns how many nodes there are."""
        kvstore = ts.KvStore.open(base, context=ts.Context()).result()
        seen = set()

        def visit(location):
            if location is None or location in seen:
                return
            seen.add(location)
            if str(location).startswith("value:"):
                return
            node = ts.ocdbt.dump(kvstore, location).result()
            for entry in node.get("entries", []) + node.get("versions", []) + node.get("version_tree_nodes", []):
                visit(entry.get("location") or entry.get("root", {}).get("location"))

        manifest = ts.ocdbt.dump(kvstore).result()
        for version in manifest["versions"]:
            visit(version["root"].get("location"))
        for node in manifest["version_tree_nodes"]:
            visit(node["location"])
        return len(seen)

    def write_in_turn(self, base, first_tensorstore, config, rounds=14):
        model, history = {}, {}
        for turn in range(rounds):
            operations = self.random_operations()
            if (turn % 2 == 0) == first_tensorstore:
                tensorstore_commit(open_tensorstore(base, config=config), operations)
            else:
                self.peer.ask("open", base)
                self.peer.commit(operations)
            apply_to_model(model, operations)
            self.peer.ask("open", base)
            self.assertEqual(self.peer.contents(), model)
            self.assertEqual(contents(open_tensorstore(base)), model)
            newest = int(self.peer.ask("versions").split()[-1].split(":")[0])
            history[newest] = dict(model)
        return history

    def test_in_turn(self):
        for number, config in enumerate(CONFIGS):
            for first_tensorstore in (True, False):
                with self.subTest(config=config, first_tensorstore=first_tensorstore):
                    base = self.url(f"{number}_{first_tensorstore}")
                    if not first_tensorstore:
                        self.peer.ask("create", base, *create_words(config))
                    history = self.write_in_turn(base, first_tensorstore, config)
                    self.check_all_versions(base, history)
                    if config.get("manifest_kind") != "numbered":
                        self.assertGreater(self.dump_everything(base), 5)

    def test_the_same_batches_make_the_same_trees(self):
        """Cleave splits nodes as TensorStore does: the same keys in the same nodes, as long as none are removed. After
        that the trees may differ, because TensorStore does not merge nodes; what they hold does not."""
        for number, config in enumerate(CONFIGS[:6]):
            with self.subTest(config=config):
                ours, theirs = self.url(f"ours{number}"), self.url(f"theirs{number}")
                self.peer.ask("create", ours, *create_words(config))
                kvstore = open_tensorstore(theirs, config=config)
                model = {}
                for turn in range(14):
                    operations = [("put", self.random_key(), self.random.randbytes(self.random.choice([3, 9, 150])))
                                  for _ in range(self.random.randrange(1, 40))]
                    if turn >= 10:
                        operations += [("del", key) for key in self.random.sample(sorted(model), len(model) // 3)]
                    operations = list({operation[1]: operation for operation in operations}.values())
                    self.peer.commit(operations)
                    tensorstore_commit(kvstore, operations)
                    apply_to_model(model, operations)
                    self.assertEqual(self.peer.contents(), model)
                    if turn < 10:
                        self.assertEqual(self.shape(ours), self.shape(theirs))
                self.assertEqual(contents(open_tensorstore(ours)), contents(kvstore))

    def shape(self, base):
        """The keys of every node of the newest version, nested as the nodes are."""
        kvstore = ts.KvStore.open(base, context=ts.Context()).result()

        def visit(location):
            node = ts.ocdbt.dump(kvstore, location).result()
            return [(entry["key"], entry.get("subtree_common_prefix"),
                     visit(entry["location"]) if node["height"] else sorted(set(entry) - {"key"}))
                    for entry in node["entries"]]

        newest = ts.ocdbt.dump(kvstore).result()["versions"][-1]
        return (newest["generation_number"], newest["root_height"], visit(newest["root"]["location"]))

    def test_base_paths(self):
        """TensorStore refers to the values of a database in a folder below; we read and rewrite such nodes."""
        for number, config in enumerate(CONFIGS):
            with self.subTest(config=config):
                base, context = self.url(f"outer{number}"), ts.Context()
                inner, outer = (ts.KvStore.open({"driver": "ocdbt", "base": url, "config": config}, context=context).result()
                                for url in (base + "inner/", base))
                model = {}
                for _ in range(4):
                    operations = [("put", self.random_key(), self.random.randbytes(self.random.choice([0, 9, 2000])))
                                  for _ in range(10)]
                    tensorstore_commit(inner, operations)
                    apply_to_model(model, operations)
                inner.experimental_copy_range_to(outer / "copy/").result()
                model = {b"copy/" + key: value for key, value in model.items()}
                for turn in range(6):
                    self.peer.ask("open", base)
                    self.assertEqual(self.peer.contents(), model)
                    self.assertEqual(contents(open_tensorstore(base)), model)
                    operations = [(kind, b"copy/" + arguments[0], *arguments[1:])
                                  for kind, *arguments in self.random_operations() if kind != "range"]
                    self.peer.commit(operations, command="commit" if turn != 3 or any(
                        operation[0] == "del" for operation in operations) else "bulk")
                    apply_to_model(model, operations)
                self.peer.ask("check")

    def test_a_differing_configuration_has_the_same_error(self):
        base = self.url("config")
        self.peer.ask("create", base, "100", "700", "3", "zstd", "single")
        names = ["max_inline_value_bytes", "max_decoded_node_bytes", "version_tree_arity_log2", "compression", "uuid",
                 "manifest_kind"]
        values = [101, 0, 4, None, "0" * 32, "numbered"]
        for name, value in zip(names, values):
            with self.subTest(name=name):
                with self.assertRaises(ValueError) as theirs:
                    open_tensorstore(base, config={name: value}).list().result()
                with self.assertRaises(RuntimeError) as ours:
                    self.peer.ask("open_with", base, name, json.dumps(value, separators=(",", ":")))
                text = re.search(f"Configuration mismatch on {name}: expected .* but received [^\\[]*[^\\[ ]",
                                 str(theirs.exception)).group()
                self.assertIn(text, str(ours.exception))
                self.assertIn("FAILED_PRECONDITION", str(ours.exception))
        self.assertEqual(contents(open_tensorstore(base)), {})

    def test_bulk_fill(self):
        for number, config in enumerate(CONFIGS):
            with self.subTest(config=config):
                base = self.url(f"bulk{number}")
                self.peer.ask("create", base, *create_words(config))
                model = {}
                for _ in range(3):
                    operations = [("put", self.random_key(), self.random.randbytes(self.random.choice([0, 9, 150])))
                                  for _ in range(300)]
                    apply_to_model(model, operations)
                    self.peer.commit(operations, command="bulk")
                    self.assertEqual(contents(open_tensorstore(base)), model)
                self.assertEqual(self.peer.contents(), model)
                self.peer.ask("check")

    def test_a_fill_by_several_processes(self):
        for number, config in enumerate(CONFIGS):
            with self.subTest(config=config):
                base = self.url(f"fill{number}")
                self.peer.ask("create", base, *create_words(config))
                model = {}
                before = [("put", self.random_key(), b"before") for _ in range(40)]
                tensorstore_commit(open_tensorstore(base), before)
                apply_to_model(model, before)
                parts = ["west", "east", "middle"]
                for part in parts:
                    operations = [("put", self.random_key(), self.random.randbytes(self.random.choice([0, 9, 150])))
                                  for _ in range(200)]
                    apply_to_model(model, operations)
                    peer = Peer(self.program)
                    try:
                        peer.ask("open", base)
                        peer.ask("fill_part", part, *(":".join([o, to_hex(k), to_hex(v)]) for o, k, v in operations))
                    finally:
                        peer.close()
                self.peer.ask("open", base)
                generation = self.peer.ask("fill_commit", *parts)
                self.assertEqual(self.peer.ask("fill_commit", *parts), generation)
                self.assertEqual(contents(open_tensorstore(base)), model)
                self.assertEqual(self.peer.contents(), model)
                self.peer.ask("check")
                after = self.random_operations()
                tensorstore_commit(open_tensorstore(base), after)
                apply_to_model(model, after)
                self.assertEqual(self.peer.contents(), model)

    def test_pinned_by_time(self):
        base = self.url("time")
        kvstore = open_tensorstore(base)
        for value in (b"1", b"2", b"3"):
            kvstore[b"key"] = value
        self.peer.ask("open", base)
        for version in self.peer.ask("versions").split()[1:]:
            generation, _, time_ns = map(int, version.split(":"))
            seconds, nanoseconds = divmod(time_ns, 10**9)
            moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
            text = f"{moment}.{nanoseconds:09}Z"
            expected = str(generation - 1).encode()
            self.assertEqual(open_tensorstore(base, version=text)[b"key"], expected)
            self.peer.ask("open", base, text)
            self.assertEqual(from_hex(self.peer.ask("get", to_hex(b"key"))), expected)

    def test_forks(self):
        for number, config in enumerate(CONFIGS):
            with self.subTest(config=config):
                base = self.url(f"base{number}")
                base_history = self.write_in_turn(base, True, config, rounds=6)
                before = self.fingerprint(f"base{number}")
                fork_words = ["fork", base, self.url(f"fork{number}"), f"g{number}"]
                self.peer.ask(*fork_words)
                spec = json.loads(self.peer.ask("spec"))
                model = dict(base_history[max(base_history)])
                history = dict(base_history)
                for turn in range(8):
                    operations = self.random_operations()
                    if turn % 2 == 0:
                        tensorstore_commit(ts.KvStore.open(spec, context=ts.Context()).result(), operations)
                    else:
                        self.peer.ask(*fork_words)
                        self.peer.commit(operations)
                    apply_to_model(model, operations)
                    self.assertEqual(self.peer.contents(), model)
                    self.assertEqual(contents(ts.KvStore.open(spec, context=ts.Context()).result()), model)
                    history[int(self.peer.ask("versions").split()[-1].split(":")[0])] = dict(model)
                spec.pop("driver")
                self.check_all_versions(spec.pop("base"), history, **spec)
                self.peer.ask("open", base)
                self.assertEqual(self.peer.contents(), base_history[max(base_history)])
                after = self.fingerprint(f"base{number}")
                after.pop("sealed")
                self.assertEqual(after, before)

    def fingerprint(self, name):
        root = pathlib.Path(self.folder.name) / name
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in root.rglob("*") if path.is_file()}

    def test_writing_at_the_same_time(self):
        for kind in ("single", "numbered"):
            with self.subTest(kind=kind):
                base = self.url(f"race_{kind}")
                self.peer.ask("create", base, "8", "200", "2", "zstd", kind)
                failures = []

                def write_with_tensorstore():
                    try:
                        kvstore = open_tensorstore(base)
                        for number in range(40):
                            kvstore[b"theirs/%03d" % number] = b"t" * number
                    except Exception as failure:  # a thread cannot fail the test by itself
                        failures.append(failure)

                writer = threading.Thread(target=write_with_tensorstore)
                writer.start()
                for number in range(40):
                    self.peer.commit([("put", b"ours/%03d" % number, b"o" * number)])
                writer.join()
                self.assertEqual(failures, [])
                expected = {b"theirs/%03d" % number: b"t" * number for number in range(40)}
                expected |= {b"ours/%03d" % number: b"o" * number for number in range(40)}
                self.assertEqual(self.peer.contents(), expected)
                self.assertEqual(contents(open_tensorstore(base)), expected)
                self.peer.ask("check")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: tensorstore_interop_test.py PATH_OF_ocdbt_peer")
    Interop.program = sys.argv.pop(1)
    print(f"CLEAVE_TEST_SEED={SEED}")
    unittest.main(verbosity=2)
