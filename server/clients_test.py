"""Runs the field's own clients against `cleave serve`: CAVEclient's chunkedgraph client, CloudVolume, TensorStore.

Goal: every method of the clients works on our server as it does on the field's, and what they say agrees.
Method: a small volume with an offset, of blocks in a row and of a dumbbell that is one supervoxel in its chunk. It is
merged, split, undone and cut through CAVEclient; then every question is asked about the states before and after, of
several clients, and beside plain arrays that tell what must come out.

The program is $CLEAVE_PROGRAM, else build/release/cleave.
"""

import atexit
import datetime
import gzip
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("CLEAVE_PROGRAM", ROOT / "build/release/cleave"))
if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)
np = pytest.importorskip("numpy")
requests = pytest.importorskip("requests")
caveclient = pytest.importorskip("caveclient")
cloudvolume = pytest.importorskip("cloudvolume")
ts = pytest.importorskip("tensorstore")

OFFSET = np.array([64, 32, 16])
SIZE = (96, 64, 32)
NM = np.array([8, 8, 40])
CHUNK = 32
MIDDLES = {1: (10, 12, 16), 2: (40, 12, 16), 3: (75, 12, 16)}
LEFT, RIGHT = (14, 42, 16), (30, 42, 16)  # both ends of the dumbbell lie in its first chunk
# Large enough that two states have different whole seconds: CloudVolume rounds times up.
PAUSE_SECONDS = 1.2


def make_labels():
    labels = np.zeros(SIZE, np.uint64, order="F")
    labels[:24, :24], labels[24:56, :24], labels[56:, :24] = 1, 2, 3
    labels[4:24, 34:50, 8:24] = labels[28:50, 34:50, 8:24] = 4
    labels[24:28, 41:44, 15:18] = 4
    return labels


def run(*arguments):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Server:
    """`cleave serve` on a free port."""

    def __init__(self, project, *arguments):
        command = [str(PROGRAM), "serve", str(project), "--port", "0", "--json", "--quiet", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)  # of a test that failed; of one that ended it does nothing
        line = self.process.stdout.readline()
        assert line, "the server did not start"
        self.url = f"http://127.0.0.1:{json.loads(line)['port']}"
        self.table = self.url + "/segmentation/api/v1/table/graph/"
        self.meshing = self.url + "/meshing/api/v1/table/graph/"

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def get(self, path, **more):
        return requests.get(self.table + path, **more)

    def get_in_flight(self):
        """How many edits have begun and not ended."""
        return int(requests.get(self.url + "/readyz").text.split()[2])

    def post(self, path, body=None, **more):
        return requests.post(self.table + path, data=body if isinstance(body, bytes) else json.dumps(body), **more)


def make_project(folder, name="project"):
    np.save(folder / "labels.npy", make_labels())
    project = folder / name
    run("init", project, "--segmentation", folder / "labels.npy", "--resolution", "8,8,40", "--voxel-offset",
        ",".join(map(str, OFFSET)), "--chunk-size", f"{CHUNK},{CHUNK},{CHUNK}")
    return project


def make_client(server, token=None):
    auth = caveclient.auth.AuthClient(token=token, server_address=server.url)
    return caveclient.chunkedgraph.ChunkedGraphClient(
        server_address=server.url, table_name="graph", auth_client=auth
    )


def make_volume(server, secrets="deadbeef", **more):
    url = f"graphene://{server.url}/segmentation/table/graph"
    return cloudvolume.CloudVolume(url, secrets=secrets, use_https=False, progress=False, **more)


def nm(point):
    return (np.array(point) + OFFSET + 0.5) * NM


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def download(volume, **more):
    return np.asarray(volume.download(volume.bounds, **more))[..., 0]


@pytest.fixture(scope="module", autouse=True)
def no_tokens_at_home(tmp_path_factory):
    """The clients look for tokens in the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A server whose graph has a past: one state before each edit, and one after the last."""
    folder = tmp_path_factory.mktemp("clients")
    server = Server(make_project(folder), "--request-log", folder / "requests.jsonl")
    client = make_client(server)
    volume = make_volume(server)
    base = download(volume)
    states, edits = [], {}

    def supervoxel(point):
        return int(base[point])

    def note_state():
        time.sleep(PAUSE_SECONDS)
        states.append(types.SimpleNamespace(time=now(), roots=download(volume, agglomerate=True)))
        time.sleep(PAUSE_SECONDS)

    note_state()
    points = [MIDDLES[1], MIDDLES[2]]
    edits["merge"] = client.do_merge([supervoxel(p) for p in points], [np.array(p) + OFFSET for p in points], NM)
    note_state()
    merged = edits["merge"]["new_root_ids"][0]
    edits["preview"] = client.preview_split([nm(points[0])], [nm(points[1])], merged)
    edits["split"] = client.execute_split([nm(points[0])], [nm(points[1])], merged)
    note_state()
    edits["undo"] = client.undo_operation(edits["split"][0])
    note_state()
    dumbbell = int(states[-1].roots[LEFT])
    edits["cut"] = client.execute_split([nm(LEFT)], [nm(RIGHT)], dumbbell)
    note_state()
    yield types.SimpleNamespace(
        server=server, client=client, volume=volume, base=base, states=states, edits=edits, supervoxel=supervoxel,
        merged=merged, dumbbell=dumbbell, log=folder / "requests.jsonl", project=folder / "project",
    )  # fmt: skip
    assert server.stop() == 0


