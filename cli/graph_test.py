"""Runs `cleave graph` from outside, on a project of three blocks that are merged and split.

Goal: every command of the group does what docs/cli.md says, in both forms of output, with its exit code.
Method: the same questions asked in several ways (many ids, one id, a file, standard input), and beside the other
commands of the program; what the edits reported is what the history must say.

The program is $CLEAVE_PROGRAM, else build/release/cleave.
"""

import json
import os
import pathlib
import re
import subprocess

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("CLEAVE_PROGRAM", ROOT / "build/release/cleave"))
OK, USAGE, NOT_FOUND, REFUSED = 0, 2, 3, 4
COMMANDS = (
    "roots parents children leaves covering coordinates edges l2graph path contacts latest lineage history changes delta "
    "operations safe-time"
).split()
POINTS = {1: "10,20,10", 2: "40,20,10", 3: "70,20,10"}

if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)


def run(*arguments, expect=OK, stdin=None):
    done = subprocess.run(
        [str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=300, input=stdin
    )
    assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_json(*arguments, expect=OK, stdin=None):
    done = run(*arguments, "--json", expect=expect, stdin=stdin)
    assert done.stdout.count("\n") == 1, "a result is one line"
    return json.loads(done.stdout)


def keys_of(answer):
    """Keys at any depth, but those that are names of users, operations or stored columns."""
    if isinstance(answer, list):
        return set().union(*map(keys_of, answer))
    if not isinstance(answer, dict):
        return set()
    named = {"users", "operations"}
    return set(answer).union(*(keys_of(v) for k, v in answer.items() if k not in named or isinstance(v, list)))


def keys_in_manual(command):
    section = (ROOT / "docs/cli.md").read_text().split(f"### graph {command}\n")[1].split("\n#")[0]
    return set(re.findall(r"`([^`]+)`", section.split("\nJSON: ")[1]))


def graph(command, project, *arguments, **more):
    answer = run_json("graph", command, project, *arguments, **more)
    assert keys_of(answer) <= keys_in_manual(command), "the manual does not name all keys"
    return answer


def fail(code, *arguments, says):
    done = run("graph", *arguments, "--quiet", expect=code)
    assert done.stdout == "" and done.stderr.startswith("cleave: ") and says in done.stderr, done.stderr
    assert says in run_json("graph", *arguments, expect=code)["error"]["message"]


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """Blocks 1, 2 and 3 along x, over several chunks; 1 and 2 are merged, then 3 with them, then 1 is split off."""
    folder = tmp_path_factory.mktemp("graph")
    labels = np.zeros((80, 40, 20), np.uint32, order="F")
    labels[:24], labels[24:56], labels[56:] = 1, 2, 3
    np.save(folder / "labels.npy", labels)
    project = folder / "project"
    run("init", project, "--segmentation", folder / "labels.npy", "--resolution", "8,8,40", "--chunk-size", "32,32,32")
    reports = []
    for command, a, b in (("merge", 1, 2), ("merge", 2, 3), ("split", 1, 2)):
        reports.append(run_json(command, project, "--source", POINTS[a], "--sink", POINTS[b], "--user", f"user{a}"))
    return project, reports


def supervoxels(project):
    found = run_json("lookup", project, "--point", *POINTS.values())["points"]
    return [p["supervoxel"] for p in found], [p["root"] for p in found]


def test_the_manual_is_what_help_says():
    manual = (ROOT / "docs/cli.md").read_text()
    listed = run("graph", "--help").stdout
    for command in COMMANDS:
        assert f"  {command} " in listed
        page = run("graph", command, "--help").stdout
        assert page[page.index("Usage:") :].rstrip() in manual, f"docs/cli.md is behind `cleave graph {command} --help`"
        assert f"### graph {command}\n" in manual
        assert "Example:" in page and "--json" in page


def test_up_and_down(edited, tmp_path):
    project, _ = edited
    ids, roots = supervoxels(project)
    answer = graph("roots", project, "--ids", ",".join(ids))
    assert (answer["nodes"], answer["roots"], answer["at"]) == (ids, roots, None)
    (tmp_path / "ids.txt").write_text("\n".join(ids) + "\n\n")
    assert graph("roots", project, "--file", tmp_path / "ids.txt")["roots"] == roots
    assert graph("roots", project, "--file", "-", stdin="\n".join(ids))["roots"] == roots
    assert run("graph", "roots", project, "--ids", ids[0]).stdout == f"{ids[0]} {roots[0]}\n"
    chains = graph("parents", project, "--ids", ",".join(ids))["nodes"]
    assert [chain["ancestors"][-1] for chain in chains] == roots
    l2_nodes = graph("roots", project, "--ids", ",".join(ids), "--layer", 2)["roots"]
    assert [chain["ancestors"][0] for chain in chains] == l2_nodes
    above = graph("roots", project, "--ids", ids[0], "--layer", 3, "--above")["roots"][0]
    assert above in chains[0]["ancestors"]
    versions = graph("parents", project, "--ids", ids[0], "--versions")["nodes"][0]["parents"]
    assert versions[0]["parent"] == l2_nodes[0] and len(versions) >= 2
    children = graph("children", project, "--ids", roots[0])["nodes"][0]["children"]
    assert set(children) & set(chains[0]["ancestors"])
    leaves = graph("leaves", project, "--ids", ",".join(roots[:2]))["nodes"]
    for entry in leaves:
        assert entry["leaves"] == run_json("leaves", project, "--root", entry["node"])["supervoxels"]
    in_box = graph("leaves", project, "--ids", roots[1], "--box", "64,0,0,80,40,20")["nodes"][0]["leaves"]
    assert set(in_box) < set(leaves[1]["leaves"]) and ids[2] in in_box
    covering = graph("covering", project, "--ids", ",".join(leaves[1]["leaves"]))["nodes"]
    assert covering == [roots[1]]
    assert graph("covering", project, "--ids", ids[0])["nodes"][0] in [ids[0], *chains[0]["ancestors"]]


def test_coordinates(edited):
    project, _ = edited
    ids, roots = supervoxels(project)
    nodes = graph("coordinates", project, "--ids", ",".join([*ids, roots[0]]))["nodes"]
    for entry, supervoxel in zip(nodes, ids):
        at = ",".join(map(str, entry["voxel"]))
        assert run_json("lookup", project, "--point", at)["points"][0]["supervoxel"] == supervoxel
        assert entry["point_nm"] == [(c + 0.5) * s for c, s in zip(entry["voxel"], (8, 8, 40))]
    at = ",".join(map(str, nodes[-1]["voxel"]))
    assert run_json("lookup", project, "--point", at)["points"][0]["root"] == roots[0]
    rough = graph("coordinates", project, "--ids", ids[0], "--rough")["nodes"][0]
    assert rough["voxel"] is None and rough["point_nm"] == [16 * 8, 16 * 8, 10 * 40]


def test_edges_ways_and_contacts(edited):
    project, _ = edited
    ids, roots = supervoxels(project)
    leaves = set(graph("leaves", project, "--ids", roots[1])["nodes"][0]["leaves"])
    inside = graph("edges", project, "--ids", roots[1])
    assert inside["count"] == len(inside["edges"]) > 0
    assert all(e["node1"] in leaves and e["node2"] in leaves and e["internal"] for e in inside["edges"])
    every = graph("edges", project, "--ids", roots[1], "--all")["edges"]
    out = [e for e in every if not e["internal"]]
    assert len(every) == inside["count"] + len(out) and out
    pairs = graph("l2graph", project, "--ids", roots[1])["edge_graph"]
    assert pairs == sorted(pairs, key=lambda pair: list(map(int, pair))) and all(int(a) < int(b) for a, b in pairs)
    way = graph("path", project, "--ids", f"{ids[1]},{ids[2]}")
    path = way["l2_path"]
    assert path[0] == graph("roots", project, "--ids", ids[1], "--layer", 2)["roots"][0]
    assert len(way["chunk_middles_nm"]) == len(path) > 1
    for a, b in zip(path, path[1:]):
        assert sorted((a, b), key=int) in pairs
    fail(NOT_FOUND, "path", project, "--ids", f"{ids[0]},{ids[2]}", says="no path")
    fail(USAGE, "path", project, "--ids", ids[0], says="two ids")
    contacts = graph("contacts", project, "--ids", roots[0])
    assert [p["partner"] for p in contacts["partners"]] == [roots[1]]
    # The blocks share a plane of 40 x 20 voxel faces.
    assert sum(site["area"] for site in contacts["partners"][0]["sites"]) == 40 * 20
    mirrored = graph("contacts", project, "--ids", roots[1], "--partners", roots[0])["partners"]
    assert sum(site["area"] for site in mirrored[0]["sites"]) == 40 * 20


def test_objects_through_time(edited):
    project, (first, second, third) = edited
    _, roots = supervoxels(project)
    a, b = roots[0], roots[1]
    m = second["new_roots"][0]
    states = {r["root"]: r for r in graph("latest", project, "--ids", f"{a},{m}")["roots"]}
    assert states[a]["latest"] and not states[m]["latest"] and states[m]["superseded"] == third["time"]
    then = graph("latest", project, "--ids", f"{a},{m}", "--at", second["time"])["roots"]
    assert [r["latest"] for r in then] == [False, True]
    listed, start = [], "0"
    while start is not None:
        page = graph("latest", project, "--limit", 1, "--from", start)
        listed += page["roots"]
        start = page["next"]
    assert sorted(listed) == sorted({a, b})
    lineage = graph("lineage", project, "--ids", a)
    links = {(link["source"], link["target"]) for link in lineage["links"]}
    assert (m, a) in links and (first["new_roots"][0], m) in links and not lineage["cut"]
    assert {n["id"]: n["superseded_by"] for n in lineage["nodes"]}[m] == third["operation"]
    future = graph("lineage", project, "--ids", first["new_roots"][0], "--future")["links"]
    assert {link["target"] for link in future} == {m, a, b}
    cut = graph("lineage", project, "--ids", a, "--limit", 2)
    assert cut["cut"] and len(cut["nodes"]) == 2
    seen = {n["id"] for n in cut["nodes"]}
    rest = graph("lineage", project, "--ids", ",".join(cut["continue_from"]))
    assert seen.isdisjoint(n["id"] for n in rest["nodes"])
    assert seen | {n["id"] for n in rest["nodes"]} == {n["id"] for n in lineage["nodes"]}
    history = graph("history", project, "--ids", m)["roots"][0]
    assert set(history["future"]) == set(history["latest"]) == {a, b} and len(history["past"]) == 4


def test_the_log_seen_from_objects_users_and_times(edited):
    project, (first, second, third) = edited
    _, roots = supervoxels(project)
    changes = graph("changes", project, "--ids", roots[1])["roots"][0]
    assert [c["operation"] for c in changes["changes"]] == [r["operation"] for r in (first, second, third)]
    assert changes["summary"]["merges"] == 2 and changes["summary"]["splits"] == 1
    assert changes["last_edit"] == third["time"]
    assert len(graph("changes", project, "--ids", roots[1], "--filtered")["roots"][0]["changes"]) == 2
    delta = graph("delta", project, "--since", first["time"], "--until", third["time"])
    assert set(delta["new_roots"]) == set(third["new_roots"])
    assert first["new_roots"][0] in delta["old_roots"] and second["new_roots"][0] not in delta["old_roots"]
    assert second["new_roots"][0] in graph("delta", project, "--since", first["time"], "--all")["old_roots"]
    by_user = graph("operations", project, "--user", "user1")["operations"]
    assert [o["operation"] for o in by_user] == [first["operation"], third["operation"]]
    details = graph("operations", project, "--operations", second["operation"])["operations"]
    entry = details[str(second["operation"])]
    assert entry["user"] == "user2" and entry["roots"] == second["new_roots"] and entry["operation_status"] == 0
    page = graph("operations", project, "--limit", 1)
    assert page["next"] == second["operation"]
    safe = graph("safe-time", project)
    assert safe["held_by"] is None and safe["safe_time"] > third["time"] and safe["oldest_time"] < first["time"]


def test_wrong_arguments(edited, tmp_path):
    project, _ = edited
    fail(USAGE, "roots", project, says="give ids")
    fail(USAGE, "roots", project, "--ids", "x", says="x")
    fail(USAGE, "roots", project, "--ids", "5", says="5")
    fail(USAGE, "roots", project, "--file", tmp_path / "absent", says="cannot read")
    fail(USAGE, "latest", project, "--limit", "0", says="--limit")
    fail(NOT_FOUND, "roots", tmp_path / "absent", "--ids", "72057594037927941", says="not a Cleave project")
    fail(NOT_FOUND, "lineage", project, "--ids", "72057594037927937", says="is not an object")
    fail(USAGE, "delta", project, "--since", "yesterday", says="yesterday")
