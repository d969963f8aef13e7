"""Goal: a server that many use at once, and that is killed and started again and again, shows nobody half an edit, forgets
no moment that it has shown, loses no edit that it acknowledged, and does each exactly once.

Method: six editors, each on a neurite of its own, merge, split (with cuts in voxels) and undo (with the old ids, too), and
readers ask all the while: what stands now, what stood at moments of the past, the operation log, the events. The server is
killed by kill -9 at about equal intervals, sometimes again while it starts, and started anew. An edit that was not answered
is asked again with its key until it is.

- What stands now must be what one of the edits that were acknowledged or under way makes of it, in roots and leaves.
- A moment is settled once every edit that was asked before it is answered. From then on its supervoxels, roots, leaves
  and voxels must be the same, byte for byte, whatever is edited or killed.
- Every edit acknowledged before the log is asked for stands in it. The events come in the order of their times, each once.
- At the end: the log has each key exactly once, under the number that was answered, and nothing else; the events are the
  log; fsck finds nothing, and no coarser scale that waits; the foreground is what it was.

CLEAVE_KILL_SECONDS says for how long (12 without it, with two kills; then one a minute); CLEAVE_TEST_SEED, printed, which
edits and moments. The program is $CLEAVE_PROGRAM, else build/release/cleave.
"""

import atexit
import collections
import hashlib
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kill_test import EDITS, NM, SITES, command, make_labels, next_edit, points, run_json, text_of

SECONDS = float(os.environ.get("CLEAVE_KILL_SECONDS", "12"))
KILLS = max(2, round(SECONDS / 60))
UNDO_CHANCE = 0.2
UNWIND_CHANCE = 0.1
AGAIN_AT_START_CHANCE = 0.25
TABLE = "/segmentation/api/v1/table/graph/"
POINTS = [(site, name) for site in range(SITES) for name in ("source", "sink", "tail")]


class Away(Exception):
    """No whole answer: nobody knows what came of the request."""


class Server:
    """`cleave serve` on one port, however often it is killed."""

    def __init__(self, project):
        self.project = project
        self.port = 0
        self.process = None
        atexit.register(lambda: self.process and self.process.kill())

    def launch(self):
        self.process = subprocess.Popen(command("serve", self.project, "--port", self.port, "--json", "--quiet"),
                                        stdout=subprocess.PIPE, text=True)  # fmt: skip

    def start(self):
        self.launch()
        line = self.process.stdout.readline()
        assert line, "the server did not start"
        self.port = json.loads(line)["port"]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=120) == 0

    def ask(self, path, body=None, key=None, query=None):
        target = path if path.startswith("/") else TABLE + path
        if query:
            target += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{target}",
                                         None if body is None else json.dumps(body).encode(),
                                         {"Idempotency-Key": key} if key else {})  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise AssertionError(f"{target} {body} is answered with {error.code}: {text}") from None
        except (OSError, http.client.HTTPException) as error:
            raise Away(str(error)) from None

    def ask_json(self, *arguments, **named):
        return json.loads(self.ask(*arguments, **named))


def nm(point):
    return [0, *(c * size for c, size in zip(point, NM))]


class Site:
    """A neurite, what was asked of it, and what was acknowledged. One editor writes, all read."""

    def __init__(self, number):
        self.number = number
        self.states = [(True, False)]  # the first, and that after each edit that was asked for
        self.acknowledged = 0  # states[:acknowledged + 1] are behind us
        self.is_whole = True  # source and sink lie in one supervoxel family
        self.standing = []  # edits that could be undone: operation, the state before, whether it cut voxels
        self.half_undone = None  # a cut that was undone without its voxels
        self.unwinding = False  # back to the beginning, so that there is something to cut again

    def choose(self, chance):
        """What to ask for next: name, path, body, the state after it."""
        state = self.states[-1]
        self.unwinding = not self.is_whole and (self.unwinding or chance.random() < UNWIND_CHANCE)
        if self.standing and (self.unwinding or chance.random() < UNDO_CHANCE):
            operation, before, did_cut = self.standing[-1]
            voxels = did_cut and chance.random() < 0.7
            body = {"operation_id": operation, "voxels": True} if voxels else {"operation_id": operation}
            return "undo with voxels" if voxels else "undo", "undo", body, before
        if self.unwinding and self.half_undone:
            return "voxels of what was undone", "undo", {"operation_id": self.half_undone, "voxels": True}, state
        edit = next_edit(state, chance)
        kind, first, second, turn = EDITS[edit]
        ends = [nm(points(self.number)[name]) for name in (first, second)]
        body = ends if kind == "merge" else {"sources": [ends[0]], "sinks": [ends[1]]}
        return "cut in voxels" if edit == "cut" and self.is_whole else edit, kind, body, turn(state)

    def acknowledge(self, name, operation):
        if name in ("undo", "undo with voxels"):
            undone, _, did_cut = self.standing.pop()
            if name == "undo" and did_cut:
                self.half_undone = undone
        elif name != "voxels of what was undone":
            self.standing.append((operation, self.states[-2], name == "cut in voxels"))
        if "voxels" in name:
            self.is_whole = name != "cut in voxels"
            self.half_undone = None
        self.acknowledged = len(self.states) - 1