def same_parts(a, b):
    """Whether two arrays of labels divide the voxels in the same way."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def expected_parts(merged, cut):
    parts = make_labels()
    if merged:
        parts[parts == 2] = 1
    return parts, cut


# The states of the story: before, merged, split again, undone, cut.
@pytest.mark.parametrize("number, merged", [(0, False), (1, True), (2, False), (3, True)])
def test_each_state_is_what_the_edits_say(story, number, merged):
    assert same_parts(story.states[number].roots, expected_parts(merged, False)[0])


def test_the_cut_parts_the_dumbbell_and_touches_nothing_else(story):
    before, after = story.states[3].roots, story.states[4].roots
    labels = make_labels()
    assert same_parts(after[labels != 4], before[labels != 4]) and (after[labels != 4] == before[labels != 4]).all()
    pieces = set(np.unique(after[labels == 4]))
    assert pieces == set(story.edits["cut"][1]) and len(pieces) == 2
    assert after[LEFT] != after[RIGHT]
    assert (after == 0).sum() == (labels == 0).sum()


@pytest.mark.parametrize("number", range(5))
def test_cloudvolume_sees_the_past(story, number):
    state = story.states[number]
    labels = make_labels()
    roots = download(story.volume, agglomerate=True, timestamp=state.time)
    # The voxels are the present ones: fresh supervoxels lead to the roots that the old one had.
    assert (roots[labels != 4] == state.roots[labels != 4]).all()
    if number < 4:
        assert (roots[labels == 4] == story.dumbbell).all()


@pytest.mark.parametrize("number", range(5))
def test_voxels_of_a_past_time_belong_to_its_graph(story, number):
    state = story.states[number]
    past = cloudvolume.CloudVolume(
        f"precomputed://{story.server.url}/data/graph/at/{state.time.timestamp():.6f}", progress=False
    )
    voxels = download(past)
    assert (voxels == story.base).all() == (number < 4)
    ids = np.unique(voxels[voxels != 0])
    roots = dict(zip(ids, story.client.get_roots(ids, timestamp=state.time)))
    roots[0] = 0
    assert (np.vectorize(roots.get)(voxels) == state.roots).all()


def test_info_leads_to_the_voxels_of_a_time(story):
    stamp = story.states[0].time.timestamp()
    info = requests.get(story.server.url + "/segmentation/table/graph/info", params={"timestamp": stamp}).json()
    assert (download(cloudvolume.CloudVolume("precomputed://" + info["data_dir"].rstrip("/"))) == story.base).all()


def test_tensorstore_opens_the_versioned_store(story):
    info = requests.get(story.server.url + "/segmentation/table/graph/info").json()
    kvstore = info["graph"]["kvstore"]
    opened = ts.open({"driver": "neuroglancer_precomputed", "kvstore": kvstore}, read=True).result()
    now_there = np.asarray(opened.read().result())[..., 0]
    assert (now_there == download(story.volume)).all()
    base = {"driver": "ocdbt", "base": {"driver": "http", "base_url": story.server.url + "/ocdbt/base/"}}
    sealed = ts.open({"driver": "neuroglancer_precomputed", "kvstore": base}, read=True).result()
    assert (np.asarray(sealed.read().result())[..., 0] == story.base).all()


def test_cave_roots(story):
    client, svs = story.client, [story.supervoxel(MIDDLES[i]) for i in (1, 2, 3)]
    for state, joined in zip(story.states, (False, True, False, True, True)):
        roots = client.get_roots(svs, timestamp=state.time)
        assert [int(r) for r in roots] == [client.get_root_id(sv, timestamp=state.time) for sv in svs]
        assert (roots[0] == roots[1]) == joined and roots[2] not in roots[:2]
    assert client.get_roots([0, svs[0], 2**56 + 12345])[[0, 2]].tolist() == [0, 0]
    l2 = client.get_roots(svs, stop_layer=2)
    assert (l2 >> np.uint64(56) == 2).all()
    assert client.get_root_id(svs[0], level2=True) == l2[0]
    many = np.resize(np.array(svs, np.uint64), 300_000)
    body = gzip.compress(many.tobytes(), 1)
    answer = story.server.post("roots_binary", body, headers={"Content-Encoding": "gzip", "Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert (np.frombuffer(answer.content, np.uint64) == np.resize(client.get_roots(svs), 300_000)).all()


def test_cave_hierarchy(story):
    client, volume = story.client, story.volume
    voxels = download(volume)
    root = int(story.states[-1].roots[MIDDLES[1]])
    leaves = client.get_leaves(root)
    assert set(leaves) == set(np.unique(voxels[story.states[-1].roots == root]))
    bounds = np.array([OFFSET, OFFSET + CHUNK]).T
    inside = client.get_leaves(root, bounds=bounds)
    first_chunk = story.states[-1].roots[:CHUNK, :CHUNK, :CHUNK] == root
    assert set(inside) == set(np.unique(voxels[:CHUNK, :CHUNK, :CHUNK][first_chunk]))
    many = client.get_leaves_many([root, story.dumbbell], bounds=bounds)
    assert set(many[root]) == set(inside) and many[story.dumbbell].size == 0
    assert set(client.get_leaves(story.merged)) == set(leaves), "an old root keeps its leaves"
    l2 = client.get_leaves(root, stop_layer=2)
    assert {int(c) for x in l2 for c in client.get_children(x)} == set(map(int, leaves))
    assert client.get_children(leaves[0]).size == 0
    assert set(client.get_minimal_covering_nodes(list(map(int, leaves)))) == {root}
    mapping = volume.get_chunk_mappings(int(l2[0]))
    assert set(mapping[int(l2[0])]) == set(map(int, client.get_children(l2[0])))
    assert set(volume.get_leaves(root, volume.bounds, 0)) == set(map(int, leaves))


def test_cave_edges_and_paths(story):
    client, root = story.client, int(story.states[-1].roots[MIDDLES[1]])
    leaves = set(map(int, client.get_leaves(root)))
    nodes, affinities, areas = client.get_subgraph(root, np.array([OFFSET, OFFSET + SIZE]).T)
    assert set(nodes.ravel().tolist()) <= leaves and len(nodes) == len(affinities) == len(areas) > 0
    assert np.isinf(affinities).any()
    edges = client.level2_chunk_graph(root)
    assert edges and set(np.ravel(edges)) <= set(map(int, client.get_leaves(root, stop_layer=2)))
    assert client.level2_chunk_graph(root, bounds=np.array([OFFSET, OFFSET + SIZE]).T) == edges
    old = client.level2_chunk_graph(story.merged)
    assert set(np.ravel(old)) <= set(map(int, client.get_leaves(story.merged, stop_layer=2))) and old
    for precise in (True, False):
        places, path, failed = client.find_path(root, nm(MIDDLES[1]), nm(MIDDLES[2]), precision_mode=precise)
        assert len(places) == len(path) >= 2 and failed.size == 0
        assert path[0] == client.get_root_id(story.supervoxel(MIDDLES[1]), level2=True)
    contacts = client.get_contact_sites(root, np.array([OFFSET, OFFSET + SIZE]).T, calc_partners=True)
    assert set(contacts) == {int(story.states[-1].roots[MIDDLES[3]])}


def test_cave_times(story):
    client, merged, undone = story.client, story.merged, story.edits["undo"]["new_root_ids"]
    assert client.is_latest_roots([merged, *undone]).tolist() == [False] + [True] * len(undone)
    assert client.is_latest_roots([merged], timestamp=story.states[1].time).tolist() == [True]
    made = client.get_root_timestamps([merged])[0]
    assert story.states[0].time < made < story.states[1].time
    ended = client.get_root_timestamps([merged], latest=True)[0]
    assert story.states[1].time < ended < story.states[2].time
    current = client.get_root_timestamps(undone, latest=True, timestamp=story.states[4].time)[0]
    assert abs((current - story.states[4].time).total_seconds()) < 0.01
    assert client.is_valid_nodes([merged, 2**58 + 10**6, -1]).tolist() == [True, False, False]
    assert client.is_valid_nodes([merged], end_timestamp=story.states[0].time).tolist() == [False]
    oldest = client.get_oldest_timestamp()
    assert oldest < made and oldest.tzinfo is not None


def test_cave_lineage(story):
    client, merged, undone = story.client, story.merged, story.edits["undo"]["new_root_ids"]
    first = [int(story.states[0].roots[MIDDLES[i]]) for i in (1, 2)]
    halves = story.edits["split"][1]
    graph = client.get_lineage_graph(merged, as_nx_graph=True)
    assert set(graph.nodes) == {*first, merged, *halves, *undone}
    assert set(graph.predecessors(merged)) == set(first) and set(graph.successors(merged)) == set(halves)
    assert graph.nodes[first[0]]["operation_id"] == story.edits["merge"]["operation_id"]
    assert graph.nodes[merged]["operation_id"] == story.edits["split"][0]
    assert "operation_id" not in graph.nodes[undone[0]]
    assert set(client.get_latest_roots(merged)) == set(undone)
    assert set(client.get_latest_roots(first[0], timestamp=story.states[1].time)) == {merged}
    assert set(client.get_latest_roots(undone[0], timestamp=story.states[0].time)) == set(first)
    assert set(client.get_latest_roots(undone[0], timestamp=story.states[2].time)) == set(halves)
    assert set(client.get_original_roots(undone[0])) == set(first)
    assert client.suggest_latest_roots(merged) == undone[0]
    ids = client.get_past_ids(undone, timestamp_past=story.states[0].time)
    assert set(ids["past_id_map"][undone[0]]) == set(first)
    ids = client.get_past_ids(undone, timestamp_past=story.states[2].time)
    assert set(ids["past_id_map"][undone[0]]) == set(halves)
    assert ids["future_id_map"] == {half: undone[0] for half in halves}
    old, new = client.get_delta_roots(story.states[0].time, story.states[1].time)
    assert set(old) == set(first) and set(new) == {merged}
    old, new = client.get_delta_roots(story.states[0].time)
    assert set(new) == {*undone, *story.edits["cut"][1]} and set(old) == {*first, story.dumbbell}


def test_cave_logs(story):
    client, undone = story.client, story.edits["undo"]["new_root_ids"][0]
    merge, split = story.edits["merge"]["operation_id"], story.edits["split"][0]
    log = client.get_change_log(undone, filtered=False)
    assert {merge, split} <= set(log["operations_ids"]) and log["n_mergers"] >= 1 and log["user_info"]["anonymous"]
    assert story.merged in log["past_ids"]
    joined = client.get_merge_log(undone)
    assert len(joined["merge_edges"]) == len(joined["merge_edge_coords"]) >= 1
    assert joined["merge_edge_coords"][0][0][0] == (np.array(MIDDLES[1]) + OFFSET).tolist()
    table = client.get_tabular_change_log([undone], filtered=False)[undone]
    assert merge in table["operation_id"].tolist() and table["user_name"].iloc[0] == "anonymous"
    row = table[table["operation_id"] == merge].iloc[0]
    assert row["after_root_ids"] == [story.merged] and row["is_merge"]
    details = client.get_operation_details([merge, split])
    assert details[str(merge)]["user"] == "anonymous" and details[str(merge)]["added_edges"]
    assert details[str(split)]["removed_edges"] and details[str(split)]["operation_status"] == 0
    assert details[str(merge)]["source_coords"] == [(np.array(MIDDLES[1]) + OFFSET).tolist()]
    assert datetime.datetime.fromisoformat(details[str(merge)]["timestamp"]) > story.states[0].time
    start = story.states[0].time - datetime.timedelta(days=1)
    assert story.edits["cut"][0] in client.get_user_operations(-1, start)["operation_id"].tolist()
    recent = story.server.get("tabular_change_log_recent", params={"timestamp": start.timestamp()}).json()
    assert len(recent["operation_id"]) == 4
    assert story.server.get("change_log").text.splitlines()[0] == "user_id,action,root_ids,timestamp"
    assert story.server.get(f"root/{undone}/tabular_change_log").json()["operation_id"]
    edited = story.server.get(f"root/{undone}/last_edit").json()["iso"]
    assert story.states[2].time < datetime.datetime.fromisoformat(edited) < story.states[3].time


def test_cave_preview_and_refusals(story):
    sources, sinks, success = story.edits["preview"]
    assert success and story.supervoxel(MIDDLES[1]) in sources and story.supervoxel(MIDDLES[2]) in sinks
    ends = {"source_supervoxels": [story.supervoxel(MIDDLES[1])], "sink_supervoxels": [story.supervoxel(MIDDLES[3])]}
    refused = story.client.preview_split([nm(MIDDLES[1])], [nm(MIDDLES[3])], story.merged, **ends)
    assert refused == ([], [], False), "they are of two objects already"
    with pytest.raises(requests.HTTPError) as refused:
        story.client.undo_operation(10**6)
    assert refused.value.response.status_code == 404
    story.client.remesh_level2_chunks(story.client.get_leaves(story.merged, stop_layer=2))
    wrong = make_client(story.server)
    wrong._default_url_mapping["table_id"] = "other"
    with pytest.raises(requests.HTTPError) as missing:
        wrong.get_roots([1])
    assert missing.value.response.status_code == 404 and "no graph other" in missing.value.response.text


def test_cave_segmentation_info(story):
    assert story.client.base_resolution == NM.tolist()
    assert story.client.segmentation_info["graph"]["chunk_size"] == [CHUNK] * 3
    folder = story.client.segmentation_info["data_dir"] + story.client.segmentation_info["mesh"]
    assert "sharding" in requests.get(folder + "/info").json(), "else a viewer refuses the whole layer"


def test_the_full_client(story):
    info = {
        "ds": {
            "local_server": story.server.url,
            "segmentation_source": f"graphene://{story.server.url}/segmentation/table/graph",
            "aligned_volume": {"name": "av", "id": 1, "image_source": "precomputed://" + story.server.url + "/img"},
            "viewer_site": "", "viewer_resolution_x": 8, "viewer_resolution_y": 8, "viewer_resolution_z": 40,
        }
    }  # fmt: skip
    client = caveclient.CAVEclient(
        "ds", server_address=story.server.url, info_cache=info, write_server_cache=False, auth_token="deadbeef"
    )
    sv = story.supervoxel(MIDDLES[1])
    assert client.chunkedgraph.get_root_id(sv) == story.client.get_root_id(sv)


def test_cloudvolume_cutouts(story):
    volume = story.volume
    roots = story.states[-1].roots
    root = int(roots[MIDDLES[1]])
    only = np.asarray(volume.download(volume.bounds, segids=[root]))[..., 0]
    assert ((only == root) == (roots == root)).all()
    l2 = download(volume, agglomerate=True, stop_layer=2)
    assert (np.unique(l2[l2 != 0]) >> np.uint64(56) == 2).all()
    assert same_parts(volume.get_roots(np.unique(roots)), np.unique(roots))
    plain = cloudvolume.CloudVolume(f"precomputed://{story.server.url}/data/graph", progress=False)
    assert (download(plain) == download(volume)).all()
    ids = volume.unique(volume.bounds, agglomerate=True)
    assert set(ids) - {0} == set(np.unique(roots)) - {0}


def test_meshes_cover_their_objects(story):
    """Of objects of now and of one that edits replaced, which an open page still shows."""
    volume = make_volume(story.server)
    now = story.states[-1].roots
    then = next(state.roots for state in story.states if story.merged in state.roots)
    for roots, root in ((now, now[MIDDLES[1]]), (now, now[LEFT]), (now, now[RIGHT]), (then, story.merged)):
        path = f"{story.server.meshing}manifest/{root}:0"
        answer = requests.get(path + "?verify=1&prepend_seg_ids=1")
        assert answer.headers["Cache-Control"] == "no-store"
        l2_nodes = answer.json()["seg_ids"]
        assert sorted(l2_nodes) == sorted(story.client.get_leaves(int(root), stop_layer=2))
        assert [name.split(":")[0] for name in answer.json()["fragments"]] == [f"~{node}" for node in l2_nodes]
        plain = requests.get(path + "?verify=True&return_seg_ids=1", json={"start_layer": 2}).json()
        assert [int(name.split(":")[0]) for name in plain["fragments"]] == plain["seg_ids"]
        got = volume.mesh.get(int(root))
        mesh = got[int(root)] if isinstance(got, dict) else got
        voxels = np.argwhere(roots == root) + OFFSET
        assert (mesh.vertices.min(axis=0) == voxels.min(axis=0) * NM).all()
        assert (mesh.vertices.max(axis=0) == (voxels.max(axis=0) + 1) * NM).all()
        corners = mesh.vertices[mesh.faces.astype(int)].astype(float)
        enclosed = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
        assert 0.7 < enclosed / (len(voxels) * NM.prod()) < 1.05, "the surface faces outwards and is closed"
    some = requests.get(path + f"?bounds={OFFSET[0]}-{OFFSET[0] + CHUNK}_32-96_16-48").json()["fragments"]
    assert 0 < len(some) < len(l2_nodes)
    assert requests.get(f"{story.server.meshing}manifest/{2**58 + 10**6}:0").status_code in (400, 404)
    assert requests.get(f"{story.server.meshing}manifest/{story.supervoxel(MIDDLES[1])}:0").status_code == 400
    assert requests.post(f"{story.server.meshing}clear_manifest_cache/{root}").status_code == 200
    assert requests.post(f"{story.server.meshing}clear_manifest_cache").status_code == 200


def test_meshes_of_a_worker(tmp_path):
    """CloudVolume writes shards as a mesh worker does and reads them back through manifests: of ingest, and of an edit."""
    from cloudvolume.datasource.precomputed.sharding import ShardingSpecification

    project = make_project(tmp_path)
    server = Server(project)
    client, volume, voxels = make_client(server), make_volume(server), make_labels()
    corners = {label: np.argwhere(voxels == label)[0] for label in (1, 4)}
    at_start = download(volume, agglomerate=True)
    roots = {label: int(at_start[tuple(corner)]) for label, corner in corners.items()}

    def l2_nodes(root):
        return [int(node) for node in client.get_leaves(root, stop_layer=2)]

    def made_on_demand(node):
        name = requests.get(f"{server.meshing}manifest/{node}:0").json()["fragments"][0]
        return name, requests.get(f"{server.url}/data/graph/mesh/dynamic/{name}").content

    meshes = {label: {node: made_on_demand(node) for node in l2_nodes(root)} for label, root in roots.items()}
    assert server.stop() == 0
    run("ingest", "mesh-meta", project, "--max-layer", 2, "--minishard-bits", 4)
    server = Server(project)
    client, volume = make_client(server), make_volume(server)

    def fragments(root):
        return requests.get(f"{server.meshing}manifest/{root}:0?verify=1&prepend_seg_ids=1").json()["fragments"]

    def write_shards(nodes):
        """Each chunk has a shard with all of its nodes."""
        spec = ShardingSpecification.from_dict(json.loads((project / "meshes/mesh/info").read_text())["sharding"]["2"])
        by_chunk = {}
        for node, (_, draco) in nodes.items():
            by_chunk.setdefault(int(volume.meta.decode_chunk_position_number(node)), {})[node] = draco
        folder = project / "meshes/mesh/initial/2"
        folder.mkdir(parents=True, exist_ok=True)
        for chunk, contents in by_chunk.items():
            for name, data in spec.synthesize_shards(contents).items():
                (folder / "new").write_bytes(data)
                (folder / "new").rename(folder / f"{chunk}-{name}")

    def mesh_of(root):
        got = volume.mesh.get(int(root))
        return got[int(root)] if isinstance(got, dict) else got

    def expect_mesh(root, where):
        mesh = mesh_of(root)
        assert (mesh.vertices.min(axis=0) == (where.min(axis=0) + OFFSET) * NM).all()
        assert (mesh.vertices.max(axis=0) == (where.max(axis=0) + OFFSET + 1) * NM).all()

    assert fragments(roots[1]) == [] and fragments(roots[4]) == []
    write_shards(meshes[1])
    expect_mesh(roots[1], np.argwhere(at_start == roots[1]))
    assert fragments(roots[4]) == [], "which is now marked as absent in the shards that are there"
    write_shards(meshes[1] | meshes[4])
    expect_mesh(roots[4], np.argwhere(at_start == roots[4]))
    assert volume.mesh.get(next(iter(meshes[4])), bypass=True), "found by the index of the shard"
    assert requests.post(f"{server.meshing}clear_manifest_cache/{roots[4]}").json()["nodes"] >= 2
    assert requests.post(f"{server.meshing}clear_manifest_cache").status_code == 200
    expect_mesh(roots[1], np.argwhere(at_start == roots[1]))

    # An edit joins both; what it makes anew is missing until a worker has made it.
    ends = [[roots[label], *nm(corner)] for label, corner in corners.items()]
    done = server.post("merge?chebyshev_distance=9", ends)
    assert done.status_code == 200, done.text
    merged = int(done.json()["new_root_ids"][0])
    old = meshes[1] | meshes[4]
    new_nodes = [node for node in l2_nodes(merged) if node not in old]
    assert new_nodes and len(fragments(merged)) == len(l2_nodes(merged)) - len(new_nodes)
    assert all(fragment.count("~") == 2 for fragment in fragments(merged)), "all of them in shards"
    folder = project / "meshes/mesh/dynamic_graph"
    folder.mkdir(exist_ok=True)
    for node in new_nodes:
        before = next(one for one in old if volume.meta.decode_chunk_position_number(one) == volume.meta.decode_chunk_position_number(node))  # fmt: skip
        name, draco = old[before]
        (folder / name.replace(str(before), str(node), 1)).write_bytes(draco)
    assert len(fragments(merged)) == len(l2_nodes(merged))
    assert sum(f"~{node}:{node}:0:" in fragment for fragment in fragments(merged) for node in new_nodes) == len(new_nodes)
    assert len(mesh_of(merged).vertices) > 0
    assert len(fragments(roots[1])) == len(meshes[1]), "an open page still shows the old object"
    assert server.stop() == 0


def test_an_old_supervoxel_is_told_from_an_unknown_one(story):
    old = story.supervoxel(LEFT)
    answer = story.server.get(f"node/{old}/root")
    assert answer.status_code == 400 and "was cut into" in answer.json()["message"]
    stamp = story.states[3].time.timestamp()
    assert story.server.get(f"node/{old}/root", params={"timestamp": stamp}).json()["root_id"] == story.dumbbell
    assert story.server.get(f"node/{old + 999}/root").status_code == 404
    pieces = story.client.get_leaves(story.edits["cut"][1][0])
    assert old not in pieces


def test_ids_are_exact_as_numbers_and_as_strings(story):
    root = int(story.states[-1].roots[MIDDLES[1]])
    leaf = story.client.get_leaves(root)[0]
    number = story.server.get(f"node/{leaf}/root").text
    text = story.server.get(f"node/{leaf}/root?int64_as_str=1").text
    assert json.loads(number) == {"root_id": root} and json.loads(text) == {"root_id": str(root)}
    answer = story.server.post("node/leaves_many?int64_as_str=1", {"node_ids": [str(root), str(2**58 - 1)]})
    assert answer.status_code == 400, "an id outside of the lattice is no node"
    answer = story.server.post("node/leaves_many?int64_as_str=1&bounds=64-65_32-33_16-17", {"node_ids": [str(root)]})
    assert answer.json()[str(root)] and all(isinstance(x, str) for x in answer.json()[str(root)])
    as_run = story.server.post("roots?as_binary=root_ids", {"node_ids": [int(leaf)]}).content
    assert np.frombuffer(as_run, np.uint64).tolist() == [root]


@pytest.mark.parametrize("is_past", [False, True])
def test_files_in_parts_and_unchanged(story, is_past):
    folder = f"{story.server.url}/data/graph/" + (f"at/{story.states[0].time.timestamp():.6f}/" if is_past else "")
    info = requests.get(folder + "info").json()
    name = f"{folder}/{info['scales'][0]['key']}/64-96_32-64_16-48"
    whole = requests.get(name, headers={"Accept-Encoding": "identity"})
    tag = whole.headers["ETag"]
    assert whole.headers["Cache-Control"] == "no-cache" and len(whole.content) > 20
    part = requests.get(name, headers={"Range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, whole.content[4:10])
    assert part.headers["Content-Range"] == f"bytes 4-9/{len(whole.content)}"
    tail = requests.get(name, headers={"Range": "bytes=-3"})
    assert tail.content == whole.content[-3:]
    assert requests.get(name, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416
    same = requests.get(name, headers={"If-None-Match": tag})
    assert same.status_code == 304 and same.content == b"" and same.headers["ETag"] == tag
    head = requests.head(name, headers={"Accept-Encoding": "identity"})
    assert head.headers["Content-Length"] == str(len(whole.content)) and head.content == b""
    raw = story.server.url + "/ocdbt/graph/manifest.ocdbt"
    manifest = requests.get(raw)
    assert requests.get(raw, headers={"Range": "bytes=0-3"}).content == manifest.content[:4]
    assert requests.get(raw, headers={"If-None-Match": manifest.headers["ETag"]}).status_code == 304
    assert requests.get(story.server.url + "/ocdbt/graph/../../project.json").status_code in (400, 404)
    assert requests.get(story.server.url + "/ocdbt/graph/%2e%2e/%2e%2e/project.json").status_code in (400, 404)
    background = name.replace("64-96_32-64_16-48", "128-160_64-96_16-48")
    assert requests.get(background).headers["ETag"] == '"background"'


def test_browsers_may_read_every_answer(story):
    wish = {"Origin": "http://viewer", "Access-Control-Request-Headers": "authorization,range"}
    preflight = requests.options(story.server.table + "merge", headers=wish)
    assert preflight.status_code == 200 and "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization,range"
    for answer in (story.server.get("nothing"), story.server.post("merge", []), story.server.get("node/1/leaves")):
        assert answer.headers["Access-Control-Allow-Origin"] == "*" and answer.status_code in (400, 404)
        assert answer.headers["Content-Type"] == "application/json"
        assert set(answer.json()) == {"timestamp", "duration", "code", "message"}
        assert answer.headers["X-Request-Id"]


BAD_BODIES = [
    ("merge", b"{"), ("merge", b"[]"), ("merge", b"null"), ("merge", b'[[1,2,3],[4,5,6]]'),
    ("merge", b'[[1,"a",3,4],[1,2,3,4]]'), ("merge", b"[[1,1e300,3,4],[1,2,3,4]]"), ("merge", b"[[-1,1,3,4],[1,2,3,4]]"),
    ("merge", b"[" * 100_000), ("merge", b'[[1,2,3,4],[1,2,3,' + b"[" * 50_000 + b"]" * 50_000 + b"]]"),
    ("merge", json.dumps([[2**64, 1, 1, 1]] * 2).encode()), ("split", b"[]"), ("split", b'{"sources":[]}'),
    ("split", b'{"sources":[],"sinks":[]}'), ("split", b'{"sources":{},"sinks":7}'),
    ("split", json.dumps({"sources": [[0, 1, 1, 1]] * 20_000, "sinks": []}).encode()),
    ("undo", b'{"operation_id":"x"}'), ("undo", b"{}"), ("redo", b'{"operation_id":-3}'), ("redo", b'{"operation_id":1.5}'),
    ("roots", b'{"node_ids":[1.5]}'), ("roots", b'{"node_ids":{}}'), ("roots_binary", b"1234567"),
    ("is_latest_roots", b'{"node_ids":["1x"]}'), ("lineage_graph_multiple", b'{"root_ids":[7]}'),
    ("minimal_covering_nodes", b'{"node_ids":[0]}'), ("node/leaves_many", b'{"node_ids":[72057594037927936]}'),
    ("graph/find_path", b"[[0,0,0,0],[0,0,0,0]]"), ("graph/split_preview", b'{"sources":[[0,0,0,0]],"sinks":[[0,0,0,0]]}'),
]  # fmt: skip


@pytest.mark.parametrize("path, body", BAD_BODIES)
def test_bad_bodies_change_nothing(story, path, body):
    before = story.server.get("tabular_change_log_recent").json()
    answer = story.server.post(path, body)
    assert answer.status_code in (400, 404), answer.text[:300]
    assert len(answer.json()["message"]) > 10 and len(answer.text) < 1000
    assert story.server.get("tabular_change_log_recent").json() == before


@pytest.mark.parametrize(
    "path",
    [
        "node/x/root", "node/1/root", "node/18446744073709551616/root", "node/72057594037927937/root?timestamp=soon",
        "node/{root}/root?timestamp=5", "node/{root}/root?timestamp=nan", "node/{root}/root?stop_layer=99",
        "node/{root}/leaves?bounds=1-2", "node/{root}/leaves?bounds=9-1_9-1_9-1", "node/{root}/subgraph?bounds=a-b_0-1_0-1",
        "delta_roots", "operation_details?operation_ids=7", "operation_details?operation_ids=[a]", "root/{sv}/change_log",
        "l2_chunk_children/{root}", "l2_chunk_children_binary/{l2}", "root/1/merge_log",
    ],
)  # fmt: skip
def test_bad_queries_say_what_is_wrong(story, path):
    root = int(story.states[-1].roots[MIDDLES[1]])
    l2 = int(story.client.get_leaves(root, stop_layer=2)[0])
    answer = story.server.get(path.format(root=root, l2=l2, sv=story.supervoxel(MIDDLES[1])))
    assert answer.status_code in (400, 404) and len(answer.json()["message"]) > 10, answer.text[:300]


def test_the_wrong_method_and_a_large_body(story):
    answer = story.server.get("merge")
    assert answer.status_code == 400 and "takes POST" in answer.json()["message"]
    large = requests.post(story.server.table + "roots_binary", data=b"\0" * (65 << 20))
    assert large.status_code == 413 and large.headers["Access-Control-Allow-Origin"] == "*"
    bomb = gzip.compress(b"\0" * (80 << 20), 9)
    answer = story.server.post("roots_binary", bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400


def test_metrics_and_the_request_log(story):
    text = requests.get(story.server.url + "/metrics").text
    assert 'cleave_edits_total{dataset="graph",kind="merge",outcome="done"} 1' in text
    assert "cleave_http_request_seconds_bucket" in text and "cleave_http_requests_under_way" in text
    assert 'cleave_edit_stage_seconds_count{dataset="graph",kind="merge",stage="lock"} 1' in text
    assert 'cleave_operations_in_flight{dataset="graph"} 0' in text
    assert 'cleave_worker_failing{dataset="graph",worker="downsample"} 0' in text
    assert 'cleave_requests_waiting{queue="edits"} 0' in text
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families)), "Prometheus refuses a family that is told twice"
    assert requests.get(story.server.url + "/healthz").text == "ok\n"
    assert requests.get(story.server.url + "/readyz").status_code == 200
    requests.get(story.server.url + "/healthz?middle_auth_token=secret", headers={"X-Request-Id": "mine-7"})
    lines = [json.loads(line) for line in story.log.read_text().splitlines()]
    merges = [x for x in lines if x["path"].endswith("/merge") and x["code"] == 200]
    assert merges and merges[0]["user"] == "anonymous" and merges[0]["ms"] > 0
    mine = [x for x in lines if x["id"] == "mine-7"]
    assert len(mine) == 1 and "secret" not in json.dumps(mine)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    tokens = {"view": "a1" * 10, "edit": "b2" * 10, "admin": "c3" * 10}
    lines = [f"{token} {right} {right} user" for right, token in tokens.items()]
    (folder / "tokens").write_text("# who may do what\n\n" + "\n".join(lines) + "\n")
    server = Server(make_project(folder), "--tokens", folder / "tokens", "--open-data")
    yield types.SimpleNamespace(server=server, tokens=tokens)
    server.stop()


def test_tokens_decide_who_may_do_what(guarded):
    server, tokens = guarded.server, guarded.tokens
    merge = [[0, *nm(MIDDLES[1])], [0, *nm(MIDDLES[2])]]
    assert server.get("oldest_timestamp").status_code == 401
    assert server.get("oldest_timestamp").headers["WWW-Authenticate"].startswith("Bearer")
    assert server.get("oldest_timestamp?middle_auth_token=" + "d4" * 10).status_code == 401
    assert server.get("oldest_timestamp?middle_auth_token=" + tokens["view"]).status_code == 200
    assert server.get("oldest_timestamp", cookies={"middle_auth_token": tokens["view"]}).status_code == 200
    bearer = {right: {"Authorization": "Bearer " + token} for right, token in tokens.items()}
    assert server.post("merge", merge).status_code == 401
    assert server.post("merge", merge, headers=bearer["view"]).status_code == 403
    done = server.post("merge", merge, headers=bearer["edit"])
    assert done.status_code == 200, done.text
    number = done.json()["operation_id"]
    details = server.get("operation_details", params={"operation_ids": f"[{number}]"}, headers=bearer["view"]).json()
    assert details[str(number)]["user"] == "edit user"
    assert server.post("rollback_user?user_id=edit+user", headers=bearer["edit"]).status_code == 403
    rolled = server.post("rollback_user?user_id=edit+user", headers=bearer["admin"]).json()
    assert len(rolled["operation_id"]) == 1 and rolled["failed"] == {}
    assert requests.get(server.url + "/healthz").status_code == 200
    assert requests.get(server.url + "/metrics").status_code == 401
    assert requests.options(server.table + "merge").status_code == 200


def test_the_clients_bring_their_tokens(guarded):
    client = make_client(guarded.server, guarded.tokens["view"])
    volume = make_volume(guarded.server, guarded.tokens["view"])
    roots = download(volume, agglomerate=True)
    assert same_parts(roots, make_labels())
    assert client.get_root_id(int(download(volume)[MIDDLES[3]])) == roots[MIDDLES[3]]
    with pytest.raises(requests.HTTPError):
        client.do_merge([0, 0], [np.array(MIDDLES[i]) + OFFSET for i in (1, 2)], NM)


def test_an_edit_in_flight_is_finished_when_the_server_stops(tmp_path):
    project = make_project(tmp_path)
    server = Server(project)
    answers = []
    body = {"sources": [[0, *nm(LEFT)]], "sinks": [[0, *nm(RIGHT)]]}
    edit = threading.Thread(target=lambda: answers.append(server.post("split", body)))
    edit.start()
    while not answers and not server.get_in_flight():
        pass  # it has not arrived yet
    code = server.stop()
    edit.join()
    assert code == 0
    log = json.loads(run("log", project, "--json"))
    done = [x for x in log["operations"] if x["status"] == "success"]
    assert len(done) == len(answers) == 1 and answers[0].status_code == 200
    run("fsck", project)


def test_edits_under_load_are_finished_and_answered_when_the_server_stops(tmp_path):
    """Several users wait for the same objects when the signal comes: what was done was answered, and the other way round."""
    project = make_project(tmp_path)
    server = Server(project, "--request-log", tmp_path / "requests.jsonl")
    points = {i: [0, *nm(p)] for i, p in MIDDLES.items()}
    answers, surprises, signalled = [], [], threading.Event()

    def edit(a, b):
        session = requests.Session()
        for turn in range(10_000):
            path, body = ("split", {"sources": [points[a]], "sinks": [points[b]]}) if turn % 2 else ("merge", [points[a], points[b]])
            try:
                answer = session.post(server.table + path, json=body)
            except requests.ConnectionError:
                return  # the server takes nothing any more
            answers.append((answer.status_code, signalled.is_set()))
            if answer.status_code not in (200, 400):
                surprises.append(answer.text)

    users = [threading.Thread(target=edit, args=pair) for pair in ((1, 2), (2, 3), (1, 2), (2, 3), (1, 2), (2, 3))]
    for user in users:
        user.start()
    while sum(code == 200 for code, _ in answers) < 10 or not server.get_in_flight():
        time.sleep(0.002)
    server.process.send_signal(signal.SIGTERM)
    signalled.set()
    assert server.process.wait(timeout=60) == 0
    for user in users:
        user.join()
    assert not surprises, surprises[:3]
    assert any(after for _, after in answers), "edits were in flight when the signal came, and were answered"
    log = json.loads(run("log", project, "--json"))["operations"]
    assert sum(x["status"] == "success" for x in log) == sum(code == 200 for code, _ in answers)
    assert {x["status"] for x in log} <= {"success", "exception"}, "none is left half done"
    lines = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    edits = [line for line in lines if line["route"].endswith(("/merge", "/split"))]
    assert sorted(line["code"] for line in edits) == sorted(code for code, _ in answers)
    assert len({line["id"] for line in lines}) == len(lines), "each request has an id of its own"
    run("fsck", project)


def test_a_request_with_a_name_is_done_once(tmp_path):
    server = Server(make_project(tmp_path))
    merge = [[0, *nm(MIDDLES[1])], [0, *nm(MIDDLES[2])]]
    name = {"Idempotency-Key": "one"}
    first, second = (server.post("merge", merge, headers=name).json() for _ in range(2))
    assert first == second
    undone = server.post("undo", {"operation_id": str(first["operation_id"])}).json()
    redone = server.post("redo", {"operation_id": first["operation_id"]}).json()
    assert len(undone["new_root_ids"]) == 2 and len(redone["new_root_ids"]) == 1
    again = server.post("merge", merge)
    assert again.status_code == 400, "already one object"
    far = server.post("merge?chebyshev_distance=0", [[0, *nm(MIDDLES[1])], [0, *nm(MIDDLES[3])]])
    assert far.status_code == 400
    assert server.post("merge_admin", [[0, *nm(MIDDLES[1])], [0, *nm(MIDDLES[3])]]).status_code == 200
    assert server.stop() == 0


def test_a_point_beside_the_surface_means_its_object(tmp_path):
    """Viewers send the root, and a point on a mesh that may lie just outside of it."""
    server = Server(make_project(tmp_path))
    client = make_client(server)
    roots = download(make_volume(server), agglomerate=True)
    beside = {i: [int(roots[MIDDLES[i]]), *nm((MIDDLES[i][0], 26, 16))] for i in (1, 2)}  # the blocks end at y = 24
    assert client.get_leaves(beside[1][0]).size > 0
    assert server.post("supervoxel_lookup", [beside[1]]).json()[0] in client.get_leaves(beside[1][0])
    bare = [[0, *row[1:]] for row in beside.values()]
    assert server.post("merge", bare).status_code == 400, "background"
    assert server.post("merge", list(beside.values())).status_code == 200
    far = [beside[1][0], *nm((95, 60, 31))]
    answer = server.post("supervoxel_lookup", [far])
    assert answer.status_code == 400 and "not near" in answer.json()["message"]
    assert server.stop() == 0


def test_many_users_at_once_lose_nothing(tmp_path):
    """Edits of the same objects by several threads, while others read: each is done or refused, and all is whole."""
    project = make_project(tmp_path)
    server = Server(project, "--threads", 8)
    codes, surprises, done = [], [], threading.Event()
    points = {i: [0, *nm(p)] for i, p in MIDDLES.items()}

    def edit(a, b):
        for _ in range(6):
            for answer in (
                server.post("merge", [points[a], points[b]]),
                server.post("split", {"sources": [points[a]], "sinks": [points[b]]}),
            ):
                codes.append(answer.status_code)
                if answer.status_code not in (200, 400):
                    surprises.append(answer.text)

    def read():
        ids = np.unique(make_volume(server).download(make_volume(server).bounds))
        client = make_client(server)
        while not done.is_set():
            roots = client.get_roots(ids[ids != 0])
            leaves = client.get_leaves_many([int(r) for r in np.unique(roots)])
            if sum(map(len, leaves.values())) < 1 or (roots == 0).any():
                surprises.append("a supervoxel without a root")

    editors = [threading.Thread(target=edit, args=pair) for pair in ((1, 2), (2, 3), (1, 2), (2, 3), (1, 3))]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in editors + readers:
        thread.start()
    for thread in editors:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert server.stop() == 0 and not surprises, surprises[:3]
    log = json.loads(run("log", project, "--json"))["operations"]
    assert sum(x["status"] == "success" for x in log) == codes.count(200) > 0
    run("fsck", project)


def test_an_overlay_shows_the_original_and_its_edits(tmp_path):
    copy = Server(make_project(tmp_path, "copy"))
    ids = download(make_volume(copy))
    assert copy.stop() == 0
    original = tmp_path / "original"
    metadata = {"resolution": NM.tolist(), "size": SIZE, "voxel_offset": OFFSET.tolist(), "chunk_size": [16, 32, 16],
                "encoding": "compressed_segmentation", "compressed_segmentation_block_size": [8, 8, 8]}  # fmt: skip
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{original}/", "scale_metadata": metadata,
            "multiscale_metadata": {"type": "segmentation", "data_type": "uint64", "num_channels": 1}}  # fmt: skip
    ts.open(spec, create=True).result()[..., 0].write(ids).result()
    labels = make_labels()
    pieces = np.unique(np.stack([ids.ravel(), labels.ravel()]), axis=1).T
    (tmp_path / "pieces").write_text("".join(f"{i},{label}\n" for i, label in pieces if i))
    project = tmp_path / "overlay"
    run("init", project, "--segmentation", f"file://{original}/", "--base", "overlay", "--chunk-size",
        f"{CHUNK},{CHUNK},{CHUNK}", "--pieces", tmp_path / "pieces")
    server = Server(project)
    volume, client, before = make_volume(server), make_client(server), now()
    assert client.segmentation_info["graph"]["kvstore"] is None
    assert (download(volume) == ids).all() and same_parts(download(volume, agglomerate=True), labels)
    dumbbell = client.get_root_id(int(ids[LEFT]))
    assert len(client.execute_split([nm(LEFT)], [nm(RIGHT)], dumbbell)[1]) == 2
    after = download(volume)
    assert (after != ids).any() and (after[labels != 4] == ids[labels != 4]).all()
    past = cloudvolume.CloudVolume(f"precomputed://{server.url}/data/graph/at/{before.timestamp():.6f}", progress=False)
    assert (download(past) == ids).all()
    assert server.stop() == 0
