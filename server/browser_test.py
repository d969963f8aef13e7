"""Drives Neuroglancer, as `cleave serve` shows it at "/", in a real browser with mouse and keys.

Goal: people see neurons in 2-D and 3-D, merge and split them there, and see what came of it, also where one supervoxel is
cut in its voxels; operators see the same edits on their page and take them back.
Method: a project in which two neurites that touch, A and B, are one by mistake; a third, C, is another object. The real
128^3 cutout where it is there, else a generated one. Headless Chromium is moved and clicked as a hand would; what the
page shows is read from screenshots, whose colours at voxels well inside A, B and C are compared before and after each
edit, and waited for, never slept for. What it did is read from the server's own log of requests.

The program is $CLEAVE_PROGRAM, else build/release/cleave; the page is the one beside it, else that of build/release. With
$CLEAVE_SCREENSHOTS, a folder, what was seen is kept there.
"""

import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("CLEAVE_PROGRAM", ROOT / "build/release/cleave"))
DATA = pathlib.Path(os.environ.get("CLEAVE_DATA", ROOT.parent / "shared/data"))
REAL = DATA / "pinky40_neuropil_8x8x40_128x128x128_u32.npy.zst"
WEB = next((folder for folder in (PROGRAM.parent / "web", ROOT / "build/release/web")
            if (folder / "index.html").exists()), None)
BROWSER = shutil.which("chromium")

# With CI=true tools/run_python_test makes a failure of what is skipped here.
if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)
if WEB is None:
    pytest.skip("THE WEB PAGE IS NOT BUILT (npm or its registry was out of reach): nothing shows that it works",
                allow_module_level=True)
if BROWSER is None:
    pytest.skip("CHROMIUM IS MISSING (tools/setup --check installs it): nothing shows that the web page works",
                allow_module_level=True)
np = pytest.importorskip("numpy")
requests = pytest.importorskip("requests")
zstandard = pytest.importorskip("zstandard")
image = pytest.importorskip("PIL.Image")
playwright = pytest.importorskip("playwright.sync_api")

NM = np.array([8, 8, 40])
WAIT_SECONDS = 120  # for a condition; none takes so long, not even on a machine that is overloaded
WINDOW = {"width": 1280, "height": 720}
BROWSER_OPTIONS = [
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]
# Two colours of objects differ in some channel by more than this, the same colour by less: of 255.
SAME, DIFFERENT = 12, 24


