"""Goal: every command of the program does what docs/cli.md says, and bad input ends in a clear message and its exit code.

Method: the built program is run as a person runs it, on small volumes whose right answers are known by construction: two
blocks that touch, fused into one; a bystander; background. Damage is done to files of a project that was whole. The
program is $CLEAVE_PROGRAM (or $CLEAVE_BINARY), else build/release/cleave. Where ../shared/data or $CLEAVE_DATA holds the
real cutout, a false merger of real neurites is made and split as well.
"""

import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(
    os.environ.get("CLEAVE_PROGRAM") or os.environ.get("CLEAVE_BINARY") or ROOT / "build/release/cleave"
)
DATA = Path(os.environ.get("CLEAVE_DATA", ROOT.parent / "shared/data"))
REAL = DATA / "pinky40_neuropil_8x8x40_128x128x128_u32.npy.zst"

OK, USAGE, NOT_FOUND, REFUSED, DAMAGED, UNAVAILABLE = 0, 2, 3, 4, 5, 6

# Two blocks of 28 voxels along x that share the plane x = 32; a bystander beyond a gap; label 0 all around.
SIZE = (72, 40, 32)
SOURCE, SINK, BYSTANDER, BACKGROUND = (20, 20, 16), (44, 20, 16), (66, 20, 16), (1, 1, 1)

if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)


def point(p):
    return ",".join(str(c) for c in p)


def run(*arguments, expect=OK):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_json(*arguments, expect=OK):
    done = run(*arguments, "--json", expect=expect)
    assert done.stdout.count("\n") == 1, "a result is one line"
    return json.loads(done.stdout)


def fail(code, *arguments, says):
    """Runs a command that must fail: with this exit code, and words in its message, in both forms of output."""
    done = run(*arguments, "--quiet", expect=code)
    assert done.stdout == ""
    assert done.stderr.startswith("cleave: "), done.stderr
    for words in [says] if isinstance(says, str) else says:
        assert words in done.stderr, done.stderr
    error = run_json(*arguments, expect=code)["error"]
    assert f"cleave: {error['message']}" in done.stderr
    assert error["code"].isupper()
    return done.stderr


def blocks():
    labels = np.zeros(SIZE, np.uint32, order="F")
    labels[4:32, 8:32, 4:28] = 1
    labels[32:60, 8:32, 4:28] = 2
    labels[62:70, 8:32, 4:28] = 3
    return labels


def save(path, labels):
    np.save(path, np.asfortranarray(labels))
    return path


def init(folder, labels, *options):
    return run_json("init", folder, "--segmentation", labels, "--resolution", "8,8,40", *options)


@pytest.fixture(scope="module")
def labels_file(tmp_path_factory):
    return save(tmp_path_factory.mktemp("labels") / "blocks.npy", blocks())


@pytest.fixture(scope="module")
def fused(labels_file, tmp_path_factory):
    """A project in which labels 1 and 2 are one object; nobody changes it."""
    folder = tmp_path_factory.mktemp("fused") / "project"
    init(folder, labels_file, "--chunk-size", "32,32,16", "--fuse", "1,2")
    return folder


@pytest.fixture()
def project(fused, tmp_path):
    """A copy of `fused` to edit or to damage."""
    return shutil.copytree(fused, tmp_path / "project")


def export(project, what, path, *options):
    run("export", project, "--what", what, "--out", path, *options)
    array = np.load(path)
    assert array.dtype == np.uint64 and (array.flags.f_contiguous or array.size == 1)
    return array


def lookup(project, *points, options=()):
    found = run_json("lookup", project, "--point", *map(point, points), *options)["points"]
    return [(int(p["supervoxel"]), int(p["root"])) for p in found]


def split(project, *options, expect=OK):
    return run_json("split", project, "--source", point(SOURCE), "--sink", point(SINK), *options, expect=expect)


# --- what every command is for ---


def test_help_and_version():
    text = run("--help").stdout
    for command in "init info lookup root leaves merge split log fsck export picture generate touching".split():
        assert command in text
        page = run(command, "--help").stdout
        assert "Example:" in page and f"cleave {command}" in page and "--json" in page
    assert run("--version").stdout.startswith("cleave ")


def test_every_option_of_the_server_stands_in_its_file(tmp_path):
    options = re.findall(r"^  --([a-z0-9-]+)", run("serve", "--help").stdout, re.MULTILINE)
    text = (ROOT / "packaging/serve.yaml").read_text()
    named = re.findall(r"^(?:# )?([a-z0-9-]+): ", text, re.MULTILINE)
    assert sorted(named) == sorted(set(options) - {"config", "json", "quiet"})
    labels = save(tmp_path / "labels.npy", blocks())
    init(tmp_path / "project", labels)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("port: 1\nprot: 2\n")
    fail(USAGE, "serve", tmp_path / "project", "--config", wrong, says=[f"{wrong}, line 2", "no option 'prot'"])
    fail(NOT_FOUND, "serve", tmp_path / "project", "--config", tmp_path / "none.yaml", says="none.yaml")


class AuthAnswers(http.server.BaseHTTPRequestHandler):
    """An auth server that knows one user."""

    def do_GET(self):
        is_known = self.path == "/auth/api/v1/user/cache" and self.headers["Authorization"] == "Bearer ann"
        user = {"id": 7, "email": "ann@a.org", "admin": False, "permissions_v2": {"retina": ["view"]}}
        self.send_response(200 if is_known else 401)
        self.end_headers()
        self.wfile.write(json.dumps(user if is_known else {}).encode())

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("login_url", [None, "https://login.example.org/auth"])
def test_an_auth_server_decides_who_may_see_what(fused, tmp_path, login_url):
    project = shutil.copytree(fused, tmp_path / "project")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), AuthAnswers) as auth:
        threading.Thread(target=auth.serve_forever, daemon=True).start()
        auth_url = f"http://127.0.0.1:{auth.server_port}/auth"
        arguments = ["--auth-login-url", login_url] if login_url else []
        server = subprocess.Popen([str(PROGRAM), "serve", str(project), "--auth", auth_url, "--auth-dataset", "retina",
                                   "--port", "0", "--json", "--quiet", *arguments], stdout=subprocess.PIPE, text=True)  # fmt: skip
        try:
            told = json.loads(server.stdout.readline())
            assert told["access"] == "auth"
            url = f"http://127.0.0.1:{told['port']}"

            def ask(path, token=None, body=None):
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                try:
                    with urllib.request.urlopen(urllib.request.Request(url + path, body, headers), timeout=60) as answer:
                        return answer.status, answer.headers, json.load(answer)
                except urllib.error.HTTPError as error:
                    return error.code, error.headers, json.load(error)

            info = "/segmentation/table/graph/info"
            realm = f'Bearer realm="{login_url or auth_url}/api/v1/authorize"'
            assert ask("/auth_info")[2] == {"login_url": login_url or auth_url}
            code, headers, _ = ask(info)
            assert (code, headers["WWW-Authenticate"]) == (401, realm)
            code, headers, _ = ask(info, "bob")
            assert (code, headers["WWW-Authenticate"]) == (401, realm + ', error="invalid_token"')
            assert ask(info, "ann")[0] == 200
            assert ask("/segmentation/api/v1/table/graph/merge", "ann", b"[]")[0] == 403
            assert ask("/cleave/api/v1/datasets", "ann")[2]["user"] == "ann@a.org"
        finally:
            server.terminate()
            assert server.wait(60) == 0
            auth.shutdown()
    tokens = tmp_path / "tokens"
    tokens.write_text("0123456789abcdef view ann\n")
    serve = ["serve", project, "--port", "0"]
    fail(USAGE, *serve, "--auth", "a.org", says=["--auth: expected http://HOST or https://HOST", "'a.org'"])
    fail(USAGE, *serve, "--auth", "https://a.org", "--tokens", tokens, says="either --tokens or --auth")
    fail(USAGE, *serve, "--auth-dataset", "retina", says="with --auth only")
    fail(USAGE, *serve, "--auth-login-url", "https://a.org", says="--auth-login-url is of use with --auth only")
    fail(USAGE, *serve, "--auth", "https://a.org", "--auth-login-url", "a.org", says="--auth-login-url: expected http")
    fail(USAGE, *serve, f"b={project}", "--auth", "https://a.org", "--auth-dataset", "x", says="is for one project")


