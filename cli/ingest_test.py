"""Ingest by many processes.

Goal: whatever is killed, workers or the process that owns the table, at whatever moment and however often, running the same
command again ends with the project that an undisturbed ingest makes: the same table, cell by cell, the same voxels in every
scale, the same edge files. And the commands do what docs/cli.md says.

Method: a volume is ingested undisturbed, once by one worker and once by `cleave init` without any. Then it is ingested by
four workers while every few moments one of them, or the command itself, dies by kill -9; when the command is dead it is run
again, until it ends by itself. Table dumps are compared byte for byte (the dataset file states the time of ingest), voxels
through `cleave export` and every stored chunk of the coarser scales through `cleave ocdbt`. The same over a real redis-server,
which is killed meanwhile and comes back empty; the same with the field's chunk files, and, where the real volumes are, with one of them. Without CLEAVE_TEST_SCALE=small there are more rounds.

CLEAVE_TEST_SEED, printed, says which moments. The program is $CLEAVE_PROGRAM, else build/release/cleave.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("CLEAVE_PROGRAM") or ROOT / "build/release/cleave")
DATA = Path(os.environ.get("CLEAVE_DATA") or ROOT.parent / "shared/data")
SMALL = os.environ.get("CLEAVE_TEST_SCALE") == "small"
OK, USAGE, NOT_FOUND, REFUSED, DAMAGED = 0, 2, 3, 4, 5
WORKERS = 4
NM = [8, 8, 40]

if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)


def command(*arguments):
    return [str(PROGRAM), *map(str, arguments)]


def run(*arguments, expect=OK):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=600)
    assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_json(*arguments, expect=OK):
    return json.loads(run(*arguments, "--json", expect=expect))


def write_dataset(folder, project, graph=None, voxels=None, chunks=1):
    """Every project of one dataset file has the same time of ingest, so that all cells can be compared."""
    file = folder / f"{project}.yaml"
    dataset = {"project": project, "time": "2026-01-31T12:00:00Z", "graph": graph or {}, "voxels": voxels or {},
               "jobs": {"chunks": chunks}}  # fmt: skip
    file.write_text(json.dumps(dataset))  # JSON is YAML
    return file


def make_labels(shape, seed):
    """Blobs: the nearest of random points, some of them background."""
    chance = np.random.default_rng(seed)
    points = chance.uniform(0, 1, (60, 3)) * shape
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    best = np.full(shape, np.inf)
    labels = np.zeros(shape, np.uint32)
    for label, point in enumerate(points):
        distance = ((grid - point) ** 2).sum(-1)
        labels[distance < best] = 0 if label % 7 == 0 else label
        best = np.minimum(best, distance)
    return np.asfortranarray(labels)


def contents(project, folder):
    """Everything a project holds, as digests by name."""
    found = {}
    dump = folder / "dump.jsonl"
    dump.unlink(missing_ok=True)
    run("table", "dump", project, "--out", dump)
    found["table"] = dump.read_text().splitlines()
    out = folder / "voxels.npy"
    out.unlink(missing_ok=True)
    run("export", project, "--what", "supervoxels", "--out", out)
    found["voxels"] = hashlib.sha256(np.load(out).tobytes()).hexdigest()
    base = project / "ocdbt/base"
    for key in run_json("ocdbt", "ls", base)["keys"]:
        name = key["key"]
        found[f"bytes {name}"] = key["bytes"]
        if name.startswith("8_8_40/"):
            continue  # the finest scale: exported above
        value = subprocess.run(command("ocdbt", "get", base, name), capture_output=True, check=True, timeout=60).stdout
        found[f"stored {name}"] = hashlib.sha256(value).hexdigest()
    for file in sorted((project / "edges").iterdir()):
        found[f"edges {file.name}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def expect_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name == "table":
            assert len(found[name]) == len(value)
            for ours, theirs in zip(found[name], value):
                assert ours == theirs
        else:
            assert found[name] == value, name


def descendants(pid):
    """The workers of a command."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            pass
    return found


