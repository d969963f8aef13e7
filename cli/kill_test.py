"""Goal: kill -9 at any moment, of the program or of the server, loses no edit that was acknowledged, and leaves no half of
one that was not.

Method: a driver, a process of its own, edits a project: by `cleave` commands one after the other, or through `cleave serve`
by several threads at once. Before it asks for an edit it writes what it will ask into a file, with the request's key, and
after the answer what was answered; both are on disk before it goes on. At a random moment everything is killed: the server,
and in every other round the driver with it. Then the project is opened again, by a command or by a new server, and held
against the file: every acknowledged edit stands, under the number that was answered; the one edit of each object that was
asked for and not answered happened whole or not at all, and the log, the points' objects and fsck agree which; asked again
with its key, it is done exactly once.

CLEAVE_KILL_ROUNDS says how many rounds (a few without it); CLEAVE_TEST_SEED, printed, which moments. The program is
$CLEAVE_PROGRAM, else build/release/cleave.
"""

import atexit
import collections
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("CLEAVE_PROGRAM") or ROOT / "build/release/cleave")
ROUNDS = int(os.environ.get("CLEAVE_KILL_ROUNDS", "10"))
ROUNDS_A_PROJECT = 4  # then a fresh one, whose supervoxels are still to be cut
SITES = 6
NM = (8, 8, 40)

if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)


def points(site):
    """A source and a sink in one supervoxel family that is really two blocks, and a block that touches the sink's."""
    y = 12 * site + 6
    return {"source": (8, y, 8), "sink": (52, y, 8), "tail": (66, y, 8)}


def make_labels():
    labels = np.zeros((72, 12 * SITES, 20), np.uint32, order="F")
    for site in range(SITES):
        y = slice(12 * site + 1, 12 * site + 11)
        labels[2:30, y, 2:18] = 3 * site + 1
        labels[30:60, y, 2:18] = 3 * site + 2
        labels[60:70, y, 2:18] = 3 * site + 3
        labels[30, y.start : y.start + 3, :] = labels[30, y.stop - 3 : y.stop, :] = 0  # a neck
    return labels


# An edit: which points it joins or parts, and what stands afterwards. A site's state is (source and sink are one object,
# sink and tail are one object).
EDITS = {
    "cut": ("split", "source", "sink", lambda state: (False, state[1])),
    "join": ("merge", "source", "sink", lambda state: (True, state[1])),
    "add tail": ("merge", "tail", "sink", lambda state: (state[0], True)),
    "part tail": ("split", "tail", "sink", lambda state: (state[0], False)),
}


def next_edit(state, chance):
    return chance.choice(["cut" if state[0] else "join", "part tail" if state[1] else "add tail"])


def command(*arguments):
    return [str(PROGRAM), *map(str, arguments)]


