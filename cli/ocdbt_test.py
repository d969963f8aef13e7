"""Runs `cleave ocdbt` from outside on real databases, with TensorStore beside it.

Goal: every command does what docs/cli.md says, in both forms of output, with its exit code; and TensorStore reads and
writes a database before and after names were made, versions removed, files removed, and all was compacted.
Method: databases of a few hundred small versions, compared with dicts; every kind of wrong argument; damage on disk.

The program is $CLEAVE_PROGRAM, else build/release/cleave. The seed is printed and may be given in CLEAVE_TEST_SEED.
"""

import json
import os
import pathlib
import random
import subprocess
import threading

import pytest

try:
    import tensorstore as ts
except ImportError:
    ts = None

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("CLEAVE_PROGRAM", ROOT / "build/release/cleave"))
OK, USAGE, NOT_FOUND, REFUSED, DAMAGED = 0, 2, 3, 4, 5
SEED = int(os.environ.get("CLEAVE_TEST_SEED", random.SystemRandom().randrange(2**32)))

if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)
needs_tensorstore = pytest.mark.skipif(ts is None, reason="tensorstore is not installed")


def run(*arguments, expect=OK, text=True):
    command = [str(PROGRAM), "ocdbt", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=text, timeout=300)
    assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_json(*arguments, expect=OK):
    done = run(*arguments, "--json", expect=expect)
    assert done.stdout.count("\n") == 1, "a result is one line"
    return json.loads(done.stdout)


def fail(code, *arguments, says):
    done = run(*arguments, "--quiet", expect=code)
    assert done.stdout == "" and done.stderr.startswith("cleave: ") and says in done.stderr, done.stderr
    assert says in run_json(*arguments, expect=code)["error"]["message"]


@pytest.fixture()
def store(tmp_path):
    folder = tmp_path / "store"
    run("create", folder, "--max-inline-value-bytes", 20, "--max-decoded-node-bytes", 300, "--version-tree-arity-log2", 1)
    return folder


def open_tensorstore(folder, **more):
    spec = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{folder}/"}, **more}
    return ts.KvStore.open(spec, context=ts.Context()).result()


def contents(kvstore):
    return {key: kvstore.read(key).result().value for key in kvstore.list().result()}


def listing(folder, *options):
    return {entry["key"]: entry["bytes"] for entry in run_json("ls", folder, *options)["keys"]}


# --- a map with a history ---


def test_the_manual_is_what_help_says():
    manual = (ROOT / "docs/cli.md").read_text()
    lines = run("--help").stdout.split("Commands:")[1].split("Example:")[0].splitlines()
    commands = [line.split()[0] for line in lines if line.strip()]
    assert len(commands) == 13
    for command in commands:
        page = run(command, "--help").stdout
        assert page[page.index("Usage:") :].rstrip() in manual, f"docs/cli.md is behind `cleave ocdbt {command} --help`"
        assert f"### ocdbt {command}\n" in manual
        assert "Example:" in page and "--json" in page