def kill_until_done(file, chance, pause_seconds, log, *options):
    """Runs the command until it ends by itself; meanwhile kills its workers and itself. Returns (deaths of workers, of
    commands)."""
    workers_killed = commands_killed = 0
    for _ in range(200):
        process = subprocess.Popen(command("ingest", "graph", file, "--workers", WORKERS, "--threads", 1, "--json",
                                           *options),
                                   stdout=subprocess.PIPE, stderr=log, text=True)  # fmt: skip
        # Every fifth death is the command's own; it is spared longer and longer, so that this ends.
        deaths_left = chance.randrange(1, 10) + commands_killed
        while process.poll() is None:
            time.sleep(chance.uniform(0, pause_seconds))
            if deaths_left == 0 and commands_killed < 12:
                process.kill()
                process.wait()
                commands_killed += 1
                break
            workers = descendants(process.pid)
            if workers and workers_killed < 200:
                try:
                    os.kill(chance.choice(workers), signal.SIGKILL)
                    workers_killed += 1
                except ProcessLookupError:
                    pass
            deaths_left -= 1
        if process.returncode != -signal.SIGKILL:
            answer = process.stdout.read()
            assert process.returncode == OK, f"exit {process.returncode}: {answer}\n{Path(log.name).read_text()[-2000:]}"
            assert json.loads(answer)["ended"] is True
            return workers_killed, commands_killed
    raise AssertionError("it never ended")