def run(*arguments):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for(condition, what):
    """The condition's value once it is true."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"this never came true: {what}"
        time.sleep(0.05)


class Server:
    """`cleave serve` with its page. `token`: with which this test itself asks."""

    def __init__(self, project, log, *arguments, token=None):
        self.log = log
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        command = [str(PROGRAM), "serve", str(project), "--port", "0", "--json", "--quiet", "--request-log", str(log),
                   "--web-folder", str(WEB), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, "the server did not start"
        self.url = f"http://127.0.0.1:{json.loads(line)['port']}"
        self.table = self.url + "/segmentation/api/v1/table/graph/"
        self.own = self.url + "/cleave/api/v1/table/graph/"

    def ask(self, address, body=None):
        answer = requests.request("GET" if body is None else "POST", address, json=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def roots_at(self, voxels):
        """The supervoxel and the root at each voxel, as the server has them now."""
        rows = [[0, *map(float, (np.array(voxel) + 0.5) * NM)] for voxel in voxels]
        supervoxels = self.ask(self.table + "supervoxel_lookup", rows)
        return supervoxels, self.ask(self.table + "roots", {"node_ids": supervoxels})["root_ids"]

    def requests_of(self, end):
        """Lines of the request log whose route ends so."""
        lines = map(json.loads, self.log.read_text().splitlines())
        return [line for line in lines if line["route"].endswith(end)]

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0

    def operations(self):
        return self.ask(self.own + "operations")["operations"]

    def newest_operation(self):
        return self.operations()[0]


def inside(mask, z):
    """The voxel of the section that lies deepest inside of the mask, by erosion with a 3 x 3 square."""
    section = mask[:, :, z]
    last = section
    while section.any():
        last = section
        padded = np.pad(section, 1)
        section = np.logical_and.reduce(
            [padded[x : x + section.shape[0], y : y + section.shape[1]] for x in range(3) for y in range(3)]
        )
    candidates = np.argwhere(last)
    return (*map(int, candidates[len(candidates) // 2]), z)


def make_scene(folder):
    """A project in folder / "project", and voxels deep inside of A, B and C, all in one section."""
    if REAL.exists():
        path = folder / "labels.npy"
        path.write_bytes(zstandard.ZstdDecompressor().decompress(REAL.read_bytes(), 1 << 28))
    else:
        path = folder / "labels.npy"
        run("generate", "--out", path, "--size", "128,128,128", "--seed", "7")
    labels = np.load(path)
    pairs = json.loads(run("touching", path, "--resolution", "8,8,40", "--top", "1", "--voxels-min", "20000", "--json"))
    pair = pairs["pairs"][0]
    (a, b), z = map(int, pair["labels"]), pair["source"][2]
    ids, counts = np.unique(labels[:, :, z], return_counts=True)
    c = next(int(one) for one in ids[np.argsort(-counts)] if one not in (0, a, b))
    points = [inside(labels == one, z) for one in (a, b, c)]
    run("init", folder / "project", "--segmentation", path, "--resolution", "8,8,40", "--chunk-size", "128,128,64",
        "--fuse", f"{a},{b}")
    return {"labels": labels, "a": points[0], "b": points[1], "c": points[2], "ids": (a, b, c)}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    made = make_scene(folder)
    server = Server(folder / "project", folder / "requests.jsonl")
    yield made | {"server": server}
    server.stop()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, args=BROWSER_OPTIONS)
        yield opened
        opened.close()


class Viewer:
    """Neuroglancer on a page: eyes and a hand. `log_in` is called with the page where the server wants a token."""

    def __init__(self, browser, server, query, keep=None, log_in=None):
        self.keep = keep
        self.page = browser.new_page(**({} if log_in else {"viewport": WINDOW}))
        self.page.set_default_timeout(1000 * WAIT_SECONDS)
        self.problems = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.outside = []
        self.page.on("request", lambda asked: self.outside.append(asked.url)
                     if not asked.url.startswith((server.url, "blob:", "data:")) else None)
        self.page.goto(f"{server.url}/{query}")
        if log_in:
            log_in(self.page)
        self.wait("""() => window.viewer?.layerManager.managedLayers[0]?.layer?.graphConnection?.value !== undefined""")

    def wait(self, condition, argument=None):
        self.page.wait_for_function(condition, arg=argument, timeout=1000 * WAIT_SECONDS, polling=50)

    def group(self, expression):
        """A value of the layer's group of segments, g."""
        return self.page.evaluate(
            "() => { const g = window.viewer.layerManager.managedLayers[0].layer.displayState"
            f".segmentationGroupState.value; return {expression}; }}"
        )

    def visible(self):
        return {int(root) for root in self.group("[...g.visibleSegments].map(String)")}

    def wait_visible(self, roots):
        wait_for(lambda: self.visible() == set(roots), f"exactly {roots} are shown, not {self.visible()}")

    def panel(self, number):
        """The rectangle of the slice view (0) or the 3-D view (1), anew: side panels move them."""
        return self.page.locator(".neuroglancer-rendered-data-panel").nth(number).bounding_box()

    def place_of(self, voxel):
        """Where the middle of a voxel of the shown section is on the page."""
        position, scale = self.page.evaluate(
            "() => [[...window.viewer.position.value], window.viewer.crossSectionScale.value]"
        )
        assert int(position[2]) == voxel[2]
        box = self.panel(0)
        return tuple(
            box[side] + box[size] / 2 + (voxel[axis] + 0.5 - position[axis]) / scale
            for axis, (side, size) in enumerate([("x", "width"), ("y", "height")])
        )

    def rest(self):
        """Takes the mouse off all panels, so that nothing is lit up by it."""
        self.page.mouse.move(WINDOW["width"] / 2, 2)

    def screenshot(self):
        return np.asarray(image.open(io.BytesIO(self.page.screenshot())).convert("RGB")).astype(int)

    def colours(self, voxels):
        """The colour of each voxel on the screen: the median of 5 x 5 pixels."""
        places = [self.place_of(voxel) for voxel in voxels]
        pixels = self.screenshot()
        return [
            np.median(pixels[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].reshape(-1, 3), axis=0)
            for x, y in places
        ]

    def wait_colours(self, groups, what):
        """Until voxels of one group have one colour, and those of two groups have two, none of them grey, as background is."""
        self.rest()
        seen = []

        def is_so():
            voxels = [voxel for group in groups for voxel in group]
            number = [i for i, group in enumerate(groups) for _ in group]
            seen[:] = colours = self.colours(voxels)
            return all(colour.max() - colour.min() > DIFFERENT for colour in colours) and all(
                np.abs(colours[i] - colours[j]).max() < SAME
                if number[i] == number[j]
                else np.abs(colours[i] - colours[j]).max() > DIFFERENT
                for i in range(len(voxels))
                for j in range(i)
            )

        try:
            wait_for(is_so, what)
        finally:
            self.page.screenshot(path=self.keep / f"{re.sub('[^a-z0-9]+', '-', what.lower())}.png")
        return [list(map(int, colour)) for colour in seen]

    def pick(self, x, y):
        """What lies under the mouse there: the root, and the point in voxels; None where there is nothing."""
        self.page.mouse.move(x, y)
        return self.page.evaluate("""() => {
            const { mouseState, layerManager } = window.viewer;
            const { segmentSelectionState: under } = layerManager.managedLayers[0].layer.displayState;
            return mouseState.updateUnconditionally() && under.value !== undefined
                ? { root: String(under.value), position: [...mouseState.position] } : null; }""")

    def mark(self, x, y, root):
        """Ctrl+click, once Neuroglancer has seen that the mouse is over this root."""
        wait_for(lambda: (self.pick(x, y) or {}).get("root") == str(root), f"root {root} is under the mouse at {x}, {y}")
        self.page.keyboard.down("Control")
        self.page.mouse.click(x, y)
        self.page.keyboard.up("Control")

    def mark_voxel(self, voxel, root):
        self.mark(*self.place_of(voxel), root)

    def start_tool(self, key, title):
        self.rest()
        self.page.keyboard.press(f"Shift+{key}")
        self.tool(title).wait_for()

    def leave_tool(self, key, title):
        self.rest()
        self.page.keyboard.press(f"Shift+{key}")
        self.tool(title).wait_for(state="detached")

    def tool(self, title):
        return self.page.locator(".neuroglancer-tool-status-header").get_by_text(title, exact=True)

    def marked(self, count):
        self.wait("""count => { const { multicutState } =
            window.viewer.layerManager.managedLayers[0].layer.graphConnection.value.state;
            return multicutState.sinks.size + multicutState.sources.size === count; }""", count)