class Trial:
    """Everything that the threads share."""

    def __init__(self, server, seed):
        self.server = server
        self.seed = seed
        self.sites = [Site(number) for number in range(SITES)]
        self.asked = []  # keys
        self.done = []  # (key, operation) in the order of the answers
        self.moments = []  # settled ones: (time, digest)
        self.events = []  # as they were told
        self.handled = set()  # by the group
        self.tally = collections.Counter()
        self.failures = []
        self.no_more_edits = threading.Event()
        self.no_more_reads = threading.Event()
        self.chunks = []  # of the voxels: paths below /data/graph/

    def count(self, what):
        self.tally[what] += 1  # off by one now and then; it is for people

    def run(self, work, name, *arguments):
        def guarded():
            try:
                work(random.Random(f"{self.seed} {name} {arguments}"), *arguments)
            except BaseException:
                self.failures.append(f"{name} {arguments}: {traceback.format_exc()}")

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        return thread

    def until_answered(self, *arguments, **named):
        """Asks again and again, as a client does."""
        for attempt in range(10**6):
            try:
                return self.server.ask_json(*arguments, **named), attempt
            except Away:
                assert not self.failures, "somebody else failed"
                time.sleep(0.05)

    # Editors.

    def edit(self, chance, number):
        site = self.sites[number]
        while not self.no_more_edits.is_set():
            name, path, body, after = site.choose(chance)
            key = f"site{number}-{len(site.states)}"
            self.asked.append(key)
            site.states.append(after)
            answer, attempts = self.until_answered(path, body, key=key)
            site.acknowledge(name, answer["operation_id"])
            self.done.append((key, answer["operation_id"]))
            self.count(name)
            self.tally["asked again after a kill"] += attempts > 0
            time.sleep(chance.uniform(0, 0.05))

    # Readers of the present.

    def look(self, asked):
        return self.server.ask_json("supervoxel_lookup", [nm(points(site)[name]) for site, name in asked])

    def read_now(self, chance):
        site = chance.choice(self.sites)
        asked = [(site.number, name) for name in ("source", "sink", "tail")]
        first = site.acknowledged
        ids = self.look(asked)
        roots = self.server.ask_json("roots", {"node_ids": ids})["root_ids"]
        leaves = self.server.ask_json(f"node/{roots[0]}/leaves")["leaf_ids"]
        last = len(site.states) - 1
        if self.look(asked) != ids or last - first > 1:
            return self.count("reads that an edit overtook")
        assert all(ids) and all(roots), f"{site.number}: {ids} {roots}"
        seen = (roots[0] == roots[1], roots[1] == roots[2])
        about = f"site {site.number}, {ids}, {roots}, states {site.states[first : last + 1]}"
        assert seen in site.states[first : last + 1] and (seen[0] and seen[1]) == (roots[0] == roots[2]), about
        if first == last:  # else a fresh supervoxel may still lead to the old root
            assert [i in leaves for i in ids] == [r == roots[0] for r in roots], f"{about}: leaves {leaves}"
        self.count("reads of the present")

    # Readers of the past.

    def answers_at(self, time_text):
        """All that is told of a moment, in one digest; what contradicts itself is refused."""
        at = {"timestamp": time_text}
        ids = self.server.ask_json("supervoxel_lookup", [nm(points(s)[n]) for s, n in POINTS], query=at)
        roots = self.server.ask_json("roots", {"node_ids": ids}, query=at)["root_ids"]
        leaves = {r: self.server.ask_json(f"node/{r}/leaves", query=at)["leaf_ids"] for r in sorted(set(roots))}
        for supervoxel, root in zip(ids, roots):
            assert supervoxel in leaves[root], f"at {time_text} {root} lacks {supervoxel}, which leads to it"
        digest = hashlib.sha256(json.dumps([ids, roots, sorted(leaves.items())]).encode())
        for chunk in self.chunks:
            digest.update(self.server.ask(f"/data/graph/at/{time_text}/{chunk}"))
        return digest.hexdigest(), dict(zip(POINTS, roots))

    def settle_moment(self):
        lowest = [site.acknowledged for site in self.sites]
        # A millisecond earlier than now: what is asked from here on gets a later time, in whole milliseconds.
        time_text = f"{(time.time_ns() // 10**6 - 1) / 1000:.3f}"
        highest = [len(site.states) - 1 for site in self.sites]
        while any(site.acknowledged < asked for site, asked in zip(self.sites, highest)):
            if self.failures or self.no_more_reads.is_set():
                return
            time.sleep(0.02)
        digest, roots = self.answers_at(time_text)
        for site, low, high in zip(self.sites, lowest, highest):
            root = [roots[site.number, name] for name in ("source", "sink", "tail")]
            seen = (root[0] == root[1], root[1] == root[2])
            assert seen in site.states[low : high + 1], f"site {site.number} at {time_text}: {seen}"
        self.moments.append((time_text, digest))
        self.count("moments settled")

    def read_past(self, chance):
        if len(self.moments) < 3 or chance.random() < 0.2:
            return self.settle_moment()
        time_text, digest = chance.choice(self.moments)
        assert self.answers_at(time_text)[0] == digest, f"the moment {time_text} is told otherwise than before"
        self.count("moments told again")

    # Readers of the log and of the events.

    def read_log(self, chance):
        known = dict((operation, key) for key, operation in list(self.done)[-100:])
        rows = self.server.ask_json("/cleave/api/v1/table/graph/operations", query={"limit": 300})["operations"]
        ids = [int(row["operation_id"]) for row in rows]
        assert ids == sorted(set(ids), reverse=True), ids
        status = {int(row["operation_id"]): row["status"] for row in rows}
        for operation, key in known.items():
            if ids and operation >= ids[-1]:
                assert status.get(operation) == "success", f"{key}, operation {operation}: {status.get(operation)}"
        self.count("reads of the log")
        time.sleep(chance.uniform(0, 0.5))

    def follow_events(self, chance):
        query = {"limit": 200, "after": self.events[-1]["next"]} if self.events else {"limit": 200}
        page = self.server.ask_json("events", query=query)
        if page["events"]:
            self.events.append(page)
        self.count("reads of the events")
        time.sleep(chance.uniform(0, 0.2))

    def handle_events(self, chance):
        page = self.server.ask_json("events", query={"group": "test", "limit": 50})
        self.handled.update(event["operation_id"] for event in page["events"])
        if page["events"]:
            self.server.ask("events/acknowledge", {}, query={"group": "test", "until": page["next"]})
        self.count("pages of the group")
        time.sleep(chance.uniform(0, 0.2))

    def read(self, chance, what):
        while not self.no_more_reads.is_set():
            try:
                getattr(self, what)(chance)
            except Away:
                time.sleep(0.05)

    # The killer.

    def kill_again_and_again(self, chance):
        begin = time.monotonic()
        slept = SECONDS / (KILLS + 0.5)
        for kill in range(KILLS):
            wake = begin + slept * (kill + chance.uniform(0.8, 1.0))
            while time.monotonic() < wake and not self.failures:
                time.sleep(0.02)
            if self.failures:
                return
            self.server.kill()
            self.count("kills")
            if chance.random() < AGAIN_AT_START_CHANCE:
                self.server.launch()
                time.sleep(chance.uniform(0, 0.5))
                self.server.kill()
                self.count("kills at the start")
            start = time.monotonic()
            self.server.start()
            self.tally["ms until it answers again, at most"] = max(
                self.tally["ms until it answers again, at most"], round(1e3 * (time.monotonic() - start)))  # fmt: skip
        while time.monotonic() < begin + SECONDS and not self.failures:
            time.sleep(0.02)

    def told_events(self):
        return [event for page in list(self.events) for event in page["events"]]

    def wait_for_events(self):
        deadline = time.monotonic() + 60
        while len(self.told_events()) < len(self.done) or len(self.handled) < len(self.done):
            if time.monotonic() > deadline or self.failures:
                told = {event["operation_id"] for event in self.told_events()}
                wanted = {operation for _, operation in self.done}
                stuck = self.server.ask_json("/cleave/api/v1/table/graph/stuck", query={"min_age": 0})
                raise AssertionError(f"not told: {sorted(wanted - told)}, not handled: {sorted(wanted - self.handled)}, "
                                     f"told in vain: {sorted(told - wanted)}, in flight: {stuck}, {self.failures}")  # fmt: skip
            time.sleep(0.05)

    def expect_no_failure(self):
        assert not self.failures, "\n".join(self.failures)


