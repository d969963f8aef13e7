#!/usr/bin/env python3
"""TensorStore's side of ocdbt_benchmark: the same lines on the same data, as its users write them in Python.

Usage: ocdbt_peer.py LINE FOLDER [--count N] [--value-bytes N] [--labels PATH.npy] [--box X,Y,Z]

Many values are asked for at once, by futures; a load of many keys is one transaction where that is the faster way. The
database has the configuration that Cleave's benchmark has, a cache of the same size for nodes, and TensorStore's
default durability: every file and folder synced (`file_io_sync`), as Cleave does.
"""
import argparse
import json
import math
import time

import numpy as np
import tensorstore as ts

CONFIG = {"max_inline_value_bytes": 4096, "max_decoded_node_bytes": 131072}
CACHE_BYTES = 128 << 20
DISTINCT_VALUES = 256


def memory_mib(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    return 0.0


def measure(body):
    with open("/proc/self/clear_refs", "w") as marks:
        marks.write("5")
    before = memory_mib("VmRSS:")
    start = time.perf_counter()
    check = body()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "memory_mib": memory_mib("VmHWM:") - before, "check": check}))


def value(which, size):
    """Each eight bytes are the next number of splitmix64, seeded with `which`."""
    with np.errstate(over="ignore"):
        state = np.uint64(which) + np.arange(1, (size + 7) // 8 + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        z = (state ^ (state >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        return (z ^ (z >> np.uint64(31))).tobytes()


def value_key(i):
    return b"values/%08d" % i


def small_key(i):
    return b"k/%08x/%013d" % (i * 2654435761 % 2**32, i)


def small_value(i):
    return b"value of %d" % i


def check_of(data):
    return len(data) + (data[0] * 7 + data[-1] if data else 0)


def permutation(count, length):
    step = count * 5 // 13 + 1
    while math.gcd(step, count) != 1:
        step += 1
    return [i * step % count for i in range(length)]


def database(arguments, **more):
    spec = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{arguments.folder}/"}, **more}
    context = ts.Context({"cache_pool": {"total_bytes_limit": CACHE_BYTES}})
    return ts.KvStore.open(spec, context=context).result()


def pinned(arguments):
    """As Cleave's snapshot: one version, so that reads need not look whether there is a newer one."""
    base = ts.KvStore.open({"driver": "file", "path": f"{arguments.folder}/"}).result()
    newest = ts.ocdbt.dump(base).result()["versions"][-1]["generation_number"]
    return database(arguments, version=newest)


def write_values(arguments):
    values = [value(i, arguments.value_bytes) for i in range(DISTINCT_VALUES)]

    def body():
        kvstore = database(arguments, config=CONFIG)
        futures = [kvstore.write(value_key(i), values[i % DISTINCT_VALUES]) for i in range(arguments.count)]
        for future in futures:
            future.result()
        return 1
    measure(body)


def read_keys(arguments, order, at_a_time, key_of):
    def body():
        kvstore = pinned(arguments)
        check = 0
        for begin in range(0, len(order), at_a_time):
            futures = [kvstore.read(key_of(i)) for i in order[begin:begin + at_a_time]]
            for future in futures:
                check += check_of(future.result().value)
        return check
    measure(body)


def read_in_order(arguments):
    read_keys(arguments, list(range(arguments.count)), 256, value_key)


def read_at_random(arguments):
    read_keys(arguments, permutation(arguments.count, arguments.count), 256, value_key)


def bulk_load(arguments):
    def body():
        with ts.Transaction() as transaction:
            inside = database(arguments, config=CONFIG).with_transaction(transaction)
            for i in range(arguments.count):
                inside[small_key(i)] = small_value(i)
        return 1
    measure(body)


def point_reads(arguments):
    read_keys(arguments, permutation(arguments.count, arguments.count // 10), 1000, small_key)


def list_keys(arguments):
    measure(lambda: len(pinned(arguments).list().result()))


def commits(arguments):
    def body():
        kvstore = database(arguments, config=CONFIG)
        for i in range(arguments.count):
            kvstore.write(small_key(i), small_value(i)).result()
        return len(kvstore.list().result())
    measure(body)


def volume_spec(arguments, **more):
    return {"driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "ocdbt", "base": {"driver": "file", "path": f"{arguments.folder}/"}, "path": "seg/",
                        **more}}


def write_volume(arguments):
    labels = np.asfortranarray(np.load(arguments.labels).astype(np.uint64))
    spec = volume_spec(arguments, config=CONFIG)
    spec["multiscale_metadata"] = {"data_type": "uint64", "num_channels": 1, "type": "segmentation"}
    spec["scale_metadata"] = {
        "key": "scale", "resolution": [16, 16, 40], "size": labels.shape, "chunk_size": [64, 64, 64],
        "encoding": "compressed_segmentation", "compressed_segmentation_block_size": [8, 8, 8]}

    def body():
        store = ts.open(spec, create=True).result()
        store[ts.d["channel"][0]].write(labels).result()
        return 1
    measure(body)


def read_volume(arguments):
    box = [int(n) for n in arguments.box.split(",")]

    def body():
        context = ts.Context({"cache_pool": {"total_bytes_limit": CACHE_BYTES}})
        store = ts.open(volume_spec(arguments), context=context).result()[ts.d["channel"][0]]
        size = store.shape
        check = 0
        for z in range(box[2] // 4, size[2] - box[2] + 1, box[2]):
            for y in range(box[1] // 4, size[1] - box[1] + 1, box[1]):
                for x in range(box[0] // 4, size[0] - box[0] + 1, box[0]):
                    labels = store[x:x + box[0], y:y + box[1], z:z + box[2]].read(order="F").result()
                    check += int(labels[0, 0, 0]) + int(labels[-1, -1, -1]) + labels.size
        return check
    measure(body)


LINES = {"write_values": write_values, "read_in_order": read_in_order, "read_at_random": read_at_random,
         "bulk_load": bulk_load, "point_reads": point_reads, "list": list_keys, "commits": commits,
         "write_volume": write_volume, "read_volume": read_volume}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("line", choices=LINES)
    parser.add_argument("folder")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--value-bytes", type=int, default=65536)
    parser.add_argument("--labels")
    parser.add_argument("--box", default="128,128,128")
    LINES[parser.parse_args().line](parser.parse_args())


if __name__ == "__main__":
    main()
