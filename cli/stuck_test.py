"""Goal: an operator sees every operation that was left in the middle before anything happens to it, and replays or reverts
it; the manual is what the help says.

Method: the program is killed at a crash point in the middle of a split, and what is left is looked at and settled with
the program. An operation of PyChunkedGraph comes in through a dump to which its row was added, and `cleave table load`.
The program is $CLEAVE_PROGRAM, else build/release/cleave.
"""

import base64
import json
import os
import pickle
import shutil
import struct
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("CLEAVE_PROGRAM") or ROOT / "build/release/cleave")
OK, USAGE, NOT_FOUND, REFUSED = 0, 2, 3, 4
SIZE = (72, 40, 32)
SOURCE, SINK = (20, 20, 16), (44, 20, 16)
COMMANDS = ["list", "show", "replay", "revert"]

if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)


def point(p):
    return ",".join(str(c) for c in p)


def run(*arguments, expect=OK, environment=None):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          env=dict(os.environ, **(environment or {})))  # fmt: skip
    assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_json(*arguments, expect=OK):
    return json.loads(run(*arguments, "--json", expect=expect).stdout)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A project in which two blocks are one object."""
    folder = tmp_path_factory.mktemp("whole")
    labels = np.zeros(SIZE, np.uint32, order="F")
    labels[4:32, 8:32, 4:28] = 1
    labels[32:60, 8:32, 4:28] = 2
    np.save(folder / "labels.npy", labels)
    run("init", folder / "project", "--segmentation", folder / "labels.npy", "--resolution", "8,8,40",
        "--chunk-size", "32,32,16", "--fuse", "1,2")  # fmt: skip
    return folder / "project"


@pytest.fixture()
def project(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "project")


def split_killed_at(project, crash_point):
    run("split", project, "--source", point(SOURCE), "--sink", point(SINK), expect=-9,
        environment={"CLEAVE_CRASH_AT": crash_point})  # fmt: skip


def roots(project):
    return len({p["root"] for p in run_json("lookup", project, "--point", point(SOURCE), point(SINK))["points"]})


def expect_settled(project, root_count):
    assert run_json("stuck", "list", project) == {"operations": []}
    assert run("stuck", "list", project).stdout == "nothing is stuck\n"
    assert roots(project) == root_count
    assert run_json("fsck", project)["clean"] is True


def test_the_manual_is_what_help_says():
    manual = (ROOT / "docs/cli.md").read_text()
    for name in COMMANDS:
        page = run("stuck", name, "--help").stdout
        assert page[page.index("Usage:") :].rstrip() in manual, f"docs/cli.md is behind `cleave stuck {name} --help`"
        assert f"### stuck {name}\n" in manual
        assert "Example:" in page and f"cleave stuck {name}" in page


def test_stuck_changes_nothing_before_it_is_told(project):
    split_killed_at(project, "edit.voxels_written")
    for _ in range(2):
        listed = run_json("stuck", "list", project)["operations"]
        assert [(o["operation"], o["state"], o["status"], o["kind"]) for o in listed] == [
            (1, "committed", "write started", "split")
        ]
        shown = run_json("stuck", "show", project, 1)
        assert shown["intent"]["steps"] == {
            "committed": True, "prepared": True, "voxels_written": True, "flip_claimed": False, "flipped": False,
            "voxels_back": False}  # fmt: skip
        assert len(shown["lock_rows"]) == len(shown["roots"]) + len(shown["chunks"])
        assert all(lock["indefinite"]["operation"] == 1 for lock in shown["lock_rows"])
        assert shown["problem"] == "" and shown["age_seconds"] >= 0
    assert "committed" in run("stuck", "list", project).stdout
    page = run("stuck", "show", project, 1).stdout
    assert "done  voxels" in page and "open  flip\n" in page and "indefinite operation 1" in page


def test_min_age(project):
    split_killed_at(project, "edit.committed")
    assert run_json("stuck", "list", project, "--min-age", "1h")["operations"] == []
    time.sleep(0.01)
    assert len(run_json("stuck", "list", project, "--min-age", "10ms")["operations"]) == 1


def test_replay(project):
    split_killed_at(project, "edit.committed")
    assert run_json("stuck", "replay", project, 1) == {"operation": 1, "outcome": "carried out"}
    expect_settled(project, root_count=2)
    assert run_json("log", project, 1)["status"] == "success"


def test_revert(project):
    split_killed_at(project, "edit.voxels_written")
    assert run_json("stuck", "revert", project, 1) == {"operation": 1, "outcome": "taken back"}
    expect_settled(project, root_count=1)
    row = run_json("log", project, 1)
    assert (row["status"], row["failure"]) == ("exception", "reverted")
    run("split", project, "--source", point(SOURCE), "--sink", point(SINK))
    expect_settled(project, root_count=2)


def test_one_is_settled_and_others_stay(project):
    """The command recovers nothing else."""
    split_killed_at(project, "edit.chunks_locked")
    assert run_json("stuck", "list", project)["operations"][0]["state"] == "begun"
    error = run_json("stuck", "replay", project, 1, expect=REFUSED)["error"]
    assert "did not come to its commit point" in error["message"]
    assert run_json("stuck", "list", project)["operations"][0]["locks"] > 0
    assert run("stuck", "revert", project, 1).stdout == "operation 1 was taken back\n"
    expect_settled(project, root_count=1)


def test_errors(project):
    for name in COMMANDS[1:]:
        assert "there is no operation 7" in run("stuck", name, project, 7, expect=NOT_FOUND).stderr
        assert "is not the number" in run("stuck", name, project, "x", expect=USAGE).stderr
    assert "'soon' is no duration" in run("stuck", "list", project, "--min-age", "soon", expect=USAGE).stderr
    run("split", project, "--source", point(SOURCE), "--sink", point(SINK))
    for name in COMMANDS[1:]:
        assert "is not stuck: its status is 'success'" in run("stuck", name, project, 1, expect=REFUSED).stderr
    run("stuck", "list", project / "nowhere", expect=NOT_FOUND)


def test_an_operation_of_pychunkedgraph_in_a_loaded_table(project, tmp_path):
    run("table", "dump", project, "--out", tmp_path / "dump.jsonl")
    run("export", project, "--what", "supervoxels", "--out", tmp_path / "supervoxels.npy")
    lines = (tmp_path / "dump.jsonl").read_text().splitlines()
    keys = [base64.b64decode(json.loads(line)["row"]).decode() for line in lines[1:]]
    chunks = [int(key[1:21]) for key in keys if key[0] == "i" and key[1:21].isdigit() and int(key[1:21]) >> 56 == 2]
    assert chunks
    now_ms = int(time.time() * 1000)
    cells = {
        ("0", "operation_status"): pickle.dumps(1),
        ("0", "operation_id"): b"%020d" % 5,
        ("2", "user"): b"theirs",
        ("2", "source_coords"): struct.pack("<3q", *SOURCE),
        ("2", "sink_coords"): struct.pack("<3q", *SINK),
        ("2", "bb_offset"): struct.pack("<3q", 240, 240, 24),
        ("0", "l2_chunk_lock_scope"): struct.pack(f"<{len(chunks)}Q", *chunks),
    }
    flat = [[family, name, now_ms, base64.b64encode(value).decode()] for (family, name), value in cells.items()]
    lines.append(json.dumps({"row": base64.b64encode(b"%020d" % 5).decode(), "cells": flat}))
    (tmp_path / "theirs.jsonl").write_text("\n".join(lines) + "\n")
    loaded = tmp_path / "loaded"
    report = run_json("table", "load", tmp_path / "theirs.jsonl", loaded, "--segmentation",
                      tmp_path / "supervoxels.npy", "--edges", project / "edges", "--resolution", "8,8,40")  # fmt: skip
    assert report["unfinished_operations"] == 1
    assert roots(loaded) == 1, "other commands leave it alone"
    listed = run_json("stuck", "list", loaded)["operations"]
    assert [(o["operation"], o["state"], o["locks"], o["chunks"]) for o in listed] == [(5, "foreign", 0, len(chunks))]
    assert run_json("stuck", "replay", loaded, 5) == {"operation": 5, "outcome": "planned anew"}
    expect_settled(loaded, root_count=2)
    row = run_json("log", loaded, 5)
    assert (row["status"], row["user"], row["kind"]) == ("success", "theirs", "split")