def disturb(tmp_path, make_file, rounds):
    """Undisturbed by one worker, then disturbed by four; returns what the undisturbed one holds."""
    seed = os.environ.get("CLEAVE_TEST_SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"CLEAVE_TEST_SEED={seed}")
    chance = random.Random(seed)
    project = tmp_path / "project"
    begin = time.monotonic()
    done = run_json("ingest", "graph", make_file(), "--workers", 1)
    seconds = time.monotonic() - begin
    assert done["ended"] is True and done["jobs"] == 0
    assert run_json("fsck", project)["clean"] is True
    expected = contents(project, tmp_path)
    killed = [0, 0]
    for number in range(rounds):
        shutil.rmtree(project)
        with open(tmp_path / f"log-{number}", "w") as log:
            workers, commands = kill_until_done(make_file(), chance, min(1.0, seconds / 5), log)
        killed[0] += workers
        killed[1] += commands
        expect_same(contents(project, tmp_path), expected)
        assert not (project / "ingest").exists()
    print(f"{rounds} rounds: {killed[0]} workers and {killed[1]} commands killed")
    assert killed[0] > 0
    return expected


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "labels.npy"
    np.save(path, make_labels((50, 44, 30) if SMALL else (90, 80, 50), 7))
    return path


def test_killed_at_random_from_labels(tmp_path, labels):
    def make_file():
        return write_dataset(tmp_path, "project", {"chunk-size": [16, 16, 16], "fuse": [[1, 2]]},
                             {"segmentation": str(labels), "resolution": NM, "scales": 3}, 2)  # fmt: skip

    expected = disturb(tmp_path, make_file, 2 if SMALL else 6)
    run("init", tmp_path / "by_init", "--segmentation", labels, "--resolution", "8,8,40", "--chunk-size", "16,16,16",
        "--fuse", "1,2", "--scales", 3, "--quiet")  # fmt: skip
    by_init = contents(tmp_path / "by_init", tmp_path)
    for found in (by_init, expected):
        del found["table"]  # its time is another; ingest/process_ingest_test.cc compares rows
    assert by_init == expected


def write_components(project, folder):
    """Each supervoxel of an object in one component: as files that every chunk and its neighbours are in."""
    from collections import defaultdict

    supervoxels, roots = folder / "supervoxels.npy", folder / "roots.npy"
    run("export", project, "--what", "supervoxels", "--out", supervoxels)
    run("export", project, "--what", "roots", "--out", roots)
    pairs = np.unique(np.stack([np.load(supervoxels).ravel(), np.load(roots).ravel()], 1), axis=0)
    objects = defaultdict(list)
    for supervoxel, root in pairs:
        if supervoxel:
            objects[int(root)].append(int(supervoxel))

    def varint(number):
        out = b""
        while True:
            number, low = number >> 7, number & 127
            out += bytes([low | (128 if number else 0)])
            if not number:
                return out

    body = b"".join(varint(n) for members in objects.values() for n in (len(members), *members))
    (folder / "components").mkdir()
    for x in range(4):
        for y in range(3):
            for z in range(2):
                (folder / "components" / f"components_{x}_{y}_{z}.proto").write_bytes(b"\x0a" + varint(len(body)) + body)


@pytest.fixture(scope="module")
def chunk_files(tmp_path_factory):
    """The field's own input: ids as labels, edge files, component files."""
    folder = tmp_path_factory.mktemp("chunk_files")
    np.save(folder / "labels.npy", make_labels((60, 44, 30), 11))
    (folder / "objects.csv").write_text("".join(f"{label},{label % 5 + 1}\n" for label in range(1, 60)))
    run("init", folder / "origin", "--segmentation", folder / "labels.npy", "--resolution", "8,8,40", "--chunk-size",
        "16,16,16", "--agglomeration", folder / "objects.csv", "--quiet")  # fmt: skip
    write_components(folder / "origin", folder)
    shutil.copytree(folder / "origin/edges", folder / "edges")
    return folder


def of_chunk_files(tmp_path, source):
    return write_dataset(tmp_path, "project", {"chunk-size": [16, 16, 16], "edges": str(source / "edges"),
                                               "components": str(source / "components")},
                         {"segmentation": str(source / "supervoxels.npy"), "resolution": NM})  # fmt: skip


def test_killed_at_random_from_chunk_files(tmp_path, chunk_files):
    disturb(tmp_path, lambda: of_chunk_files(tmp_path, chunk_files), 1 if SMALL else 4)


def test_killed_at_random_on_a_real_volume(tmp_path):
    """Mouse cortex; with CLEAVE_TEST_SCALE=full all 512^3 voxels of it."""
    whole = os.environ.get("CLEAVE_TEST_SCALE") == "full"
    packed = DATA / f"pinky40_neuropil_8x8x40_{'512x512x512' if whole else '128x128x128'}_u32.npy.zst"
    if not packed.exists():
        pytest.skip(f"no {packed}; say with CLEAVE_DATA where the real volumes are")

    def make_file():
        return write_dataset(tmp_path, "project", {"chunk-size": [128 if whole else 32] * 3},
                             {"segmentation": str(source), "resolution": NM}, 1 if whole else 4)  # fmt: skip

    # Unpacked, so that a worker that is started anew is at work soon.
    source = tmp_path / "labels.npy"
    source.write_bytes(subprocess.run(["zstd", "-dc", packed], capture_output=True, check=True).stdout)
    disturb(tmp_path, make_file, 1 if SMALL or whole else 4)


def test_in_parts_by_workers_of_others(tmp_path, chunk_files):
    file = of_chunk_files(tmp_path, chunk_files)
    project = tmp_path / "project"
    run_json("ingest", "status", project, expect=NOT_FOUND)
    assert "in the queues" in run("ingest", "graph", file, "--queue-only", "--voxels-only")
    status = run_json("ingest", "status", project)
    assert (status["ended"], status["coordinator"], status["workers"]) == (False, False, 0)
    (queue,) = status["queues"]
    assert queue["name"] == "voxels" and queue["jobs"] == {"queued": 24, "taken": 0, "done": 0, "failed": 0}
    workers = [subprocess.Popen(command("worker", "ingest", project, "--threads", 1, "--json"), stdout=subprocess.PIPE)
               for _ in range(3)]  # fmt: skip
    reports = [json.loads(worker.communicate(timeout=300)[0]) for worker in workers]
    assert sum(report["done"] for report in reports) == 24 and all(report["left"] == 0 for report in reports)
    (queue,) = run_json("ingest", "status", project)["queues"]
    assert queue["done"] == queue["total"] == 24 and queue["seconds_left"] in (0, None)
    assert "voxels: 24 of 24 chunks" in run("ingest", "status", project)
    run_json("ingest", "layer", 3, file, "--graph-only", expect=REFUSED)
    assert run_json("ingest", "layer", 2, file, "--graph-only", "--workers", 2)["ended"] is False
    run_json("info", project, expect=REFUSED)
    layer = 3
    while not run_json("ingest", "layer", layer, file, "--workers", 2)["ended"]:
        layer += 1
        if layer > 3:
            run_json("ingest", "layer", 2, file, "--voxels-only", "--workers", 1)
    assert run_json("ingest", "status", project)["ended"] is True
    assert "has ended" in run("ingest", "status", project)
    run_json("worker", "ingest", project, expect=NOT_FOUND)
    assert run_json("fsck", project)["clean"] is True


def holds_a_file(pid, project):
    """Whether a stopped worker was stopped in the moment in which it took a job: it keeps the lock of the queue
    (docs/operations.md). Chunks' files are written without locks."""
    jobs = {file.stat().st_ino for file in (project / "ingest/queues").glob("*/jobs")}
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(words[1] == "FLOCK" and words[4] == str(pid) and int(words[5].split(":")[2]) in jobs for words in locks)


def test_a_worker_that_sleeps_holds_nobody_up(tmp_path, labels):
    """Its lease ends, another one does its job; when it wakes up it changes nothing."""
    graph, voxels = {"chunk-size": [16, 16, 16]}, {"segmentation": str(labels), "resolution": NM}
    run("ingest", "graph", write_dataset(tmp_path, "awake", graph, voxels, 12), "--workers", 1, "--quiet")
    expected = contents(tmp_path / "awake", tmp_path)
    file, project = write_dataset(tmp_path, "project", graph, voxels, 12), tmp_path / "project"
    for attempt in range(100):
        run("ingest", "graph", file, "--queue-only", "--quiet")
        sleeper = subprocess.Popen(command("worker", "ingest", project, "--lease", 1, "--threads", 1, "--json"),
                                   stdout=subprocess.PIPE)  # fmt: skip
        time.sleep(0.01 * (attempt % 30))
        sleeper.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if not holds_a_file(sleeper.pid, project):
            queues = run_json("ingest", "status", project)["queues"]
            if sum(queue["jobs"]["taken"] for queue in queues) == 1:
                break
        sleeper.kill()
        sleeper.communicate()
        shutil.rmtree(project)
    else:
        raise AssertionError("it never held a job")
    report = run_json("worker", "ingest", project, "--lease", 1, "--threads", 1)
    assert report["left"] == 0 and report["done"] > 0
    sleeper.send_signal(signal.SIGCONT)
    assert json.loads(sleeper.communicate(timeout=120)[0])["left"] == 0
    assert run_json("ingest", "graph", file, "--workers", 1)["ended"] is True
    expect_same(contents(project, tmp_path), expected)


def test_one_process_makes_the_table(tmp_path, labels):
    """A second command is refused, and a worker of another hand helps the first one."""
    file = write_dataset(tmp_path, "project", {"chunk-size": [16, 16, 16]}, {"segmentation": str(labels), "resolution": NM})
    first = subprocess.Popen(command("ingest", "graph", file, "--workers", 0, "--json"), stdout=subprocess.PIPE)
    project = tmp_path / "project"
    while not (project / "ingest/plan").exists():
        assert first.poll() is None
        time.sleep(0.01)
    assert "another process" in run_json("ingest", "graph", file, expect=6)["error"]["message"]
    assert run_json("ingest", "status", project)["coordinator"] is True
    deadline = time.monotonic() + 120
    while first.poll() is None and time.monotonic() < deadline:  # it plans anew for every tier of the scales
        subprocess.run(command("worker", "ingest", project, "--quiet"), capture_output=True, timeout=120)
    assert json.loads(first.communicate(timeout=120)[0])["ended"] is True
    assert run_json("fsck", project)["clean"] is True


def start_redis():
    sys.path.insert(0, str(ROOT / "cli"))
    from redis_test import Redis  # skips where there is no redis-server

    redis = Redis()
    return redis, f"redis://127.0.0.1:{redis.port}"


def test_killed_at_random_over_redis(tmp_path, labels):
    """Workers, commands and, once, Redis itself, which comes back empty."""
    seed = os.environ.get("CLEAVE_TEST_SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"CLEAVE_TEST_SEED={seed}")
    chance = random.Random(seed)
    graph, voxels = {"chunk-size": [16, 16, 16]}, {"segmentation": str(labels), "resolution": NM, "scales": 3}
    file, project = write_dataset(tmp_path, "project", graph, voxels, 2), tmp_path / "project"
    run("ingest", "graph", file, "--workers", 1, "--quiet")
    expected = contents(project, tmp_path)
    shutil.rmtree(project)
    redis, url = start_redis()
    killed, in_the_middle = 0, 0

    def restart(first_pause, second_pause):
        nonlocal in_the_middle
        while not (project / "ingest/plan").exists():
            time.sleep(0.01)
        time.sleep(first_pause)
        redis.kill()
        in_the_middle += (project / "ingest/plan").exists()
        time.sleep(second_pause)
        redis.start()

    try:
        for number in range(1 if SMALL else 2):
            thread = threading.Thread(target=restart, args=(chance.uniform(0, 0.1 if SMALL else 1), chance.uniform(0.5, 1)))
            thread.start()
            with open(tmp_path / f"log-{number}", "w") as log:
                killed += kill_until_done(file, chance, 0.3, log, "--redis", url)[0]
            thread.join(60)
            expect_same(contents(project, tmp_path), expected)
            assert not (project / "ingest").exists()
            assert redis.ask("KEYS", "*").strip() == ""
            shutil.rmtree(project)
    finally:
        redis.kill()
    print(f"{killed} workers killed, Redis {in_the_middle} times in the middle")
    assert killed > 0 and in_the_middle > 0


def test_over_redis_by_workers_of_others(tmp_path, chunk_files, monkeypatch):
    """Who does not name the server is refused, also while it is away."""
    monkeypatch.delenv("CLEAVE_REDIS", raising=False)
    file, project = of_chunk_files(tmp_path, chunk_files), tmp_path / "project"
    redis, url = start_redis()
    try:
        run("ingest", "graph", file, "--queue-only", "--redis", url)
        for words in (("ingest", "graph", file), ("worker", "ingest", project), ("ingest", "status", project)):
            message = run_json(*words, expect=REFUSED)["error"]["message"]
            assert f"through the Redis server {url}/0; say where it is with --redis" in message
        status = run_json("ingest", "status", project, "--redis", url)
        assert [queue["jobs"]["queued"] for queue in status["queues"]] == [24, 24]
        redis.kill()
        assert "Connection refused" in run_json("ingest", "status", project, "--redis", url, expect=6)["error"]["message"]
        redis.start()
        monkeypatch.setenv("CLEAVE_REDIS", url)
        assert all(queue["lost"] for queue in run_json("ingest", "status", project)["queues"])
        assert "Redis has lost it" in run("ingest", "status", project)
        workers = [subprocess.Popen(command("worker", "ingest", project, "--threads", 1, "--json"), stdout=subprocess.PIPE)
                   for _ in range(3)]  # fmt: skip
        time.sleep(0.5)
        assert all(worker.poll() is None for worker in workers)  # they wait for their queues
        run("ingest", "graph", file, "--queue-only")
        reports = [json.loads(worker.communicate(timeout=300)[0]) for worker in workers]
        assert sum(report["done"] for report in reports) == 48 and all(report["left"] == 0 for report in reports)
        assert "graph: 24 of 24 chunks" in run("ingest", "status", project)
        assert run_json("ingest", "graph", file, "--workers", 1)["ended"] is True
        assert redis.ask("KEYS", "*").strip() == ""
    finally:
        redis.kill()
    assert run_json("fsck", project)["clean"] is True
    other = tmp_path / "other"
    dataset = json.loads(file.read_text())
    dataset["project"] = str(other)
    (tmp_path / "other.yaml").write_text(json.dumps(dataset))
    monkeypatch.delenv("CLEAVE_REDIS")
    run("ingest", "graph", tmp_path / "other.yaml", "--queue-only")
    assert "through files" in run_json("worker", "ingest", other, "--redis", url, expect=REFUSED)["error"]["message"]
    dataset["jobs"]["redis"] = "http://queue.lab"
    (tmp_path / "other.yaml").write_text(json.dumps(dataset))
    assert "redis://" in run_json("ingest", "graph", tmp_path / "other.yaml", expect=USAGE)["error"]["message"]


def test_what_is_wrong_is_said(tmp_path, labels):
    file = tmp_path / "dataset.yaml"
    run_json("ingest", "graph", file, expect=NOT_FOUND)
    file.write_text("project: p\nvoxels:\n  segmentatoin: a.npy\n")
    assert "line 3: voxels has no key 'segmentatoin'" in run_json("ingest", "graph", file, expect=USAGE)["error"]["message"]
    run_json("ingest", "graph", expect=USAGE)
    run_json("ingest", expect=USAGE)
    run_json("ingest", "demo", expect=USAGE)
    file = write_dataset(tmp_path, "p", {}, {"segmentation": str(labels), "resolution": NM})
    run_json("ingest", "graph", file, "--voxels-only", "--graph-only", expect=USAGE)
    assert "no layer 99" in run_json("ingest", "layer", 99, file, expect=USAGE)["error"]["message"]
    assert not (tmp_path / "p").exists()


def test_jobs_that_fail_name_their_chunk(tmp_path, chunk_files):
    file = of_chunk_files(tmp_path, chunk_files)
    ids = np.load(chunk_files / "supervoxels.npy")
    wrong = ids.copy(order="F")
    wrong[-1, -1, -1] = 77
    dataset = json.loads(file.read_text())
    dataset["voxels"]["segmentation"] = str(tmp_path / "ids.npy")
    file.write_text(json.dumps(dataset))
    np.save(tmp_path / "ids.npy", wrong)
    message = run_json("ingest", "graph", file, "--workers", 2, expect=DAMAGED)["error"]["message"]
    assert "1 of 24 jobs of 'voxels' failed: chunk 3,2,1" in message and "holds 77" in message
    status = run_json("ingest", "status", tmp_path / "project")
    assert status["queues"][0]["jobs"]["failed"] == 1 and "chunk 3,2,1" in status["queues"][0]["failures"][0]["message"]
    assert "failed: chunk 3,2,1" in run("ingest", "status", tmp_path / "project")
    np.save(tmp_path / "ids.npy", ids)
    assert run_json("ingest", "graph", file, "--workers", 2)["ended"] is True


def test_the_manual_is_what_help_says():
    manual = (ROOT / "docs/cli.md").read_text()
    for name in ("ingest graph", "ingest layer", "ingest status", "worker ingest"):
        page = run(*name.split(), "--help")
        assert "Example:" in page
        assert page[page.index("Usage:") :].rstrip() in manual, f"docs/cli.md is behind `cleave {name} --help`"