def test_put_get_ls_rm(store, tmp_path):
    assert run_json("put", store, "a", "1")["generation"] == 2
    assert run_json("put", store, "a", "1")["changed"] is False
    blob = bytes(range(256)) * 20
    (tmp_path / "blob").write_bytes(blob)
    run("put", store, "dir/blob", "--file", tmp_path / "blob")
    run("put", store, "ff00", "odd", "--hex")
    assert run("get", store, "dir/blob", text=False).stdout == blob
    run("get", store, "dir/blob", "--out", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == blob
    assert run_json("get", store, "a")["value"] == "1"
    keys = run_json("ls", store)["keys"]
    assert [entry["key"] for entry in keys] == ["a", "dir/blob", "\\xff\\x00"] and keys[2]["key_hex"] == "ff00"
    assert [entry["inline"] for entry in keys] == [True, False, True]
    assert listing(store, "dir/") == {"dir/blob": len(blob)}
    limited = run_json("ls", store, "--limit", 1)
    assert len(limited["keys"]) == 1 and limited["more"]
    run("rm", store, "a", "--prefix", "dir/")
    run("put", store, "k", "", "--if-absent")
    assert [entry["key_hex"] for entry in run_json("ls", store)["keys"][1:]] == ["ff00"]
    assert listing(store, "--version", 2) == {"a": 1}
    fail(REFUSED, "put", store, "6b", "x", "--hex", "--if-absent", says="condition")


def test_versions_tell_time_and_size_and_tags(store):
    for i in range(5):
        run("put", store, f"k{i}", "v" * 30)
    run("tag", store, "third", "--version", 3)
    versions = run_json("versions", store)["versions"]
    assert [v["generation"] for v in versions] == [1, 2, 3, 4, 5, 6]
    assert [v["keys"] for v in versions] == [0, 1, 2, 3, 4, 5]
    assert [v["value_bytes"] for v in versions] == [0, 30, 60, 90, 120, 150]
    assert all(v["bytes"] == v["node_bytes"] + v["value_bytes"] for v in versions)
    assert [v["tags"] for v in versions] == [[], [], ["third"], [], [], []]
    times = [v["commit_time"] for v in versions]
    assert times == sorted(times)
    assert len(run_json("versions", store, "--newest", 2)["versions"]) == 2
    for version in (times[3], 4, "v4"):
        assert len(listing(store, "--version", version)) == 3
    assert len(listing(store, "--version", "third")) == 2
    assert "third" in run("versions", store).stdout


def test_branches_and_diff(store):
    for i in range(6):
        run("put", store, f"k{i}", "main")
    made = run_json("branch", store, "try", "--version", 4)
    assert made["generation"] == 4
    run("put", store, "k0", "branch", "--branch", "try")
    run("rm", store, "k1", "--branch", "try")
    run("put", store, "new", "branch", "--branch", "try")
    assert run("get", store, "k0").stdout == "main"
    assert run("get", store, "k0", "--branch", "try").stdout == "branch"
    run("branch", store, "again", "--branch", "try", "--version", 5)
    run("tag", store, "half", "--branch", "try", "--version", 6)
    assert {b["name"]: b["generation"] for b in run_json("branch", store)["branches"]} == {"again": 5, "try": 7}
    difference = run_json("diff", store, "4", "try")
    assert [(d["key"], d["change"]) for d in difference["differences"]] == [
        ("k0", "changed"), ("k1", "removed"), ("new", "added")]
    assert run_json("diff", store, "try@6", "half")["differences"] == []
    assert [d["key"] for d in run_json("diff", store, "again", "half")["differences"]] == ["k1"]
    assert len(run_json("diff", store, "1")["differences"]) == 6
    run("branch", store, "again", "--delete")
    fail(NOT_FOUND, "ls", store, "--branch", "again", says="no branch")
    fail(REFUSED, "branch", store, "try", says="already")
    fail(USAGE, "tag", store, "v7", says="could be taken for a version")
    fail(NOT_FOUND, "diff", store, "4", "nobody", says="neither a tag nor a branch")


def test_wrong_arguments(store, tmp_path):
    fail(NOT_FOUND, "ls", tmp_path / "nothing", says="manifest not present")
    fail(REFUSED, "create", store, says="already")
    fail(NOT_FOUND, "get", store, "none", says='no key "none"')
    fail(NOT_FOUND, "get", store, "none", "--version", 99, says="not present")
    fail(USAGE, "get", store, "none", "--version", "a/b", says="is no version")
    fail(USAGE, "get", store, "xyz", "--hex", says="hexadecimal")
    fail(USAGE, "put", store, "k", says="give VALUE or --file")
    fail(USAGE, "put", store, "k", "--file", tmp_path / "none", says="cannot read")
    fail(USAGE, "rm", store, says="give KEY or --prefix")
    fail(USAGE, "create", tmp_path / "x", "--compression", "lzma", says="--compression")
    fail(USAGE, "create", tmp_path / "x", "--version-tree-arity-log2", 0, says="version_tree_arity_log2")
    fail(USAGE, "gc", store, "--grace", "soon", says="--grace")
    fail(USAGE, "gc", store, "--keep-since", "soon", says="--keep-since")
    fail(NOT_FOUND, "dump", store, "d/00000000000000000000000000000000", says="does not exist")
    fail(USAGE, "dump", store, "d/0[1, 2)", says="PATH[OFFSET, +LENGTH)")
    assert not (tmp_path / "x").exists()


def test_dump_and_verify_of_a_damaged_database(store):
    for i in range(9):
        run("put", store, f"k{i}", "v" * 30)
    manifest = run_json("dump", store)
    root = manifest["versions"][-1]["root"]
    node = run_json("dump", store, root)
    assert node["kind"] == "b-tree node"
    file = root.split("[")[0]
    objects = run_json("dump", store, file)["objects"]
    assert root in [o.get("location") for o in objects]
    assert "b-tree node" in run("dump", store, root).stdout
    sound = run_json("verify", store)
    assert sound["clean"] and sound["versions"] == 10 and sound["values"] == 9
    path = store / file
    damaged = bytearray(path.read_bytes())
    damaged[int(root.split("[")[1].split(",")[0]) + 20] ^= 1
    path.write_bytes(damaged)
    found = run_json("verify", store, expect=DAMAGED)
    assert found["found"] >= 1 and root in found["findings"][0]["what"] and "version 10" in found["findings"][0]["where"]
    done = run("verify", store, expect=DAMAGED)
    assert "DAMAGED" in done.stdout and "is damaged" in done.stderr
    fail(DAMAGED, "gc", store, says=file)
    fail(DAMAGED, "dump", store, root, says="CRC")


# --- beside TensorStore ---


def some_writes(folder, model, random_, count, **more):
    """TensorStore and the program in turn."""
    for i in range(count):
        key = f"key/{random_.randrange(40):02}"
        value = "x" * random_.choice([3, 50]) + str(random_.randrange(10**6))
        if i % 3:
            open_tensorstore(folder, **more)[key] = value.encode()
        else:
            branch = ["--branch", more["manifest"]["path"].rstrip("/").split("/")[-1]] if more else []
            run("put", folder, key, value, *branch)
        model[key.encode()] = value.encode()


def name_spec(folder, kind, name):
    return {"manifest": {"driver": "file", "path": f"{folder}/cleave/{kind}/{name}/"}}


@needs_tensorstore
@pytest.mark.parametrize("kind", ["single", "numbered"])
def test_tensorstore_before_and_after_everything(tmp_path, kind):
    print(f"CLEAVE_TEST_SEED={SEED}")
    random_ = random.Random(SEED)
    store = tmp_path / "store"
    run("create", store, "--max-inline-value-bytes", 20, "--max-decoded-node-bytes", 300,
        "--version-tree-arity-log2", 1, "--manifest-kind", kind)
    model, history = {}, {}
    for _ in range(6):
        some_writes(store, model, random_, 3)
        history[run_json("versions", store, "--newest", 1)["versions"][-1]["generation"]] = dict(model)
    generations = sorted(history)
    tagged, branched = generations[1], generations[3]
    run("tag", store, "then", "--version", tagged)
    made = run_json("branch", store, "try", "--version", branched)
    assert contents(open_tensorstore(store)) == model
    # A branch, by the specification that is printed, and by a `manifest` member; a tag likewise.
    printed = ts.KvStore.open(made["kvstore"], context=ts.Context()).result()
    assert contents(printed) == history[branched]
    prefix = "cleave/branches/try/d/"
    spec = {**name_spec(store, "branches", "try"), "value_data_prefix": prefix, "btree_node_data_prefix": prefix,
            "version_tree_node_data_prefix": prefix}
    of_branch = dict(history[branched])
    some_writes(store, of_branch, random_, 7, **spec)
    printed[b"by the printed one"] = b"1"
    of_branch[b"by the printed one"] = b"1"
    for kvstore in (printed, open_tensorstore(store, **spec)):
        assert contents(kvstore) == of_branch
    assert contents(open_tensorstore(store, **name_spec(store, "tags", "then"))) == history[tagged]
    for generation, then in history.items():
        assert contents(open_tensorstore(store, version=generation)) == then

    # Old versions go; the tag's and the branch's stay. TensorStore reads what is left and writes on.
    old_handle = open_tensorstore(store)
    assert contents(old_handle) == model
    kept = 4
    marked = run_json("gc", store, "--keep-newest", kept, "--grace", "0s", "--delete")
    assert marked["removed"] and marked["versions"][0]["removed"] > 3
    assert run_json("verify", store)["clean"]
    assert contents(old_handle) == model and contents(open_tensorstore(store)) == model
    assert contents(open_tensorstore(store, version=tagged)) == history[tagged]
    assert contents(open_tensorstore(store, **name_spec(store, "tags", "then"))) == history[tagged]
    assert contents(open_tensorstore(store, **spec)) == of_branch
    listed = {v["generation"] for v in run_json("versions", store)["versions"]}
    gone = next(g for g in range(1, generations[-1]) if g not in listed)
    with pytest.raises(ValueError, match="not present"):
        contents(open_tensorstore(store, version=gone))
    for generation in listed & set(history):
        assert contents(open_tensorstore(store, version=generation)) == history[generation]
    old_handle[b"by the old handle"] = b"1"
    model[b"by the old handle"] = b"1"
    some_writes(store, model, random_, 8)
    some_writes(store, of_branch, random_, 8, **spec)
    assert contents(open_tensorstore(store)) == model

    # Compacted, and all the rest removed.
    compacted = run_json("compact", store, "--all")
    assert compacted["changed"] and compacted["files_after"] == 1
    run("compact", store, "--all", "--branch", "try")
    assert run_json("diff", store, str(compacted["generation"] - 1))["differences"] == []
    run("tag", store, "then", "--delete")
    freed = run_json("gc", store, "--keep-newest", 1, "--grace", "0s", "--delete")
    assert freed["removed"] and freed["removed_bytes"] > 0
    assert run_json("gc", store)["files"] <= 6
    assert contents(open_tensorstore(store)) == model
    assert contents(open_tensorstore(store, **spec)) == of_branch
    some_writes(store, model, random_, 8)
    assert contents(open_tensorstore(store)) == model == {
        k.encode(): run("get", store, k, text=False).stdout for k in map(bytes.decode, model)}
    assert run_json("verify", store)["clean"]


@needs_tensorstore
def test_a_tensorstore_handle_from_before_a_collection_harms_nothing(store):
    """Its newest version was removed with its files; its next commit fails or succeeds, and nothing is damaged.

    Reading may fail as well, until TensorStore looks at the manifest again, which a new handle does at once.
    """
    for i in range(3):
        run("put", store, f"k{i:02}", "v" * 30)
    stale = open_tensorstore(store)
    assert len(contents(stale)) == 3
    for i in range(6):
        run("put", store, f"k{i:02}", "w" * 30)
    run("compact", store, "--all")
    assert run_json("gc", store, "--keep-newest", 1, "--grace", "0s", "--delete")["removed"]
    try:
        stale[b"late"] = b"1"
    except ValueError as error:
        print(f"the stale handle said: {error}")
        assert len(listing(store)) == 6, "a commit that failed has written nothing"
        fresh = open_tensorstore(store)
        assert len(contents(fresh)) == 6
        fresh[b"late"] = b"1"
    assert run_json("verify", store)["clean"]
    assert len(listing(store)) == 7 and run("get", store, "k00").stdout == "w" * 30



@needs_tensorstore
def test_a_tensorstore_writer_while_files_are_removed(store):
    """Without a grace period a commit of TensorStore may fail, because a node that it was about to read is gone.

    Such a commit has written nothing; made again with a new handle, each write is there in the end. The values are
    inline: what TensorStore reuses when it begins anew by itself lies in no file.
    """
    failures = []

    def write():
        kvstore = open_tensorstore(store)
        for i in range(40):
            for attempt in range(20):
                try:
                    kvstore[f"theirs/{i:02}"] = b"t" * (i % 15)
                    break
                except ValueError as failure:
                    if "NOT_FOUND" not in str(failure) or attempt == 19:
                        failures.append(failure)
                        return
                    kvstore = open_tensorstore(store)

    writer = threading.Thread(target=write)
    writer.start()
    removed, rounds = 0, 0
    while writer.is_alive() or rounds < 2:
        run("put", store, f"ours/{rounds:02}", "o")
        removed += len(run_json("gc", store, "--keep-newest", 1, "--grace", "0s", "--delete")["removed"])
        rounds += 1
    writer.join()
    assert failures == []
    assert removed > 0
    assert run_json("verify", store)["clean"]
    expected = {f"theirs/{i:02}".encode(): b"t" * (i % 15) for i in range(40)}
    expected |= {f"ours/{i:02}".encode(): b"o" for i in range(rounds)}
    assert contents(open_tensorstore(store)) == expected


@pytest.mark.parametrize(
    "point",
    ["ocdbt.before_data_file", "ocdbt.before_garbage_list", "ocdbt.before_fence", "ocdbt.after_fence",
     "ocdbt.before_removal", "ocdbt.before_removal:3"])
def test_a_collection_that_is_killed(store, point):
    for i in range(12):
        run("put", store, f"k{i % 4}", str(i) * 30)
    run("tag", store, "then", "--version", 5)
    for orphan in "abcd":
        (store / "d" / (orphan * 32)).write_bytes(b"of a writer that died")
    arguments = [str(PROGRAM), "ocdbt", "gc", str(store), "--keep-newest", "2", "--grace", "0s", "--delete"]
    died = subprocess.run(arguments, capture_output=True, env=dict(os.environ, CLEAVE_CRASH_AT=point))
    assert died.returncode == -9, died
    assert run_json("verify", store)["clean"]
    run("put", store, "after", "1")
    run("gc", store, "--keep-newest", 2, "--grace", "0s", "--delete")
    assert run_json("verify", store)["clean"]
    assert listing(store) == {"after": 1, "k0": 30, "k1": 30, "k2": 60, "k3": 60}
    assert len(listing(store, "--version", "then")) == 4
    left = run_json("gc", store, "--grace", "0s")
    assert left["files"] == left["needed"] and not list((store / "d").glob("*" + "aaaa"))
