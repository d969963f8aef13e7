#!/usr/bin/env python3
"""Writes ocdbt/testdata/golden/*.json: databases that TensorStore made, for golden_database_test.cc.

Usage: ocdbt/make_golden_databases.py        (needs: pip install tensorstore; the files in the tree are of 0.1.86)

A file holds the objects of one database (base64) and, as TensorStore itself reads them back, the changes from each
version to the next (hex): {"objects": {KEY: BYTES}, "versions": [{"generation": G, "put": {K: V}, "deleted": [K]}]}.
The databases are random, from a fixed seed; their UUIDs and file names are not, so every run makes other bytes.
"""
import base64
import json
import pathlib
import random
import tempfile

import tensorstore as ts

TARGET = pathlib.Path(__file__).parent / "testdata" / "golden"
# name: (config, number of commits)
DATABASES = {
    "defaults": ({}, 12),
    "one_entry_a_node": ({"max_inline_value_bytes": 0, "max_decoded_node_bytes": 1, "version_tree_arity_log2": 1,
                          "compression": None}, 14),
    "deep_version_tree": ({"max_inline_value_bytes": 8, "max_decoded_node_bytes": 200, "version_tree_arity_log2": 1},
                          70),
    "plain_small_nodes": ({"max_inline_value_bytes": 8, "max_decoded_node_bytes": 60, "version_tree_arity_log2": 2,
                           "compression": None}, 30),
    "one_node_all_inline": ({"max_inline_value_bytes": 1048576, "max_decoded_node_bytes": 0,
                             "version_tree_arity_log2": 16, "compression": {"id": "zstd", "level": 9}}, 12),
    "numbered": ({"max_inline_value_bytes": 20, "max_decoded_node_bytes": 200, "version_tree_arity_log2": 1,
                  "manifest_kind": "numbered"}, 20),
}
COPIED = {"max_inline_value_bytes": 8, "max_decoded_node_bytes": 150, "version_tree_arity_log2": 1}


def open_database(folder, context, **more):
    return ts.KvStore.open({"driver": "ocdbt", "base": {"driver": "file", "path": f"{folder}/"}, **more},
                           context=context).result()


def random_key(source):
    return b"".join(source.choices([b"a", b"b", b"/", b"\xff", b"long" * 8], k=source.randrange(1, 5)))


def random_commit(kvstore, source):
    """Puts and deletes in one commit; now and then a range of keys is deleted."""
    if source.randrange(8) == 0:
        begin, end = sorted([random_key(source), random_key(source)])
        kvstore.delete_range(ts.KvStore.KeyRange(begin, end)).result()
        return
    with ts.Transaction(atomic=True) as transaction:
        inside = kvstore.with_transaction(transaction)
        for _ in range(source.randrange(1, 9)):
            if source.randrange(4) == 0:
                del inside[random_key(source)]
            else:
                inside[random_key(source)] = source.randbytes(source.choice([0, 3, 9, 60]))


def contents(folder, generation):
    kvstore = open_database(folder, ts.Context(), version=generation)
    return {key: kvstore.read(key).result().value for key in kvstore.list().result()}


def newest_generation(folder, context):
    """Asks for one version after the other until there is none."""
    generation = 1
    while True:
        try:
            open_database(folder, context, version=generation + 1).list().result()
        except ValueError:
            return generation
        generation += 1


def save(name, folder):
    objects = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            objects[str(path.relative_to(folder))] = base64.b64encode(path.read_bytes()).decode()
    versions, before = [], {}
    for generation in range(1, newest_generation(folder, ts.Context()) + 1):
        now = contents(folder, generation)
        versions.append({
            "generation": generation,
            "put": {key.hex(): value.hex() for key, value in sorted(now.items()) if before.get(key) != value},
            "deleted": [key.hex() for key in sorted(before) if key not in now]})
        before = now
    text = json.dumps({"objects": objects, "versions": versions}, indent=0)
    (TARGET / f"{name}.json").write_text(text + "\n")
    print(f"{name}: {len(objects)} objects, {len(versions)} versions, {len(before)} keys, {len(text)} bytes")


def make_with_base_paths(folder, source):
    """A database that refers to the files of two others below it, one of which refers to the other."""
    context = ts.Context()  # one for all, because only then are they of one base store
    inner, middle, outer = (open_database(folder / path, context, config=COPIED) for path in ("m/i", "m", ""))
    for _ in range(6):
        random_commit(inner, source)
    middle[b"own"] = b"a value of the middle one"
    inner.experimental_copy_range_to(middle / "from inner/").result()
    random_commit(middle, source)
    outer[b"own"] = b"a value of the outer one"
    middle.experimental_copy_range_to(outer / "from middle/").result()
    for _ in range(6):
        random_commit(outer, source)
    outer[b"from middle/own"] = b"replaced by the outer one"


def main():
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, (config, commits) in DATABASES.items():
        source = random.Random(name)
        with tempfile.TemporaryDirectory() as folder:
            kvstore = open_database(folder, ts.Context(), config=config)
            for _ in range(commits):
                random_commit(kvstore, source)
            save(name, pathlib.Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        make_with_base_paths(pathlib.Path(folder), random.Random("base paths"))
        save("base_paths", pathlib.Path(folder))


if __name__ == "__main__":
    main()
