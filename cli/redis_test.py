"""Goal: edits through a server reach Redis, once and in order, though Redis goes away in the middle; and what the server keeps
there of meshes never makes a manifest wrong.

Method: a real redis-server and a real `cleave serve --redis`; edits over HTTP before, while and after Redis is killed. It
keeps nothing over a kill, so what it has in the end was sent again. The entries are held against the server's own events.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kill_test import NM, SITES, ByServer, command, make_labels, points, run_json, text_of

if not shutil.which("redis-server") or not shutil.which("redis-cli"):
    assert os.environ.get("CI") != "true", "there is no redis-server"
    pytest.skip("THERE IS NO redis-server: tools/setup --check installs it", allow_module_level=True)


class Redis:
    def __init__(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL)  # fmt: skip
        for _ in range(500):
            if self.ask("PING") == "PONG\n":
                return
            time.sleep(0.02)
        raise AssertionError("redis-server does not answer")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True).stdout

    def entries(self, stream):
        """[(id, {field: value})]"""
        lines = self.ask("--raw", "XRANGE", stream, "-", "+").splitlines()
        size = 1 + 2 * 4
        return [(lines[i], dict(zip(lines[i + 1 : i + size : 2], lines[i + 2 : i + size : 2])))
                for i in range(0, len(lines), size)]  # fmt: skip


def make_project(tmp_path):
    np.save(tmp_path / "labels.npy", make_labels())
    fuse = [argument for site in range(SITES) for argument in ("--fuse", f"{3 * site + 1},{3 * site + 2}")]
    project = tmp_path / "project"
    subprocess.run(command("init", project, "--segmentation", tmp_path / "labels.npy", "--resolution", text_of(NM),
                           "--chunk-size", "32,32,16", "--quiet", *fuse), check=True)  # fmt: skip
    return project


def test_manifests_are_right_though_redis_goes_away(tmp_path):
    """A mesh worker goes on making meshes while Redis, where the server keeps what it knows of them, comes and goes."""
    project = make_project(tmp_path)
    run_json("ingest", "mesh-meta", project, "--initial-time", "2000-01-01T00:00:00Z")  # each mesh is a file of its own
    redis = Redis()
    asker = ByServer(project, "--redis", f"redis://127.0.0.1:{redis.port}")
    meshing = asker.url.replace("/segmentation/", "/meshing/")
    folder = project / "meshes/mesh/dynamic_graph"
    folder.mkdir(parents=True)
    (root,) = asker.roots([points(0)["source"]])
    nodes = json.load(urllib.request.urlopen(f"{asker.url}node/{root}/leaves?stop_layer=2"))["leaf_ids"]

    def name_of(node):
        starts = [(node >> shift & 1023) * size for shift, size in ((46, 32), (36, 32), (26, 16))]
        return f"{node}:0:" + "_".join(f"{start}-{start + size}" for start, size in zip(starts, (32, 32, 16)))

    def manifest():
        return json.load(urllib.request.urlopen(f"{meshing}manifest/{root}:0?start_layer=2"))["fragments"]

    def clear():
        request = urllib.request.Request(f"{meshing}clear_manifest_cache", b"", method="POST")
        try:
            return urllib.request.urlopen(request).status
        except urllib.error.HTTPError as refused:
            return refused.code

    try:
        made = []
        assert manifest() == [] and clear() == 200
        for node in nodes:
            if redis.process.poll() is None and made:
                redis.kill()
                assert clear() >= 500, "else one would believe that it is cleared"
            elif made:
                redis.start()
            (folder / name_of(node)).write_text("mesh")
            made.append(name_of(node))
            assert sorted(manifest()) == sorted(made) == sorted(manifest())
        if redis.process.poll() is not None:
            redis.start()
        time.sleep(1.2)  # the server does not try one that was away a moment ago
        assert sorted(manifest()) == sorted(made) == sorted(manifest())
        keys = [key for key in redis.ask("KEYS", "cleave:graph:manifest:*").split() if key.split(":")[-1] in map(str, nodes)]
        assert len(keys) == len(nodes) and 0 < int(redis.ask("TTL", keys[0])) <= 3 * 24 * 3600
        assert clear() == 200 and not redis.ask("KEYS", f"cleave:graph:manifest:*:{nodes[0]}").split()
        for name in made:
            (folder / name).unlink()
        assert manifest() == []
        asker.stop()
    finally:
        redis.kill()


def test_every_edit_reaches_redis_though_it_goes_away(tmp_path):
    project = make_project(tmp_path)
    redis = Redis()
    url = f"redis://127.0.0.1:{redis.port}"
    asker = ByServer(project, "--redis", url, "--redis-stream", "edits")
    try:
        for site in range(SITES):
            if site == 2:
                redis.kill()
            if site == 4:
                redis.start()
            for edit in ("cut", "add tail"):
                operation, refusal = asker.edit(site, edit, f"{edit} {site}")
                assert refusal is None, refusal
        events = json.load(urllib.request.urlopen(f"{asker.url}events?int64_as_str=1"))["events"]
        assert len(events) == 2 * SITES
        for _ in range(500):
            if len(redis.entries("edits")) == len(events):
                break
            time.sleep(0.02)
        entries = redis.entries("edits")
        assert [json.loads(fields["event"]) for _, fields in entries] == events
        assert [fields["operation"] for _, fields in entries] == [event["operation_id"] for event in events]
        assert all(identifier.endswith("-" + fields["operation"]) for identifier, fields in entries)
    finally:
        asker.stop()
    assert run_json("worker", "redis", project, "--redis", url, "--redis-stream", "edits")["events"] == 0
    redis.kill()
    redis.start()
    again = run_json("worker", "redis", project, "--redis", url)
    assert again["events"] == 2 * SITES
    assert redis.entries(again["stream"]) == entries
    redis.kill()
    gone = subprocess.run(command("worker", "redis", project, "--redis", url), capture_output=True, text=True)
    assert gone.returncode == 6 and "Connection refused" in gone.stderr, gone
    wrong = subprocess.run(command("serve", project, "--port", "0", "--redis", "http://x"), capture_output=True, text=True)
    assert wrong.returncode == 2 and "--redis" in wrong.stderr, wrong