def run_json(*arguments):
    done = subprocess.run(command(*arguments, "--json"), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def text_of(point):
    return ",".join(map(str, point))


class ByCommand:
    """Asks by running the program."""

    parallel = 1

    def __init__(self, project):
        self.project = project

    def edit(self, site, edit, key):
        kind, first, second, _ = EDITS[edit]
        at = points(site)
        done = subprocess.run(
            command(kind, self.project, "--source", text_of(at[first]), "--sink", text_of(at[second]), "--key", key,
                    "--json"), capture_output=True, text=True, timeout=300)  # fmt: skip
        if done.returncode < 0:
            raise ConnectionError(f"signal {-done.returncode}")
        answer = json.loads(done.stdout)
        return (answer["operation"], None) if done.returncode == 0 else (None, answer["error"]["message"])

    def roots(self, asked):
        found = run_json("lookup", self.project, "--point", *map(text_of, asked))["points"]
        return [p["root"] for p in found]


class ByServer:
    """Asks `cleave serve`."""

    parallel = SITES

    def __init__(self, project, *options):
        self.process = subprocess.Popen(command("serve", project, "--port", "0", "--json", "--quiet", *options),
                                        stdout=subprocess.PIPE, text=True)  # fmt: skip
        atexit.register(self.process.kill)  # of a test that failed; of one that ended it does nothing
        line = self.process.stdout.readline()
        assert line, "the server did not start"
        self.url = f"http://127.0.0.1:{json.loads(line)['port']}/segmentation/api/v1/table/graph/"

    def post(self, path, body, key=""):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Idempotency-Key": key})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())

    def edit(self, site, edit, key):
        kind, first, second, _ = EDITS[edit]
        ends = [[0, *(c * nm for c, nm in zip(points(site)[name], NM))] for name in (first, second)]
        body = ends if kind == "merge" else {"sources": [ends[0]], "sinks": [ends[1]]}
        try:
            return self.post(kind, body, key)["operation_id"], None
        except urllib.error.HTTPError as error:
            return None, error.read().decode()

    def roots(self, asked):
        found = self.post("supervoxel_lookup", [[0, *(c * nm for c, nm in zip(p, NM))] for p in asked])
        return self.post("roots", {"node_ids": found})["root_ids"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0


def ask_until_free(asker, site, edit, key):
    """Sites share chunks, and on a busy machine one may hold them for longer than another waits: it is to ask again."""
    for _ in range(100):
        operation, refusal = asker.edit(site, edit, key)
        if refusal is None or "locked by operation" not in refusal:
            break
    return operation, refusal


def drive(asker, states, file, seed, name):
    """The driver: edits until it is killed, or its server does not answer any more."""
    os.setsid()
    lock = threading.Lock()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(**line):
        with lock:
            os.write(descriptor, (json.dumps(line) + "\n").encode())
            os.fsync(descriptor)

    def work(sites, chance):
        state = dict(states)
        for number in range(10**6):
            site = chance.choice(sites)
            edit = next_edit(state[site], chance)
            key = f"{name}-{site}-{number}"
            note(ask=key, site=site, edit=edit)
            try:
                operation, refusal = ask_until_free(asker, site, edit, key)
            except (OSError, ValueError):
                return  # killed: nobody knows what came of it
            if refusal is None:
                note(done=key, operation=operation)
                state[site] = EDITS[edit][3](state[site])
            else:
                note(refused=key, why=refusal)

    count = asker.parallel
    shares = [list(range(i, SITES, count)) for i in range(count)]
    threads = [threading.Thread(target=work, args=(share, random.Random(f"{seed} {share}"))) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def read_file(file):
    """What was asked, in order: each with `operation` if it was done, `why` if it was refused, neither if unanswered."""
    asked = {}
    for line in file.read_text().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break  # the driver was killed while it wrote its last line
        if "ask" in entry:
            asked[entry["ask"]] = entry
        else:
            asked[entry.get("done") or entry["refused"]].update(entry)
    return asked


def expect_seen(asker, states, unanswered):
    """What stands now: as acknowledged, or, where an edit was not answered, that or as after it. Says which."""
    order = [(site, name) for site in range(SITES) for name in ("source", "sink", "tail")]
    found = dict(zip(order, asker.roots([points(site)[name] for site, name in order])))
    happened = {}
    for site in range(SITES):
        root = {name: found[site, name] for name in ("source", "sink", "tail")}
        seen = (root["source"] == root["sink"], root["sink"] == root["tail"])
        assert seen[0] or not seen[1] or root["source"] != root["tail"]
        allowed = {False: states[site]}
        if site in unanswered:
            allowed[True] = EDITS[unanswered[site]["edit"]][3](states[site])
        which = [did for did, state in allowed.items() if state == seen]
        assert which, f"site {site} is {seen}, acknowledged is {states[site]}, not answered: {unanswered.get(site)}"
        happened[site] = which[0]
    return happened


def by_key(project):
    operations = collections.defaultdict(list)
    for row in run_json("log", project)["operations"]:
        assert row["status"] in ("success", "exception"), row
        if row["key"] and row["status"] == "success":
            operations[row["key"]].append(row["operation"])
    return operations


def seconds_of_an_edit(whole, copy):
    """A program built with a sanitizer is ten times as slow, and is to be killed after about as many edits."""
    shutil.copytree(whole, copy)
    begin = time.monotonic()
    _, refusal = ByCommand(copy).edit(0, "cut", "timed")
    assert refusal is None, refusal
    return time.monotonic() - begin


def play_round(number, project, states, folder, window_seconds, chance, tally):
    served = number % 2 == 1
    file = folder / f"expected-{number}.jsonl"
    asker = ByServer(project) if served else ByCommand(project)
    driver = multiprocessing.get_context("fork").Process(
        target=drive, args=(asker, states, file, chance.random(), f"round{number}"))  # fmt: skip
    driver.start()
    while not (file.exists() and file.stat().st_size):
        assert driver.is_alive(), "the driver ended before it asked for anything"
        time.sleep(0.001)
    time.sleep(chance.uniform(0, window_seconds))
    if served:
        asker.process.kill()
        asker.process.wait()
    if not served or number % 4 == 1:
        try:
            os.killpg(driver.pid, signal.SIGKILL)  # with the command that it runs
        except ProcessLookupError:
            pass
    driver.join(60)
    assert not driver.is_alive()

    asked = read_file(file)
    unanswered = {entry["site"]: entry for entry in asked.values() if "done" not in entry and "refused" not in entry}
    for entry in asked.values():
        assert "why" not in entry, entry["why"]  # nobody else edits these objects
        if "done" in entry:
            states[entry["site"]] = EDITS[entry["edit"]][3](states[entry["site"]])
    again = ByServer(project) if chance.random() < 0.5 else ByCommand(project)
    happened = expect_seen(again, states, unanswered)
    if isinstance(again, ByServer):
        again.stop()
    operations = by_key(project)
    for key, entry in asked.items():
        if "done" in entry:
            assert operations[key] == [entry["operation"]], f"{entry} was acknowledged; the log has {operations[key]}"
        else:
            assert len(operations[key]) == (1 if happened[entry["site"]] else 0), (entry, operations[key], happened)
    assert run_json("fsck", project)["clean"] is True

    again = type(asker)(project)  # by the other way it would be another user's, and another request
    for site, entry in unanswered.items():
        operation, refusal = again.edit(site, entry["edit"], entry["ask"])
        assert refusal is None, (entry, refusal)
        assert operations[entry["ask"]] in ([], [operation])
        states[site] = EDITS[entry["edit"]][3](states[site])
    expect_seen(again, states, {})
    if isinstance(again, ByServer):
        again.stop()
    operations = by_key(project)
    assert all(len(operations[entry["ask"]]) == 1 for entry in unanswered.values())
    tally["acknowledged"] += sum("done" in entry for entry in asked.values())
    tally["in flight"] += len(unanswered)
    tally["of these done"] += sum(happened[site] for site in unanswered)
    tally["rounds with edits in flight"] += bool(unanswered)


def test_kill_at_any_moment(tmp_path):
    seed = os.environ.get("CLEAVE_TEST_SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"CLEAVE_TEST_SEED={seed}")
    chance = random.Random(seed)
    np.save(tmp_path / "labels.npy", make_labels())
    fuse = [argument for site in range(SITES) for argument in ("--fuse", f"{3 * site + 1},{3 * site + 2}")]
    subprocess.run(command("init", tmp_path / "whole", "--segmentation", tmp_path / "labels.npy", "--resolution",
                           text_of(NM), "--chunk-size", "32,32,16", "--quiet", *fuse), check=True)  # fmt: skip
    window_seconds = min(8, 12 * seconds_of_an_edit(tmp_path / "whole", tmp_path / "timed"))
    tally = collections.Counter()
    project, states = tmp_path / "project", {}
    for number in range(ROUNDS):
        if number % ROUNDS_A_PROJECT == 0:
            shutil.rmtree(project, ignore_errors=True)
            shutil.copytree(tmp_path / "whole", project)
            states = {site: (True, False) for site in range(SITES)}
        play_round(number, project, states, tmp_path, window_seconds, chance, tally)
        if (number + 1) % 20 == 0:
            print(f"{number + 1} rounds: {dict(tally)}", flush=True)
    print(f"killed {ROUNDS}/{ROUNDS} rounds: {dict(tally)}")
    assert tally["acknowledged"] > ROUNDS
    assert tally["rounds with edits in flight"] > ROUNDS / 2