def test_a_server_has_several_projects(fused, tmp_path):
    first, second = (shutil.copytree(fused, tmp_path / name) for name in ("first", "second"))
    options = tmp_path / "serve.yaml"
    options.write_text(f"port: 0\nproject:\n  - {first}\n  - {second}\n")
    for arguments, names in [
        (["--config", options], ["first", "second"]),
        ([first, f"two={second}", "--port", "0"], ["graph", "two"]),
        ([first, "--config", options], ["graph"]),
    ]:
        server = subprocess.Popen([str(PROGRAM), "serve", *map(str, arguments), "--json", "--quiet"],
                                  stdout=subprocess.PIPE, text=True)  # fmt: skip
        try:
            told = json.loads(server.stdout.readline())
            assert [one["graph"] for one in told["datasets"]] == names
            for name in names:
                url = f"http://127.0.0.1:{told['port']}/segmentation/table/{name}/info"
                with urllib.request.urlopen(url, timeout=60) as answer:
                    assert json.load(answer)["data_dir"].endswith(f"/data/{name}/")
        finally:
            server.terminate()
            assert server.wait(60) == 0
    fail(USAGE, "serve", "--port", "0", says="PROJECT is required")
    fail(USAGE, "serve", f"a={first}", f"a={second}", "--port", "0", says="two datasets are named 'a'")
    fail(USAGE, "serve", first, f"b={first}", "--port", "0", says="the same project")
    fail(USAGE, "serve", f"a/b={first}", "--port", "0", says="cannot be the name of a dataset")
    fail(NOT_FOUND, "serve", first, tmp_path / "none", "--port", "0", says=str(tmp_path / "none"))
    options.write_text(f"port: [0, 1]\nproject: {first}\n")
    fail(USAGE, "serve", "--config", options, says="takes one value, not a list")


def test_the_manual_is_what_help_says():
    manual = (ROOT / "docs/cli.md").read_text()
    commands = [line.split()[0] for line in run("--help").stdout.splitlines() if line.startswith("  ") and line[2] != "-"]
    assert len(commands) >= 14
    for command in commands:
        page = run(command, "--help").stdout
        assert page[page.index("Usage:") :].rstrip() in manual, f"docs/cli.md is behind `cleave {command} --help`"
        assert f"## {command}\n" in manual


def test_init_counts_what_it_made(fused, labels_file, tmp_path):
    made = init(tmp_path / "p", labels_file, "--chunk-size", "32,32,16")
    assert made["voxels"] == np.prod(SIZE)
    assert made["roots"] == 3
    assert made["seconds"]["total"] > 0
    counts = run_json("info", fused)["counts"]
    assert counts["roots"] == 2


def test_init_reads_an_agglomeration(labels_file, tmp_path):
    (tmp_path / "objects.csv").write_text("1,7\n2,7\n")
    made = init(tmp_path / "p", labels_file, "--chunk-size", "32,32,16", "--agglomeration", tmp_path / "objects.csv")
    assert made["roots"] == 2
    (a, root_a), (b, root_b) = lookup(tmp_path / "p", SOURCE, SINK)
    assert a != b and root_a == root_b