def chunk_paths(server):
    """Every chunk of the finest scale, below /data/graph/."""
    scale = json.loads(server.ask("/data/graph/info"))["scales"][0]
    sizes, chunk = scale["size"], scale["chunk_sizes"][0]
    spans = [[f"{v}-{min(v + side, size)}" for v in range(0, size, side)] for size, side in zip(sizes, chunk)]
    return [f"{scale['key']}/{x}_{y}_{z}" for x in spans[0] for y in spans[1] for z in spans[2]]


def expect_whole(trial, project, labels, folder):
    """Everything that must be true of a project that was closed."""
    done = dict(trial.done)
    assert len(done) == len(trial.done) == len(trial.asked)
    rows = run_json("log", project)["operations"]
    by_key = collections.defaultdict(list)
    for row in rows:
        assert row["status"] in ("success", "exception"), row
        if row["status"] == "success":
            by_key[row["key"]].append(row["operation"])
    assert {key: [operation] for key, operation in done.items()} == dict(by_key)
    told = [event["operation_id"] for event in trial.told_events()]
    assert len(told) == len(set(told)), "an event was told twice"
    assert told == [event["operation"] for event in run_json("events", project)["events"]]
    assert set(told) == set(done.values()) == trial.handled
    drained = run_json("worker", "downsample", project)
    assert drained["events_left"] == 0, drained
    fsck = run_json("fsck", project)
    assert fsck["clean"] is True, fsck
    subprocess.run(command("export", project, "--what", "supervoxels", "--out", folder / "after.npy", "--quiet"), check=True)
    after = np.load(folder / "after.npy")
    assert np.array_equal(after != 0, labels != 0), "foreground was lost or gained"