@pytest.fixture(scope="module")
def viewer(scene, browser, tmp_path_factory):
    keep = pathlib.Path(os.environ.get("CLEAVE_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    keep.mkdir(parents=True, exist_ok=True)
    _, (fused, _, other) = scene["server"].roots_at([scene["a"], scene["b"], scene["c"]])
    z = scene["a"][2]
    opened = Viewer(browser, scene["server"], f"?segments={fused},{other}&position=64,64,{z}", keep)
    opened.page.evaluate("() => { window.viewer.showAxisLines.value = false; }")
    yield opened
    opened.page.close()


def test_the_page_shows_objects_in_2d_and_3d(scene, viewer):
    server = scene["server"]
    supervoxels, (fused, also_fused, other) = server.roots_at([scene["a"], scene["b"], scene["c"]])
    assert fused == also_fused != other
    sources = viewer.page.evaluate("""() => window.viewer.layerManager.managedLayers[0].layer.dataSources[0].loadState
        .subsources.map(({ subsourceEntry, enabled }) => [subsourceEntry.id, enabled])""")
    assert {"default", "graph", "mesh"} <= {name for name, enabled in sources if enabled}
    viewer.wait("""pairs => { const g = window.viewer.layerManager.managedLayers[0].layer.displayState
        .segmentationGroupState.value;
        return pairs.every(([id, root]) => String(g.segmentEquivalences.get(BigInt(id))) === root); }""",
                [[str(id), str(root)] for id, root in zip(supervoxels, (fused, fused, other))])
    viewer.wait_colours([[scene["a"], scene["b"]], [scene["c"]]], "1 shown in 2-D")
    place = viewer.place_of(scene["c"])
    under = wait_for(lambda: viewer.pick(*place), "something is under the mouse")
    assert np.abs(np.array(under["position"]) - scene["c"] - 0.5).max() < 1, "the mouse is where the test believes it"
    wait_for(lambda: viewer.pick(*place)["root"] == str(other), "C is under the mouse")

    # 3-D: both meshes cover a good part of the panel, in the colours that they have in the section.
    def shown_in_3d():
        box = viewer.panel(1)
        pixels = viewer.screenshot()[int(box["y"]) + 30 : int(box["y"] + box["height"]) - 30,
                                     int(box["x"]) + 30 : int(box["x"] + box["width"]) - 30]
        return (pixels.max(axis=2) - pixels.min(axis=2) > DIFFERENT).mean() > 0.05

    wait_for(shown_in_3d, "meshes are seen in the 3-D view")
    assert server.requests_of("/dynamic/{}") and all(line["code"] == 200 for line in server.requests_of("/dynamic/{}"))


def test_a_merge_by_mouse_and_keys(scene, viewer):
    server = scene["server"]
    _, (fused, _, other) = server.roots_at([scene["a"], scene["b"], scene["c"]])
    viewer.start_tool("M", "Merge segments")
    viewer.mark_voxel(scene["a"], fused)
    viewer.mark_voxel(scene["c"], other)
    viewer.wait("""() => window.viewer.layerManager.managedLayers[0].layer.graphConnection.value.state.mergeState
        .merges.value.some(({ source }) => source !== undefined)""")
    viewer.page.keyboard.press("Enter")
    wait_for(lambda: len(set(server.roots_at([scene["a"], scene["b"], scene["c"]])[1])) == 1, "the three are one")
    viewer.wait_visible(server.roots_at([scene["a"]])[1])
    viewer.leave_tool("M", "Merge segments")
    viewer.wait_colours([[scene["a"], scene["b"], scene["c"]]], "2 merged")
    assert [line["code"] for line in server.requests_of("/merge")] == [200]
    assert server.newest_operation()["kind"] == "merge"


def test_a_split_by_mouse_and_keys(scene, viewer):
    server = scene["server"]
    root = server.roots_at([scene["a"]])[1][0]
    viewer.start_tool("C", "Multicut segments")
    viewer.mark_voxel(scene["c"], root)
    viewer.marked(1)
    viewer.page.keyboard.press("g")
    viewer.mark_voxel(scene["a"], root)
    viewer.marked(2)
    viewer.page.keyboard.press("Enter")
    wait_for(lambda: len(set(server.roots_at([scene["a"], scene["c"]])[1])) == 2, "C is apart again")
    viewer.wait_visible(server.roots_at([scene["a"], scene["c"]])[1])
    viewer.wait_colours([[scene["a"], scene["b"]], [scene["c"]]], "3 split")
    operation = server.newest_operation()
    assert (operation["kind"], operation["cut_voxels"]) == ("split", False)


def places_on(viewer, root):
    """Places of the 3-D view at which a mesh of this root lies under the mouse, those in the middle first."""
    viewer.rest()
    box = viewer.panel(1)
    pixels = viewer.screenshot()
    coloured = pixels.max(axis=2) - pixels.min(axis=2) > DIFFERENT
    coloured[:, : int(box["x"])] = False
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    step = 28
    places = [(x, y) for x in range(int(box["x"]) + step, int(box["x"] + box["width"]) - step, step)
              for y in range(int(box["y"]) + step, int(box["y"] + box["height"]) - step, step)
              if coloured[y - 4 : y + 5, x - 4 : x + 5].all()]
    for x, y in sorted(places, key=lambda place: np.linalg.norm(place - middle)):
        under = viewer.pick(x, y)
        if under is not None and under["root"] == str(root):
            yield x, y, under["position"]


def points_in_3d(scene, viewer):
    """The root of A and B, and two places in the 3-D view on each, whose nearest voxels are of the same supervoxel."""
    server, labels, (a, b, _) = scene["server"], scene["labels"], scene["ids"]
    root = server.roots_at([scene["a"]])[1][0]
    seen = []  # neurite, how far from the voxel deep inside of it in nm, voxel, place
    for x, y, position in places_on(viewer, root):
        middle = np.floor(position).astype(int)
        low, high = np.maximum(middle - 2, 0), np.minimum(middle + 3, labels.shape)
        around = labels[tuple(slice(*ends) for ends in zip(low, high))]
        near = {one: np.argwhere(around == one) for one in (a, b)}
        if (near[a].size > 0) == (near[b].size > 0):
            continue  # neither, or at the contact
        name, one = ("a", a) if near[a].size > 0 else ("b", b)
        distance_nm = np.linalg.norm((position - np.array(scene[name])) * NM)
        seen.append((name, distance_nm, low + near[one][len(near[one]) // 2], (x, y)))
    supervoxels = server.roots_at([voxel for _, _, voxel, _ in seen])[0]
    for supervoxel in sorted(set(supervoxels), key=supervoxels.count, reverse=True):
        sides = {name: sorted((distance_nm, place) for (side, distance_nm, _, place), of in zip(seen, supervoxels)
                              if side == name and of == supervoxel) for name in "ab"}
        if len(sides["a"]) >= 2 and len(sides["b"]) >= 2:
            return root, [place for _, place in sides["a"][:2]], [place for _, place in sides["b"][:2]]
    raise AssertionError(f"no two places on each side of one supervoxel: {seen}")


def test_a_supervoxel_is_cut_by_points_in_3d(scene, viewer):
    server = scene["server"]
    before = server.roots_at([scene["a"], scene["b"]])[0]
    root, on_a, on_b = points_in_3d(scene, viewer)
    viewer.start_tool("C", "Multicut segments")
    for count, place in enumerate([*on_a, *on_b]):
        if place == on_b[0]:
            viewer.page.keyboard.press("g")
        viewer.mark(*place, root)
        viewer.marked(count + 1)
    viewer.page.keyboard.press("Enter")
    wait_for(lambda: len(set(server.roots_at([scene["a"], scene["b"]])[1])) == 2, "A and B are two")
    roots = server.roots_at([scene["a"], scene["b"], scene["c"]])[1]
    viewer.wait_visible(roots)
    # Without a reload: the page reads cut voxels again.
    viewer.wait_colours([[scene["a"]], [scene["b"]], [scene["c"]]], "4 supervoxel cut")
    operation = server.newest_operation()
    assert (operation["kind"], operation["cut_voxels"]) == ("split", True)
    assert server.roots_at([scene["a"], scene["b"]])[0] != before
    assert all(line["code"] == 200 for line in server.requests_of("/split"))


def test_an_impossible_split_says_why(scene, viewer):
    server = scene["server"]
    root = server.roots_at([scene["c"]])[1][0]
    count = len(server.requests_of("/split"))
    viewer.start_tool("C", "Multicut segments")
    # Both points on one voxel: in 3-D, where Neuroglancer does not look at supervoxels.
    *place, _ = next(places_on(viewer, root))
    viewer.mark(*place, root)
    viewer.marked(1)
    viewer.page.keyboard.press("g")
    viewer.mark(*place, root)
    viewer.marked(2)
    viewer.page.keyboard.press("Enter")
    viewer.page.get_by_text(re.compile("Split failed: ")).wait_for()
    assert [line["code"] for line in server.requests_of("/split")[count:]] == [400]
    viewer.page.get_by_title("Clear multicut").click()
    viewer.leave_tool("C", "Multicut segments")
    assert server.roots_at([scene["c"]])[1] == [root], "nothing was changed"


def test_operators_see_the_edits_and_take_them_back(scene, viewer, browser):
    server = scene["server"]
    page = browser.new_page(viewport=WINDOW)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(server.url + "/operator")
    page.locator("body[data-ready]").wait_for()
    rows = page.locator("#operations tbody tr").filter(has_text="success")
    assert [rows.nth(i).locator("td").nth(2).text_content() for i in range(3)] == ["split", "split", "merge"]
    page.locator("#mine").check()
    wait_for(lambda: rows.count() == 3, "all of them are of the user that asks")
    cut = next(one["operation_id"] for one in server.operations() if one["cut_voxels"])
    assert rows.nth(0).locator("td").nth(0).text_content() == cut
    rows.nth(0).get_by_role("button", name="Undo").click()
    page.locator("#done").get_by_text(f"Undo operation {cut}").wait_for()
    undone = page.locator("#operations tbody tr").filter(has_text=f"undone by {server.newest_operation()['operation_id']}")
    undone.get_by_role("button", name="Redo").wait_for()
    assert undone.count() == 1
    # The other page, which did not ask for it, shows it all the same.
    roots = server.roots_at([scene["a"], scene["b"], scene["c"]])[1]
    assert roots[0] == roots[1]
    viewer.page.bring_to_front()
    viewer.wait_visible(roots)
    viewer.wait_colours([[scene["a"], scene["b"]], [scene["c"]]], "5 undone by the operator")

    page.bring_to_front()
    page.locator("#protected input[name=root_id]").fill(str(roots[2]))
    page.locator("#protected input[name=note]").fill("finished")
    page.get_by_role("button", name="Protect", exact=True).click()
    page.locator("#protected tbody tr").filter(has_text=str(roots[2])).get_by_text("finished").wait_for()
    refused = requests.post(server.table + "merge", json=[[0, *map(float, (np.array(scene[one]) + 0.5) * NM)]
                                                          for one in "ac"])
    assert refused.status_code == 400 and "protected" in refused.json()["message"]
    page.get_by_role("button", name="Unprotect").click()
    page.get_by_text("no object is protected").wait_for()
    assert page.locator("#stuck").get_by_text("nothing is stuck").is_visible()
    assert page.locator("#locks").get_by_text("nothing is locked").is_visible()
    edits = page.locator("#throughput tbody tr").filter(has_text="edits")
    wait_for(lambda: int(edits.locator("td").nth(1).text_content()) >= 5, "the edits are counted")
    page.screenshot(path=viewer.keep / "operator.png", full_page=True)
    page.close()


def test_nothing_went_wrong_and_nothing_came_from_elsewhere(viewer):
    refused = [problem for problem in viewer.problems if "Split failed" in problem]
    assert len(refused) == 1 and viewer.problems == refused, "the split that had to be refused, and nothing else"
    assert viewer.outside == []


def test_a_first_visit_shows_the_largest_objects(scene, browser, viewer):
    fresh = Viewer(browser, scene["server"], "", viewer.keep)
    wait_for(lambda: len(fresh.visible()) >= 3, "objects are selected")
    _, roots = scene["server"].roots_at([scene["a"]])
    assert set(roots) <= fresh.visible()
    assert "graphene://" in json.dumps(fresh.page.evaluate("() => window.viewer.state.toJSON()"))
    fresh.page.close()