def write_precomputed(folder, ids, chunk=(16, 16, 16)):
    """A raw volume, as any program might have written it; chunks of background have no file."""
    scale = {"key": "s", "resolution": [8, 8, 40], "size": ids.shape, "voxel_offset": [0, 0, 0], "chunk_sizes": [chunk],
             "encoding": "raw"}
    (folder / "s").mkdir(parents=True)
    (folder / "info").write_text(
        json.dumps({"type": "segmentation", "data_type": "uint64", "num_channels": 1, "scales": [scale]})
    )
    for corner in np.ndindex(*(-(-size // step) for size, step in zip(ids.shape, chunk))):
        ranges = [(c * step, min((c + 1) * step, size)) for c, step, size in zip(corner, chunk, ids.shape)]
        part = ids[tuple(slice(*r) for r in ranges)]
        if part.any():
            name = "_".join(f"{begin}-{end}" for begin, end in ranges)
            (folder / "s" / name).write_bytes(part.tobytes(order="F"))
    return folder


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_init_over_an_original(fused, tmp_path):
    ids = export(fused, "supervoxels", tmp_path / "ids.npy")
    original = write_precomputed(tmp_path / "original", ids)
    files = contents(original)
    pieces = tmp_path / "pieces.csv"
    pieces.write_text("".join(f"{i},7\n" for i in np.unique(ids[4:60]) if i != 0))
    project = tmp_path / "project"
    options = ("--segmentation", f"file://{original}/", "--base", "overlay", "--threads", 1, "--chunk-size", "32,32,16")

    fail(USAGE, "init", project, *options[:2], "--base", "both", says=["--base", "'copy' or 'overlay'"])
    fail(USAGE, "init", project, *options, "--fuse", "1,2", says="fused")
    fail(USAGE, "init", project, *options[:6], "--chunk-size", "24,32,16", says=["original", "two chunks of the graph"])
    fail(USAGE, "init", project, *options[:6], "--chunk-size", "16,32,16", says=["voxel 16,8,4", "supervoxel id"])
    plain = write_precomputed(tmp_path / "plain", blocks().astype(np.uint64))
    fail(USAGE, "init", project, "--segmentation", f"file://{plain}", *options[2:], says=["voxel 4,8,4", "value 1,"])
    assert not project.exists(), "nothing is left behind"

    made = run_json("init", project, *options, "--pieces", pieces)
    assert made["supervoxels"] == run_json("info", fused)["counts"]["supervoxels"]
    assert np.array_equal(export(project, "supervoxels", tmp_path / "seen.npy"), ids)
    info = run_json("info", project)
    assert info["base"] == "overlay" and info["original"] == f"file://{original}/"
    assert info["bytes"]["voxels"] < 4096 and info["kvstore"]["driver"] == "kvstack"
    assert "overlay of" in run("info", project).stdout
    assert run_json("info", fused)["base"] == "copy"

    first = info["generation"]
    split(project)
    assert run_json("fsck", project)["findings"] == []
    run("picture", project, "--what", "roots", "--z", 16, "--out", tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 0
    after = export(project, "supervoxels", tmp_path / "after.npy")
    assert not np.array_equal(after, ids)
    assert np.array_equal(export(project, "supervoxels", tmp_path / "then.npy", "--generation", first), ids)
    fork = (project / "ocdbt/graph", "--fork-of", project / "ocdbt/base")
    run("ocdbt", "gc", *fork, "--keep-newest", "1", "--grace", "0s", "--delete")
    run("ocdbt", "verify", *fork)
    assert np.array_equal(export(project, "supervoxels", tmp_path / "kept.npy"), after)
    assert contents(original) == files, "the original was changed"

    changed = (original / "info").read_text().replace("[16, 16, 16]", "[16, 16, 8]")
    (original / "info").write_text(changed)
    fail(REFUSED, "info", project, says="has changed under the project")
    (original / "info").unlink()
    fail(NOT_FOUND, "info", project, says="where nothing was edited")


def test_info(fused):
    info = run_json("info", fused)
    assert info["volume"] == {"lower": [0, 0, 0], "upper": list(SIZE)}
    assert info["voxel_size_nm"] == [8, 8, 40]
    assert info["chunk_size"] == [32, 32, 16]
    assert info["kvstore"]["driver"] == "ocdbt"
    assert info["operations"] == {"total": 0, "success": 0}
    assert [scale["key"] for scale in info["scales"]] == ["8_8_40", "16_16_40", "32_32_40", "64_64_80"]
    assert [scale["filled"] for scale in info["scales"]] == [True, True, True, True]
    assert info["scales"][1]["bounds"] == {"lower": [0, 0, 0], "upper": [36, 20, 32]}
    text = run("info", fused).stdout
    assert "72,40,32" in text and '"driver": "ocdbt"' in text


def test_lookup_root_and_leaves_agree_with_the_labels(fused, tmp_path):
    (source, root), (sink, sink_root), (_, bystander_root), background = lookup(
        fused, SOURCE, SINK, BYSTANDER, BACKGROUND
    )
    assert root == sink_root != bystander_root
    assert background == (0, 0)
    assert run_json("root", fused, "--supervoxel", source)["root"] == str(root)
    assert run("root", fused, "--supervoxel", sink).stdout == f"{root}\n"

    supervoxels = export(fused, "supervoxels", tmp_path / "sv.npy")
    labels = blocks()
    leaves = run_json("leaves", fused, "--root", root)
    assert leaves["current"] is True
    assert sorted(map(int, leaves["supervoxels"])) == np.unique(supervoxels[(labels == 1) | (labels == 2)]).tolist()
    near = run_json("leaves", fused, "--root", root, "--box", "0,0,0,32,32,16")
    assert near["supervoxels"] == [str(supervoxels[20, 20, 8])]

    roots = export(fused, "roots", tmp_path / "roots.npy")
    assert np.array_equal(roots != 0, labels != 0)
    assert np.array_equal(roots == root, (labels == 1) | (labels == 2))


def test_split_tells_what_it_did_and_history_keeps_the_rest(project, tmp_path):
    before_sv = export(project, "supervoxels", tmp_path / "before_sv.npy")
    before_roots = export(project, "roots", tmp_path / "before_roots.npy")
    old_generation = run_json("info", project, "--brief")["generation"]
    (old_source, old_root), _ = lookup(project, SOURCE, SINK)

    preview = split(project, "--preview")
    assert preview["preview"] is True and preview["operation"] is None
    assert preview["generation"] == old_generation
    assert np.array_equal(export(project, "supervoxels", tmp_path / "same.npy"), before_sv)

    done = split(project, "--user", "ana")
    assert done["kind"] == "split" and done["preview"] is False
    assert done["old_roots"] == [str(old_root)]
    assert len(done["new_roots"]) == 2
    assert done["fresh_supervoxels"] and done["generation"] > old_generation
    assert done["seconds"]["total"] >= max(v for k, v in done["seconds"].items() if k != "total")

    (source, source_root), (sink, sink_root), (_, bystander_root) = lookup(project, SOURCE, SINK, BYSTANDER)
    assert sorted(map(int, done["new_roots"])) == sorted([source_root, sink_root])
    assert len({source_root, sink_root, bystander_root}) == 3

    # Voxels move between ids of the edited supervoxels only.
    after_sv = export(project, "supervoxels", tmp_path / "after_sv.npy")
    fresh = np.array([int(i) for i in done["fresh_supervoxels"]], np.uint64)
    changed = before_sv != after_sv
    assert np.isin(after_sv[changed], fresh).all() and not np.isin(before_sv, fresh).any()
    assert np.array_equal(before_sv != 0, after_sv != 0)
    former = {int(f["id"]): int(f["former"]) for f in done["fragments"]}
    for new, old in former.items():
        assert (before_sv[after_sv == np.uint64(new)] == np.uint64(old)).all()
    assert {f["id"]: f["voxels"] for f in done["fragments"]} == {
        str(i): int((after_sv == i).sum()) for i in fresh
    }

    # The past is still there: by time, by generation, by id.
    time = run_json("log", project)["operations"][0]["time"]
    for options in (["--generation", old_generation], ["--at", run_json("info", project)["ingested"]]):
        assert np.array_equal(export(project, "supervoxels", tmp_path / "past.npy", *options), before_sv)
        assert np.array_equal(export(project, "roots", tmp_path / "past.npy", *options), before_roots)
        assert lookup(project, SOURCE, options=options) == [(old_source, old_root)]
    after_roots = export(project, "roots", tmp_path / "after_roots.npy")
    for options in (["--generation", done["generation"]], ["--at", time]):
        assert np.array_equal(export(project, "roots", tmp_path / "now.npy", *options), after_roots)
    assert run_json("leaves", project, "--root", old_root)["current"] is False

    log = run_json("log", project)["operations"]
    assert [(o["operation"], o["kind"], o["status"], o["user"]) for o in log] == [
        (done["operation"], "split", "success", "ana")
    ]
    one = run_json("log", project, done["operation"])
    assert one["sources"] == [list(SOURCE)] and one["sinks"] == [list(SINK)]
    assert one["generation"] == done["generation"]
    assert "ana" in run("log", project).stdout

    if old_source in former.values():
        fail(REFUSED, "root", project, "--supervoxel", old_source, says="was cut into")
        earlier = run_json("root", project, "--supervoxel", old_source, "--at", run_json("info", project)["ingested"])
        assert earlier["root"] == str(old_root)

    assert run_json("fsck", project)["clean"] is True


def merge(project, a, b, *options, expect=OK):
    return run_json("merge", project, "--source", point(a), "--sink", point(b), *options, expect=expect)


def roots_of(project, *points):
    return [root for _, root in lookup(project, *points)]


def test_edits_are_undone_and_redone(project):
    before = roots_of(project, SOURCE, SINK)
    done = split(project)
    undo = run_json("undo", project, done["operation"], "--user", "ana")
    assert undo["kind"] == "undo" and undo["target"] == done["operation"] and not undo["fresh_supervoxels"]
    a, b = roots_of(project, SOURCE, SINK)
    assert a == b not in before
    fail(REFUSED, "undo", project, done["operation"], says=["undone already", f"operation {undo['operation']}"])
    assert run_json("log", project, done["operation"])["undone_by"] == undo["operation"]
    redo = run_json("redo", project, done["operation"])
    assert redo["kind"] == "redo" and len(redo["new_roots"]) == 2
    assert len(set(roots_of(project, SOURCE, SINK))) == 2
    again = run_json("undo", project, redo["operation"])
    assert again["target"] == done["operation"]
    fail(NOT_FOUND, "undo", project, 999, says="no operation 999")
    fail(USAGE, "undo", project, "x", says="not the number of an operation")
    assert run_json("fsck", project)["clean"] is True


def test_an_undo_with_voxels_gives_the_ids_back(project, tmp_path):
    points = (SOURCE, SINK, BYSTANDER)
    before = [supervoxel for supervoxel, _ in lookup(project, *points)]
    done = split(project)
    cut = [supervoxel for supervoxel, _ in lookup(project, *points)]
    assert cut != before
    planned = run_json("undo", project, done["operation"], "--voxels", "--dry-run")
    assert planned["preview"] and str(before[0]) in planned["restored_supervoxels"]
    undo = run_json("undo", project, done["operation"], "--voxels")
    assert undo["restored_supervoxels"] == planned["restored_supervoxels"] and not undo["fresh_supervoxels"]
    assert undo["generation"] > done["generation"] and undo["changed_chunks"] > 0
    assert [supervoxel for supervoxel, _ in lookup(project, *points)] == before
    a, b = roots_of(project, SOURCE, SINK)
    assert a == b
    assert run_json("log", project, undo["operation"])["restored_supervoxels"] == undo["restored_supervoxels"]
    fail(REFUSED, "undo", project, done["operation"], "--voxels", says="undone already")
    fail(USAGE, "undo", project, undo["operation"], "--voxels", says="by an undo")
    redo = run_json("redo", project, done["operation"])
    assert redo["fresh_supervoxels"] and not set(redo["fresh_supervoxels"]) & set(done["fresh_supervoxels"])
    assert run_json("log", project, done["operation"])["cut_again_by"] == redo["operation"]
    assert len(set(roots_of(project, SOURCE, SINK))) == 2
    file = tmp_path / "again.json"
    file.write_text(json.dumps({"items": [{"kind": "undo", "operation": done["operation"], "voxels": True}]}))
    assert run_json("batch", project, file)["done"]
    assert [supervoxel for supervoxel, _ in lookup(project, *points)] == before
    assert run_json("fsck", project)["clean"] is True


def test_edits_by_supervoxels_and_edges(project):
    (source, _), (bystander, _) = lookup(project, SOURCE, BYSTANDER)
    edge = f"{source},{bystander}"
    done = run_json("merge", project, "--edge", edge, "--user", "ana")
    assert done["added_edges"] == 1 and len(done["old_roots"]) == 2 and len(done["new_roots"]) == 1
    fail(REFUSED, "merge", project, "--edge", edge, says="nothing to merge")
    fail(REFUSED, "merge", project, "--edge", edge, "--allow-same-segment", says="joined by an active edge already")
    fail(USAGE, "merge", project, "--edge", f"{source},{source}", says="with itself")
    fail(USAGE, "merge", project, "--edge", f"{source},{source + 999}", says="there is no supervoxel")
    fail(USAGE, "merge", project, "--edge", "7", says="edge A,B")
    fail(USAGE, "merge", project, says="a source and a sink point, or edges")
    parted = run_json("split", project, "--edge", edge)
    assert parted["removed_edges"] == 1 and len(parted["new_roots"]) == 2
    fail(REFUSED, "split", project, "--edge", edge, says="different objects")
    fail(USAGE, "merge", project, "--edge", edge, "--max-distance", 0, says=["chunks apart", "at most 0"])
    assert run_json("fsck", project)["clean"] is True


def test_a_key_makes_an_edit_happen_once(project):
    first = split(project, "--key", "form 7")
    again = split(project, "--key", "form 7")
    assert again["repeated"] and not first["repeated"]
    for member in "operation time old_roots new_roots fresh_supervoxels fragments changed_boxes generation".split():
        assert again[member] == first[member], member
    assert "was done before" in run("split", project, "--source", point(SOURCE), "--sink", point(SINK), "--key", "form 7").stdout
    fail(REFUSED, "merge", project, "--source", point(SOURCE), "--sink", point(SINK), "--key", "form 7", says="another request")
    assert run_json("log", project, first["operation"])["key"] == "form 7"


def test_a_users_edits_are_rolled_back(project):
    before = roots_of(project, SOURCE, BYSTANDER)
    merge(project, SOURCE, BYSTANDER, "--user", "eve")
    done = split(project, "--user", "eve")
    others = run_json("undo", project, done["operation"], "--user", "ana")
    rolled = run_json("rollback", project, "eve", "--as", "ana")
    assert [item["undone"] for item in rolled["operations"]] == [True]
    assert others["kind"] == "undo"
    a, b = roots_of(project, SOURCE, BYSTANDER)
    assert a != b and before[0] != before[1]
    assert run_json("rollback", project, "eve")["operations"] == []
    assert run_json("log", project)["operations"][-1]["user"] == "ana"


def test_every_edit_tells_its_profile(project, tmp_path):
    """Each kind of edit gives a tree of stages with time, memory and input, and says so in its text."""

    def check(profile, *stages):
        assert profile[0]["depth"] == 0 and set(stages) <= {stage["stage"] for stage in profile}
        assert any(stage["depth"] > 0 for stage in profile)
        for stage in profile:
            assert stage["visits"] >= 1 and stage["seconds"] >= 0 and stage["peak_memory_bytes"] >= 0
        assert sum(stage["read_calls"] + stage["written_calls"] for stage in profile) > 0
        assert sum(stage["written_bytes"] for stage in profile) > 0

    (source, _), (bystander, _) = lookup(project, SOURCE, BYSTANDER)
    edge = ["--edge", f"{source},{bystander}"]
    merge = run_json("merge", project, *edge, "--user", "ana", "--profile")
    check(merge["profile"], "lock", "plan", "commit", "write intent")
    rollback = run_json("rollback", project, "ana", "--profile")
    check(rollback["operations"][0]["profile"], "lock", "plan", "commit")
    points = ["--source", ",".join(map(str, SOURCE)), "--sink", ",".join(map(str, SINK))]
    token = run_json("split", project, *points, "--preview", "--profile")["preview_token"]
    split = run_json("commit", project, token, "--profile")
    check(split["profile"], "commit", "write intent")
    undo = run_json("undo", project, split["operation"], "--voxels", "--profile")
    check(undo["profile"], "lock", "plan", "commit")
    redo = run_json("redo", project, split["operation"], "--profile")
    check(redo["profile"], "lock", "plan", "commit", "earlier cut", "graph cut")
    file = tmp_path / "edits.json"
    items = [{"kind": "merge", "source": SOURCE, "sink": SINK}]
    for whole in ([], ["--whole"]):
        file.write_text(json.dumps({"items": items}))
        batch = run_json("batch", project, file, "--profile", "--dry-run", *whole)
        assert batch["items"][0]["edit"]["profile"]
    assert "peak MiB" in run("batch", project, file, "--profile", "--dry-run").stdout


def test_an_edit_is_recorded_and_timed_without_its_project(project, tmp_path):
    points = ["--source", ",".join(map(str, SOURCE)), "--sink", ",".join(map(str, SINK))]
    before = run_json("log", project)
    recorded = run_json("profile", "record", project, tmp_path / "cut", *points)
    assert recorded["rows"] > 0 and recorded["chunks"] > 0 and recorded["bytes"] > 0 and recorded["profile"]
    assert run_json("log", project) == before
    file = tmp_path / "edit.json"
    file.write_text(json.dumps({"items": [{"kind": "split", "sources": [SOURCE], "sinks": [SINK]}]}))
    again = run_json("profile", "record", project, tmp_path / "again", "--edit", file)
    assert [again[key] for key in ("rows", "chunks", "edge_files")] == [
        recorded[key] for key in ("rows", "chunks", "edge_files")]  # fmt: skip
    shutil.rmtree(project)
    whole = run_json("profile", "replay", tmp_path / "cut", "--runs", "3")
    assert whole["runs"] == 3 and 0 < whole["seconds"]["min"] <= whole["seconds"]["median"] <= whole["seconds"]["max"]
    assert {"voxel cut", "graph cut"} <= set(whole["repeatable_stages"]) <= {s["stage"] for s in whole["profile"]}
    stage = run_json("profile", "replay", tmp_path / "cut", "--stage", "voxel cut", "--runs", "7")
    assert stage["runs"] == 7 and stage["seconds"]["median"] > 0
    assert "voxel cut: 7 runs" in run("profile", "replay", tmp_path / "cut", "--stage", "voxel cut", "--runs", "7").stdout
    fail(USAGE, "profile", "replay", tmp_path / "cut", "--stage", "lock", says="it has: graph cut")
    fail(NOT_FOUND, "profile", "replay", tmp_path / "none", says="none/edit.json")
    fail(USAGE, "profile", "record", tmp_path / "cut", tmp_path / "x", says="--source and --sink")
    file.write_text(json.dumps({"items": [{"kind": "undo", "operation": 1}]}))
    fail(USAGE, "profile", "record", tmp_path / "cut", tmp_path / "x", "--edit", file, says="cannot be recorded")
    assert not (tmp_path / "x").exists()


def test_a_branch_goes_its_own_way(project, tmp_path):
    points = ["--source", ",".join(map(str, SOURCE)), "--sink", ",".join(map(str, SINK))]
    split = run_json("split", project, *points)
    merge = run_json("merge", project, *points)
    now = run_json("branch", project, tmp_path / "now")
    assert (now["operations"], now["dropped_operations"], now["time"]) == (2, 0, merge["time"])
    past = run_json("branch", project, tmp_path / "past", "--at", split["time"])
    assert (past["operations"], past["dropped_operations"], past["time"]) == (1, 1, split["time"])
    assert run_json("fsck", tmp_path / "past")["clean"] and run_json("fsck", tmp_path / "now")["clean"]
    assert len({root for _, root in lookup(tmp_path / "past", SOURCE, SINK)}) == 2
    assert len({root for _, root in lookup(tmp_path / "now", SOURCE, SINK)}) == 1
    differ = run_json("diff", tmp_path / "now", tmp_path / "past")
    assert differ["common"] == 1 and differ["common_until"] == split["time"] and differ["only_second"] == []
    assert [edit["operation"] for edit in differ["only_first"]] == [merge["operation"]]
    assert run("diff", tmp_path / "now", tmp_path / "past").stdout.count("\n< ") == 1
    fail(REFUSED, "branch", project, tmp_path / "now", says="name another folder")
    fail(USAGE, "branch", project, tmp_path / "x", "--at", "1971-01-01T00:00:00Z", says="no graph at 1971")
    fail(USAGE, "branch", project, tmp_path / "x", "--at", "yesterday", says="--at")
    fail(NOT_FOUND, "diff", project, tmp_path / "none", says="none")
    assert not (tmp_path / "x").exists()


def test_a_copy_is_a_graph_of_its_own(project, tmp_path):
    points = ["--source", ",".join(map(str, SOURCE)), "--sink", ",".join(map(str, SINK))]
    split = run_json("split", project, *points)
    copy = run_json("copy", project, tmp_path / "trial")
    assert (copy["graph_id"], copy["dynamic_mesh_dir"], copy["operations"], copy["time"]) == ("trial", None, 1, split["time"])
    assert run_json("info", tmp_path / "trial")["graph_id"] == "trial" != run_json("info", project)["graph_id"]
    assert lookup(tmp_path / "trial", SOURCE, SINK) == lookup(project, SOURCE, SINK)
    # Fragments of the source's fork are read as a part of the base; what the copy writes has its own prefix.
    old = run_json("info", project)["graph_id"]
    assert list((tmp_path / "trial/ocdbt/base" / f"{old}_d").iterdir())
    undo = run_json("undo", tmp_path / "trial", split["operation"], "--voxels")
    again = run_json("split", tmp_path / "trial", *points)
    assert list((tmp_path / "trial/ocdbt/trial/trial_d").iterdir()) and not (tmp_path / "trial/ocdbt" / old).exists()
    assert run_json("fsck", tmp_path / "trial")["clean"] and run_json("fsck", project)["clean"]
    differ = run_json("diff", tmp_path / "trial", project)
    assert differ["common"] == 1 and differ["only_second"] == []
    assert [edit["operation"] for edit in differ["only_first"]] == [undo["operation"], again["operation"]]
    # A copy of the copy, without its source.
    run_json("copy", tmp_path / "trial", tmp_path / "x", "--graph-id", "third")
    shutil.rmtree(tmp_path / "trial")
    assert run_json("fsck", tmp_path / "x")["clean"] and run_json("info", tmp_path / "x")["graph_id"] == "third"
    fail(REFUSED, "copy", tmp_path / "x", tmp_path / "y", "--graph-id", old, says="was once named")
    fail(USAGE, "copy", project, tmp_path / "y", "--graph-id", old, says="a name of its own")
    fail(USAGE, "copy", project, tmp_path / "a b", says="--graph-id")
    fail(REFUSED, "copy", project, tmp_path / "x", says="name another folder")
    assert not (tmp_path / "y").exists() and not (tmp_path / "a b").exists()


def test_batches(project, tmp_path):
    (source, _), (bystander, _) = lookup(project, SOURCE, BYSTANDER)
    file = tmp_path / "edits.json"
    items = [
        {"kind": "merge", "edges": [[str(source), bystander]]},
        {"kind": "merge", "edges": [[str(source), bystander]]},
        {"kind": "split", "sources": [SOURCE], "sinks": [SINK]},
    ]
    file.write_text(json.dumps({"items": items}))
    before = roots_of(project, SOURCE, SINK, BYSTANDER)
    whole = run_json("batch", project, file, "--whole", expect=REFUSED)
    assert whole["done"] is False and whole["items"][1]["error"]["code"] == "FAILED_PRECONDITION"
    assert [item["error"]["code"] for item in whole["items"]][::2] == ["CANCELLED"] * 2
    assert roots_of(project, SOURCE, SINK, BYSTANDER) == before
    fail_text = run("batch", project, file, "--whole", expect=REFUSED)
    assert "nothing was done: item 1" in fail_text.stderr

    each = run_json("batch", project, file, "--key", "monday", expect=REFUSED)
    assert [item["done"] for item in each["items"]] == [True, False, True]
    del items[1]
    file.write_text(json.dumps({"items": items[:1], "key": "monday"}))
    again = run_json("batch", project, file)
    assert again["done"] and again["items"][0]["edit"]["repeated"]
    assert again["items"][0]["edit"]["operation"] == each["items"][0]["edit"]["operation"]

    undo = [{"kind": "undo", "operation": item["edit"]["operation"]} for item in each["items"][::-1] if item["done"]]
    file.write_text(json.dumps({"whole": True, "items": undo}))
    done = run_json("batch", project, file)
    assert done["done"] and done["whole"]
    log = run_json("log", project)["operations"]
    assert log[-1]["batch"] == log[-2]["batch"] == done["items"][0]["edit"]["operation"]
    a, b, c = roots_of(project, SOURCE, SINK, BYSTANDER)
    assert a == b != c
    assert run_json("fsck", project)["clean"] is True
    file.write_text('{"items": [{"kind": "melt"}]}')
    fail(USAGE, "batch", project, file, says=["item 0", "'kind' is not"])
    fail(NOT_FOUND, "batch", project, tmp_path / "none.json", says="none.json")


def test_protected_objects(project):
    root = roots_of(project, SOURCE)[0]
    assert run_json("protected", project) == {"protected": []}
    run("protect", project, root, "--user", "ana", "--note", "see sheet 4")
    (mark,) = run_json("protected", project)["protected"]
    assert mark["root"] == str(root) and mark["user"] == "ana" and mark["note"] == "see sheet 4"
    says = ["protected by ana since", "see sheet 4", str(root)]
    fail(REFUSED, "split", project, "--source", point(SOURCE), "--sink", point(SINK), says=says)
    fail(REFUSED, "merge", project, "--source", point(SOURCE), "--sink", point(BYSTANDER), says=says)
    run("unprotect", project, root)
    fail(NOT_FOUND, "unprotect", project, root, says="not protected")
    run("protect", project, root)
    done = split(project, "--override")
    assert done["overridden"] == [str(root)]
    assert run_json("log", project, done["operation"])["overridden"] == [str(root)]
    assert run_json("protected", project)["protected"] == []
    fail(REFUSED, "protect", project, root, says="was replaced by")


def test_a_refused_edit_says_so_in_the_log(project):
    merge(project, SOURCE, BYSTANDER)
    (source, _), (bystander, _) = lookup(project, SOURCE, BYSTANDER)
    (sink, _) = lookup(project, SINK)[0]
    if sink != source:
        fail(REFUSED, "split", project, "--edge", f"{sink},{bystander}", says="none of the edges")
        last = run_json("log", project)["operations"][-1]
        assert last["status"] == "exception" and last["failure"] == "rejected" and "none of the edges" in last["exception"]


def test_agreement_of_a_cut_through_the_plane_of_contact(project, labels_file):
    fail(REFUSED, *agreement(project, labels_file), says="split it first")
    split(project)
    result = run_json(*agreement(project, labels_file))
    labels = blocks()
    assert result["labels"] == ["1", "2"]
    assert result["scored"] == int(((labels == 1) | (labels == 2)).sum())
    assert result["right"] + sum(result["wrong"]) == result["scored"]
    assert result["agreement"] > 0.95


def agreement(project, truth):
    return "agreement", project, "--truth", truth, "--source", point(SOURCE), "--sink", point(SINK)


def test_merge_joins_again_what_was_split(project):
    split(project)
    joined = run_json("merge", project, "--source", "30,20,16", "--sink", "34,20,16")
    assert joined["kind"] == "merge" and len(joined["new_roots"]) == 1 and len(joined["old_roots"]) == 2
    assert joined["fresh_supervoxels"] == []
    roots = [root for _, root in lookup(project, SOURCE, SINK)]
    assert roots == [int(joined["new_roots"][0])] * 2
    text = run("split", project, "--source", point(SOURCE), "--sink", point(SINK)).stdout
    assert "split done: operation 3" in text or "split done: operation" in text
    assert run_json("fsck", project)["clean"] is True


def test_an_offset_may_be_negative(labels_file, tmp_path):
    folder = tmp_path / "p"
    init(folder, labels_file, "--chunk-size", "32,32,16", "--fuse", "1,2", "--voxel-offset", "-40,-100,5")
    moved = [tuple(np.add(p, (-40, -100, 5))) for p in (SOURCE, SINK)]
    (_, root), (_, sink_root) = lookup(folder, *moved)
    assert root == sink_root != 0
    assert run_json("lookup", folder, f"--point={point(moved[0])}")["points"][0]["root"] == str(root)
    done = run_json("split", folder, "--source", point(moved[0]), "--sink", point(moved[1]))
    assert len(done["new_roots"]) == 2
    corner = export(folder, "roots", tmp_path / "r.npy", "--box", "-40,-100,5,-8,-68,21")
    assert corner.shape == (32, 32, 16) and corner[20, 20, 11] in map(int, done["new_roots"])
    assert run_json(*agreement_at(folder, labels_file, moved))["agreement"] > 0.95


def agreement_at(project, truth, points):
    return "agreement", project, "--truth", truth, "--source", point(points[0]), "--sink", point(points[1])


def read_png(path):
    """The pixels of a PNG file as an array [y, x, 3]: a reader of our own, so that it does not share our mistakes."""
    import struct
    import zlib

    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        chunks[kind] = chunks.get(kind, b"") + body
        at += 12 + length
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert interlaced == 0 and (color == 3 or (color == 2 and depth == 8))
    samples = 3 if color == 2 else 1
    stride = (width * samples * depth + 7) // 8
    raw = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, stride + 1)
    back = max(1, samples * depth // 8)
    rows = np.zeros((height, stride + back), np.int64)
    above = np.zeros(stride + back, np.int64)
    for y in range(height):
        kind, line = raw[y, 0], rows[y]
        for i in range(back, stride + back):
            a, b, c = line[i - back], above[i], above[i - back]
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[i] = (int(raw[y, i - back + 1]) + (0, a, b, (a + b) // 2, paeth)[kind]) % 256
        above = line
    flat = rows[:, back:].astype(np.uint8)
    if color == 2:
        return flat.reshape(height, width, 3)
    bits = np.unpackbits(flat, axis=1)[:, : width * depth].reshape(height, width, depth)
    palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
    return palette[bits @ (1 << np.arange(depth)[::-1])]


def test_picture_gives_each_id_its_color_and_marks_seeds(project, tmp_path):
    out = tmp_path / "p.png"

    def picture(*options):
        made = run_json("picture", project, "--what", "roots", "--z", 16, "--out", out, "--scale", 8, *options)
        pixels = read_png(out)
        assert list(pixels.shape[1::-1]) == made["pixels"]
        return pixels

    def at(pixels, p):
        return tuple(pixels[p[1] * 8 + 4, p[0] * 8 + 4])

    before = picture()
    assert before.shape == (SIZE[1] * 8, SIZE[0] * 8, 3)
    assert at(before, SOURCE) == at(before, SINK) != at(before, BYSTANDER)
    assert max(at(before, BACKGROUND)) < 32
    generation = run_json("info", project, "--brief")["generation"]
    split(project)
    after = picture()
    assert at(after, SOURCE) != at(after, SINK)
    assert at(after, BYSTANDER) == at(before, BYSTANDER), "an object that was not edited keeps its colour"

    both = picture("--generation", generation, "--beside-newest")
    assert both.shape[1] == before.shape[1] * 2 + 12
    assert np.array_equal(both[:, : before.shape[1]], before) and np.array_equal(both[:, -before.shape[1] :], after)

    marked = picture("--source", point(SOURCE), "--sink", point(SINK))
    assert at(marked, SOURCE) != at(after, SOURCE) and at(marked, SINK) != at(after, SINK)
    assert at(marked, SOURCE) != at(marked, SINK)
    hollow = picture("--source", point((*SOURCE[:2], 3)))
    assert at(hollow, SOURCE) == at(after, SOURCE) and not np.array_equal(hollow, after)

    (_, root), _ = lookup(project, SOURCE, SINK)
    dimmed = picture("--highlight", root)
    assert np.ptp(np.array(at(dimmed, SINK), int)) < 24, "others are nearly grey"
    assert np.ptp(np.array(at(dimmed, SOURCE), int)) > 80


def test_generate_is_the_same_for_the_same_seed(tmp_path):
    arrays = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        made = run_json("generate", "--out", tmp_path / name, "--size", "96,80,24", "--density", 20, "--seed", seed)
        arrays.append(np.load(tmp_path / name))
        assert arrays[-1].shape == (96, 80, 24) and made["seed"] == seed
        assert len(np.unique(arrays[-1])) > 2
    assert np.array_equal(arrays[0], arrays[1]) and not np.array_equal(arrays[0], arrays[2])


def test_touching_lists_contacts_and_seeds_inside_the_labels(labels_file):
    pairs = run_json("touching", labels_file, "--resolution", "8,8,40")["pairs"]
    assert [p["labels"] for p in pairs] == [["1", "2"]], "labels beyond a gap do not touch"
    assert pairs[0]["faces"] == 24 * 24
    assert pairs[0]["area_um2"] == pytest.approx(24 * 24 * 8 * 40 * 1e-6)
    labels = blocks()
    assert labels[tuple(pairs[0]["source"])] == 1 and labels[tuple(pairs[0]["sink"])] == 2
    assert pairs[0]["source"][2] == pairs[0]["sink"][2]
    assert min(pairs[0]["depths_nm"]) >= 40
    depth = min(pairs[0]["depths_nm"])
    for options, found in (
        (["--voxels-min", 10**6], 0),
        (["--area-min", 1], 0),
        (["--area-max", 0.1], 0),
        (["--depth-min", depth + 1], 0),
        (["--depth-min", depth], 1),
    ):
        assert len(run_json("touching", labels_file, "--resolution", "8,8,40", *options)["pairs"]) == found


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
def test_real_neurites_fused_and_split(tmp_path):
    pair = run_json("touching", REAL, "--resolution", "8,8,40", "--area-max", 3, "--voxels-min", 20000, "--top", 1)
    pair = pair["pairs"][0]
    folder, points = tmp_path / "p", (pair["source"], pair["sink"])
    init(folder, REAL, "--chunk-size", "64,64,64", "--fuse", ",".join(pair["labels"]))
    assert len({root for _, root in lookup(folder, *points)}) == 1
    done = run_json("split", folder, "--source", point(points[0]), "--sink", point(points[1]))
    assert done["fresh_supervoxels"]
    assert len({root for _, root in lookup(folder, *points)}) == 2
    assert run_json(*agreement_at(folder, REAL, points))["agreement"] > 0.7
    assert run_json("fsck", folder)["clean"] is True


# --- bad input: what it says, and with which exit code it ends ---


def test_point_outside_the_volume(fused):
    fail(USAGE, "lookup", fused, "--point", "72,0,0", says=["72,0,0", "outside"])
    fail(USAGE, "split", fused, "--source", point(SOURCE), "--sink", "-1,20,16", says=["-1,20,16", "outside"])


def test_point_on_background(fused):
    fail(USAGE, "split", fused, "--source", point(SOURCE), "--sink", point(BACKGROUND), says=["1,1,1", "background"])


def test_same_point_on_both_sides(fused):
    fail(USAGE, "split", fused, "--source", point(SOURCE), "--sink", point(SOURCE), says=[point(SOURCE), "source", "sink"])


def test_source_and_sink_in_different_objects(fused):
    ids = [str(root) for _, root in lookup(fused, SOURCE, BYSTANDER)]
    fail(REFUSED, "split", fused, "--source", point(SOURCE), "--sink", point(BYSTANDER), says=["different objects", *ids])


def test_merge_within_one_object(fused):
    fail(REFUSED, "merge", fused, "--source", point(SOURCE), "--sink", point(SINK), says="nothing to merge")


def test_no_sink(fused):
    fail(USAGE, "split", fused, "--source", point(SOURCE), says="no sink point")
    fail(USAGE, "split", fused, "--sink", point(SINK), says="no source point")


def test_unknown_object_id(fused):
    (supervoxel, root), _ = lookup(fused, SOURCE, SINK)
    fail(NOT_FOUND, "leaves", fused, "--root", root + 1000, says=str(root + 1000))
    fail(NOT_FOUND, "root", fused, "--supervoxel", supervoxel + 1000, says=str(supervoxel + 1000))
    fail(NOT_FOUND, "root", fused, "--supervoxel", root + 1000, says=str(root + 1000))
    fail(USAGE, "leaves", fused, "--root", 5, says="5")
    fail(USAGE, "leaves", fused, "--root", "neuron", says="'neuron' is not an id")
    fail(NOT_FOUND, "log", fused, 77, says="no operation 77")
    fail(NOT_FOUND, "log", fused, supervoxel, says="no operation")


def test_wrong_chunk_size(labels_file, tmp_path):
    for size in ("0,32,32", "32,32", "a,b,c", "32,32,-1"):
        fail(USAGE, "init", tmp_path / "p", "--segmentation", labels_file, "--resolution", "8,8,40",
             "--chunk-size", size, says=["--chunk-size", size])  # fmt: skip
    fail(USAGE, "init", tmp_path / "p", "--segmentation", labels_file, "--resolution", "8,8,-40", says="--resolution")
    fail(USAGE, "init", tmp_path / "p", "--segmentation", labels_file, says=["blocks.npy", "large a voxel"])
    fail(NOT_FOUND, "init", tmp_path / "p", "--segmentation", labels_file, "--resolution", "8,8,40", "--fuse", "1,99",
         says="99")  # fmt: skip
    assert not (tmp_path / "p").exists()


def test_a_folder_that_is_not_a_project(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        fail(NOT_FOUND, "info", folder, says=[str(folder), "not a Cleave project"])


def test_existing_project_folder(fused, labels_file):
    fail(REFUSED, "init", fused, "--segmentation", labels_file, "--resolution", "8,8,40", says=[str(fused), "already"])


def test_missing_input_file(tmp_path):
    fail(NOT_FOUND, "init", tmp_path / "p", "--segmentation", tmp_path / "gone.npy", "--resolution", "8,8,40",
         says="gone.npy")  # fmt: skip
    assert not (tmp_path / "p").exists()
    fail(NOT_FOUND, "touching", tmp_path / "gone.npy", "--resolution", "8,8,40", says="gone.npy")


def test_wrong_arguments(fused, tmp_path):
    fail(USAGE, "lookup", fused, "--point", "1,2", says=["--point", "'1,2'", "X,Y,Z"])
    fail(USAGE, "lookup", fused, says="--point")
    fail(USAGE, "lookup", fused, "--point", point(SOURCE), "--at", "yesterday", says=["--at", "'yesterday'"])
    fail(USAGE, "lookup", fused, "--point", point(SOURCE), "--at", "1000", says=["--at", "was made at"])
    fail(USAGE, "lookup", fused, "--point", point(SOURCE), "--at", "1000", "--generation", 1, says="--at")
    fail(NOT_FOUND, "lookup", fused, "--point", point(SOURCE), "--generation", 999, says="999")
    fail(USAGE, "export", fused, "--what", "dreams", "--out", tmp_path / "x", says=["--what", "'dreams'"])
    fail(USAGE, "export", fused, "--what", "roots", "--box", "0,0,0,0,5,5", "--out", tmp_path / "x", says="is empty")
    fail(USAGE, "export", fused, "--what", "roots", "--box", "0,0,0,73,5,5", "--out", tmp_path / "x", says="73,5,5")
    fail(USAGE, "export", fused, "--what", "roots", "--out", tmp_path / "no/x", says=["cannot write", "no/x"])
    fail(USAGE, "picture", fused, "--what", "roots", "--z", 32, "--out", tmp_path / "x", says="section 32")
    fail(USAGE, "fly", fused, says="see --help")
    assert list(tmp_path.iterdir()) == []


def test_a_project_is_opened_by_one_process(project):
    fifo = project.parent / "out.npy.part"
    os.mkfifo(fifo)
    with subprocess.Popen([PROGRAM, "export", project, "--what", "roots", "--out", project.parent / "out.npy"],
                          stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as other:  # fmt: skip
        try:
            with open(fifo, "rb"):  # waits until the export writes, and then the export waits for us to read
                fail(UNAVAILABLE, "info", project, says=[str(project), "in use"])
        finally:
            other.kill()


# --- damage: the message names the object in the store ---

MANIFEST_MAGIC, NODE_MAGIC = bytes.fromhex("0cdb3a2a"), bytes.fromhex("0cdb20de")


def flip(path, offset, count=1):
    data = bytearray(path.read_bytes())
    for i in range(offset, offset + count):
        data[i] ^= 0xFF
    path.chmod(0o644)
    path.write_bytes(data)


def data_files(project):
    return sorted(p for p in (project / "ocdbt").rglob("*") if p.is_file() and p.name != "manifest.ocdbt"
                  and p.stat().st_size > 64)  # fmt: skip


def test_a_damaged_manifest(project):
    manifest = project / "ocdbt/graph/manifest.ocdbt"
    assert manifest.read_bytes()[:4] == MANIFEST_MAGIC
    flip(manifest, manifest.stat().st_size // 2)
    fail(DAMAGED, "lookup", project, "--point", point(SOURCE), says="graph/manifest.ocdbt")


def test_a_damaged_node(project):
    damaged = []
    for path in data_files(project):
        data, at = path.read_bytes(), -1
        while (at := data.find(NODE_MAGIC, at + 1)) >= 0:
            damaged.append(path)
            flip(path, at + 14)
    assert damaged
    message = fail(DAMAGED, "export", project, "--what", "supervoxels", "--out", project / "x.npy", says="cleave: ")
    assert any(path.name in message for path in damaged), message


def test_a_damaged_value(tmp_path):
    """Values outside of the tree have no checksum in the format; their own structure is what is looked at."""
    random = np.random.default_rng(5)
    labels = np.kron(random.integers(1, 50, (16, 16, 16)), np.ones((3, 3, 3))).astype(np.uint32)
    project = tmp_path / "p"
    init(project, save(tmp_path / "speckles.npy", labels), "--chunk-size", "48,48,48")
    damaged = []
    for path in data_files(project):
        data = path.read_bytes()
        nodes = data.find(NODE_MAGIC)
        if values := nodes if nodes >= 0 else len(data):
            flip(path, 0, values)
            damaged.append(path)
    assert damaged, "there is no value outside of the tree"
    message = fail(DAMAGED, "export", project, "--what", "supervoxels", "--out", tmp_path / "x.npy", says="cleave: ")
    # What is wrong shows in the chunk, so the chunk is named, and the object in the store that holds its bytes.
    assert "/ocdbt/graph/|ocdbt:@v" in message and "8_8_40/" in message, message
    assert any(f"stored in file://{path.parent}" in message and path.name in message for path in damaged), message
    assert not (tmp_path / "x.npy").exists()


def test_fsck_finds_damage_that_can_be_read(project):
    """Voxels that name a supervoxel the graph has never heard of: readable, but against invariant 1."""
    if os.environ.get("CI") == "true":
        import tensorstore
    else:
        tensorstore = pytest.importorskip("tensorstore")
    spec = {"driver": "neuroglancer_precomputed", "kvstore": run_json("info", project)["kvstore"]}
    volume = tensorstore.open(spec).result()
    (supervoxel, _), _ = lookup(project, SOURCE, SINK)
    volume[20, 20, 16, 0].write(np.uint64(supervoxel + 12345)).result()
    done = run("fsck", project, "--json", expect=DAMAGED)
    report = json.loads(done.stdout)
    assert report["clean"] is False and report["findings"]
    assert any(str(supervoxel + 12345) in f["ids"] or str(supervoxel + 12345) in f["what"] for f in report["findings"])
    assert "findings" in done.stderr
    assert "NOT CLEAN" in run("fsck", project, expect=DAMAGED).stdout

    # The plan says what would be written and changes nothing; nobody is there to be asked; then it is carried out.
    before = export(project, "supervoxels", project / "before.npy")
    plan = run("fsck", project, "--plan", "--json", expect=DAMAGED)
    plan = json.loads(plan.stdout)
    assert plan["applied"] is False and plan["left"]["found"] == 0 and plan["mends"][0]["voxels"], plan
    assert "because" in run("fsck", project, "--plan", expect=DAMAGED).stdout
    done = subprocess.run([str(PROGRAM), "fsck", str(project), "--repair"], capture_output=True, text=True, input="")
    assert done.returncode != OK and "--yes" in done.stderr
    assert (export(project, "supervoxels", project / "same.npy") == before).all()
    repaired = run_json("fsck", project, "--repair", "--yes", "--user", "mender")
    assert repaired["applied"] is True and repaired["left"]["found"] == 0
    after = export(project, "supervoxels", project / "after.npy")
    assert (after != before).sum() == 1 and not (after == supervoxel + 12345).any()
    record = run_json("log", project, repaired["operation"])
    assert (record["kind"], record["status"], record["user"]) == ("repair", "success", "mender")
    shown = run_json("fsck", project, "--show-repair", repaired["operation"])
    assert shown["mends"] == repaired["mends"]
    assert run_json("fsck", project)["clean"] is True
    assert "nothing to mend" in run("fsck", project, "--plan").stdout


def test_what_a_killed_process_left_is_finished_and_said(project):
    """The recovery is also run by commands that only read."""
    environment = dict(os.environ, CLEAVE_CRASH_AT="edit.committed")
    arguments = ["split", project, "--source", point(SOURCE), "--sink", point(SINK)]
    died = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, env=environment)
    if died.returncode == OK:
        pytest.fail("the crash point edit.committed is not reached")
    assert died.returncode == -9
    done = run("lookup", project, "--point", point(SOURCE), point(SINK), "--json")
    assert "carried out to its end" in done.stderr
    roots = {p["root"] for p in json.loads(done.stdout)["points"]}
    assert len(roots) == 2
    assert run_json("fsck", project)["clean"] is True