def test_readers_and_editors_while_the_server_is_killed(tmp_path):
    seed = os.environ.get("CLEAVE_TEST_SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"CLEAVE_TEST_SEED={seed}")
    labels = make_labels()
    np.save(tmp_path / "labels.npy", labels)
    fuse = [argument for site in range(SITES) for argument in ("--fuse", f"{3 * site + 1},{3 * site + 2}")]
    project = tmp_path / "project"
    subprocess.run(command("init", project, "--segmentation", tmp_path / "labels.npy", "--resolution", text_of(NM),
                           "--chunk-size", "32,32,16", "--scales", 3, "--quiet", *fuse), check=True)  # fmt: skip
    server = Server(project)
    server.start()
    trial = Trial(server, seed)
    trial.chunks = chunk_paths(server)
    editors = [trial.run(trial.edit, "editor", number) for number in range(SITES)]
    readers = [trial.run(trial.read, "reader", what)
               for what in ("read_now", "read_now", "read_past", "read_log", "follow_events", "handle_events")]  # fmt: skip
    trial.kill_again_and_again(random.Random(f"{seed} kills"))
    trial.no_more_edits.set()
    for thread in editors:
        thread.join(300)
        assert not thread.is_alive()
    trial.expect_no_failure()
    trial.wait_for_events()
    for time_text, digest in trial.moments:
        assert trial.answers_at(time_text)[0] == digest, f"the moment {time_text} is told otherwise than before"
    trial.no_more_reads.set()
    for thread in readers:
        thread.join(300)
        assert not thread.is_alive()
    trial.expect_no_failure()
    server.stop()
    print(f"{SECONDS:.0f} s: {dict(sorted(trial.tally.items()))}")
    expect_whole(trial, project, labels, tmp_path)
    assert trial.tally["kills"] == KILLS
    assert trial.tally["asked again after a kill"] > 0
    for what in ("cut in voxels", "reads of the present", "moments settled", "reads of the log"):
        assert trial.tally[what] > 0, what
