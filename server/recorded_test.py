"""Asks `cleave serve` what the field's clients ask PyChunkedGraph, and lays the answers side by side.

Goal: our answers have the shape of PyChunkedGraph's: code, content type, headers, every member of the JSON and its type.
Where one is meant to be another, that is written down with the reason, and nothing else is another.
Method: server/recorded/*.json, in the order of their names, hold requests and the shapes of PyChunkedGraph's answers
(version 3.1.7), each with the clients that ask so and the section of the client contract that it is from. They are sent to
a real server on a generated sample; what an answer has in another way than recorded must be exactly the list `differs`.

A shape is the name of a type below, or, for what has parts:

  {"member": SHAPE, "member?": SHAPE}   exactly these members; those with a question mark may be missing
  {"<TYPE>": SHAPE}                     one member or more, whose names are of that type
  {"any keys": SHAPE}                   any number of members
  [SHAPE]                               a list of one or more
  {"any number of": SHAPE}              a list
  {"exactly": [SHAPE, ...]}             a list of these
  {"literal": VALUE}, {"like": REGEX}   this value; a text like this
  {"text of JSON": SHAPE}               a text that itself is JSON

In requests and shapes {name} is a value of the sample, or one that a former answer gave (`keep`); so is a text that is
nothing else, with its type. In `differs`, `at` is a place as "body.graph.kvstore", with * for any member or number.
"""

import fnmatch
import gzip
import json
import os
import pathlib
import re
import struct
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("CLEAVE_PROGRAM", ROOT / "build/release/cleave"))
if not PROGRAM.exists():
    pytest.skip(f"{PROGRAM} is not built", allow_module_level=True)
np = pytest.importorskip("numpy")
requests = pytest.importorskip("requests")

RECORDED = [(file.stem, record) for file in sorted((ROOT / "server/recorded").glob("*.json"))
            for record in json.loads(file.read_text())]
RESOLUTION = (8, 8, 40)
RUN_OF_MANY = 2000

ERROR = {"timestamp": "time as text", "duration": "number", "code": "integer", "message": "text"}
NAMED_BODIES = {"an error": ERROR, "an error with its traceback": ERROR | {"traceback": ["text"]}}


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value):
    return is_integer(value) or isinstance(value, float)


def is_text_like(pattern):
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def is_triple_of(fits):
    return lambda value: isinstance(value, list) and len(value) == 3 and all(map(fits, value))


TYPES = {
    "integer": is_integer,
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
    "decimal text": is_text_like("[0-9]+"),
    "time as text": is_text_like(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00"),
    "integer triple": is_triple_of(is_integer),
    "number triple": is_triple_of(is_number),
    "list": lambda value: isinstance(value, list),
    "empty list": lambda value: value == [],
    "object": lambda value: isinstance(value, dict),
    "anything": lambda value: True,
}
ABSENT = object()


def differences(shape, value, at):
    """(place, what is recorded, what is there), for each that differs."""
    if value is ABSENT or (isinstance(shape, str) and not TYPES[shape](value)):
        yield at, named(shape), value
    elif isinstance(shape, list):
        yield from differences_of_list(shape[0], value, at, 1)
    elif isinstance(shape, dict):
        yield from differences_of_object(shape, value, at)


def differences_of_list(shape, value, at, least):
    if not isinstance(value, list) or len(value) < least:
        yield at, "list", value
        return
    for i, element in enumerate(value):
        yield from differences(shape, element, f"{at}.{i}")


def differences_of_object(shape, value, at):
    (first, inner), *others = shape.items() if shape else [("", None)]
    if first == "literal":
        if json.dumps(value, sort_keys=True) != json.dumps(inner, sort_keys=True):
            yield at, inner, value
    elif first == "like":
        if not is_text_like(inner)(value):
            yield at, f"like {inner}", value
    elif first == "any number of":
        yield from differences_of_list(inner, value, at, 0)
    elif first == "exactly":
        if not isinstance(value, list) or len(value) != len(inner):
            yield at, f"list of {len(inner)}", value
        else:
            for i, (one, element) in enumerate(zip(inner, value)):
                yield from differences(one, element, f"{at}.{i}")
    elif first == "text of JSON":
        yield from differences(inner, json.loads(value), at)
    elif not isinstance(value, dict):
        yield at, "object", value
    elif first == "any keys" or first.startswith("<"):
        if first != "any keys" and (others or not value or not all(map(TYPES[first[1:-1]], value))):
            yield at, f"members named by {first}", value
        for name, member in value.items():
            yield from differences(inner, member, f"{at}.{name}")
    else:
        yield from differences_of_members(shape, value, at)


def differences_of_members(shape, value, at):
    for name, inner in shape.items():
        member = value.get(name.removesuffix("?"), ABSENT)
        if member is not ABSENT or not name.endswith("?"):
            yield from differences(inner, member, f"{at}.{name.removesuffix('?')}")
    for name in value.keys() - {name.removesuffix("?") for name in shape}:
        yield f"{at}.{name}", "absent", value[name]


def named(shape):
    """A shape as `recorded` of a difference names it."""
    return shape if isinstance(shape, str) else "list" if isinstance(shape, list) or "exactly" in shape else "object"


def fits(shape, value):
    """Whether this is what `ours` of a difference says."""
    if shape == "absent" or value is ABSENT:
        return shape == "absent" and value is ABSENT
    if shape in NAMED_BODIES:
        return not list(differences(NAMED_BODIES[shape], value, ""))
    return TYPES[shape](value) if shape in TYPES else value == shape


def filled(template, values):
    if isinstance(template, dict):
        return {str(filled(name, values)): filled(member, values) for name, member in template.items()}
    if isinstance(template, list):
        return [filled(element, values) for element in template]
    if not isinstance(template, str):
        return template
    if template.startswith("{") and template.endswith(" as text}"):
        return str(values[template[1:-9]])
    if template.startswith("{") and template[1:-1] in values:
        return values[template[1:-1]]
    return re.sub(r"\{([a-z_0-9A-Z]+)\}", lambda found: str(values[found[1]]), template)


def run(*arguments):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def choose_objects(labels):
    """A and B, which touch and are made one by mistake; C and D, which are others. A point deep inside of each."""
    pairs = json.loads(run("touching", labels, "--resolution", "8,8,40", "--top", "50", "--voxels-min", "1000", "--json"))
    first, *others = pairs["pairs"]
    points = {first["labels"][0]: first["source"], first["labels"][1]: first["sink"]}
    for pair in others:
        points |= {label: pair[end] for label, end in zip(pair["labels"], ("source", "sink")) if label not in points}
    assert len(points) >= 4
    return dict(zip("abcd", points.items()))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """What the requests need to know of the server and its graph."""
    folder = tmp_path_factory.mktemp("recorded")
    run("generate", "--out", folder / "labels.npy", "--size", "96,96,64", "--seed", "7")
    objects = choose_objects(folder / "labels.npy")
    run("init", folder / "project", "--segmentation", folder / "labels.npy", "--resolution", "8,8,40", "--chunk-size",
        "32,32,32", "--fuse", ",".join(objects[name][0] for name in "ab"))
    command = [str(PROGRAM), "serve", str(folder / "project"), "--port", "0", "--json", "--quiet"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield describe(f"http://127.0.0.1:{json.loads(server.stdout.readline())['port']}", objects)
    finally:
        server.terminate()
        assert server.wait(60) == 0


def describe(url, objects):
    table = url + "/segmentation/api/v1/table/graph"
    values = {"url": url, "graph": "graph", "S": "/segmentation/api/v1/table/graph", "M": "/meshing/api/v1/table/graph",
              "start": time.time() - 3600, "now": time.time(), "bounds": "0-96_0-96_0-64",
              "unknown_supervoxel": (1 << 56) + 99_999}  # fmt: skip
    for name, (_, voxel) in objects.items():
        point = [(v + 0.5) * size for v, size in zip(voxel, RESOLUTION)]
        supervoxel = requests.post(table + "/supervoxel_lookup", json=[[0, *point]]).json()[0]
        root = requests.get(f"{table}/node/{supervoxel}/root").json()["root_id"]
        values |= {f"supervoxel_{name}": supervoxel, f"row {name}": [supervoxel, *point], f"root row {name}": [root, *point],
                   f"text row {name}": [str(supervoxel), *point]}  # fmt: skip
    l2_node = requests.get(f"{table}/node/{values['supervoxel_a']}/root?stop_layer=2").json()["root_id"]
    layout = requests.get(url + "/segmentation/table/graph/info").json()
    segment_bits = 56 - 3 * layout["graph"]["spatial_bit_masks"]["2"]
    scale = layout["scales"][0]
    return values | {"chunk_a": l2_node >> segment_bits << segment_bits, "voxel_file": f"{scale['key']}/0-32_0-32_0-32"}


def send(request, values):
    body = None
    if "run" in request:
        ids = filled(request["run"], values)
        body = struct.pack(f"<{len(ids)}Q", *ids)
    elif "many" in request:
        body = struct.pack("<Q", filled(request["many"], values)) * RUN_OF_MANY
    elif "body" in request:
        body = json.dumps(filled(request["body"], values)).encode()
    headers = dict(request.get("headers", {}))
    if request.get("compressed"):
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    if "content type" in request:
        headers["Content-Type"] = request["content type"]
    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"
    return session.request(request["method"], values["url"] + filled(request["path"], values), data=body, headers=headers,
                           allow_redirects=False)  # fmt: skip


def differences_of_headers(answer, recorded):
    kind = answer.headers.get("Content-Type", "absent")
    if "type" in recorded and kind.split(";")[0] != recorded["type"]:
        yield "type", recorded["type"], kind
    if recorded.get("type") == "application/json" and kind.startswith("application/json;"):
        yield "type", "application/json, exactly", kind  # Neuroglancer compares the whole text
    for name, wanted in (recorded.get("headers", {}) | {"Access-Control-Allow-Origin": "*"}).items():
        value = answer.headers.get(name)
        if not (value is None if wanted is None else value is not None and fnmatch.fnmatchcase(value, wanted)):
            yield f"headers.{name}", wanted, value


def differences_of_body(answer, shape, values):
    if shape == "nothing":
        same = answer.content == b""
    elif shape == "plain text":
        same = answer.headers["Content-Type"].startswith("text/plain") and answer.text != ""
    elif isinstance(shape, str) and shape.startswith("lines under "):
        first, *lines = answer.text.splitlines()
        same = first == shape.removeprefix("lines under ") and len(lines) > 0 and all("," in line for line in lines)
    elif isinstance(shape, str) and (count := re.fullmatch("a run of ([0-9]*) ?ids", shape)):
        same = len(answer.content) == 8 * int(count[1]) if count[1] else answer.content and len(answer.content) % 16 == 0
    elif isinstance(shape, str) and (count := re.fullmatch("([0-9]+) bytes", shape)):
        same = len(answer.content) == int(count[1])
    elif shape == "a Python pickle":
        same = answer.content[:1] == b"\x80"
    else:
        shape = NAMED_BODIES.get(shape, shape) if isinstance(shape, str) else shape
        # With another code it is another answer: where that is meant, it is compared as a whole.
        yield from differences(filled(shape, values), json.loads(answer.content), "body")
        return
    if not same:
        yield "body", shape, json.loads(answer.content) if answer.headers["Content-Type"] == "application/json" else answer.content


def recorded_differences(answer, recorded, values):
    if answer.status_code != recorded["code"]:
        yield "code", recorded["code"], answer.status_code
    yield from differences_of_headers(answer, recorded)
    if "body" in recorded:
        yield from differences_of_body(answer, recorded["body"], values)


def settle(found, meant):
    """Takes those that are meant out of `found`; returns those of `meant` that are not there."""
    missing = []
    for one in meant:
        places = [at for at in found if fnmatch.fnmatchcase(at, one["at"])]
        if one["at"] == "body":  # all of it
            places = [at for at in found if at.split(".")[0] == "body"]
            fitting = bool(places) and fits(one["ours"], found["whole body"])
        else:
            fitting = bool(places) and all(found[at][0] == one["recorded"] and fits(one["ours"], found[at][1])
                                           for at in places)  # fmt: skip
        if fitting:
            for at in places:
                del found[at]
        else:
            missing.append(one)
    return missing


@pytest.mark.parametrize("record", [record for _, record in RECORDED],
                         ids=[f"{file}: {record['what']}" for file, record in RECORDED])
def test_an_answer_has_the_shape_of_pychunkedgraphs(sample, record):
    answer = send(record["request"], sample)
    found = {at: (recorded, value) for at, recorded, value in recorded_differences(answer, record["answer"], sample)}
    if any(one["at"] == "body" for one in record.get("differs", [])):
        found["whole body"] = json.loads(answer.content)
    meant = [one | {"at": filled(one["at"], sample)} for one in record.get("differs", [])]
    missing = settle(found, meant)
    found.pop("whole body", None)
    assert not found, f"{answer.status_code} {answer.headers} {answer.text[:600]}"
    assert not missing, "a difference is written down that is none"
    for name, place in record.get("keep", {}).items():
        value = answer.json()
        for part in place.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        sample[name] = value
        sample[name.removesuffix("_text")] = int(value)
    if record["what"].startswith("a merge by an administrator"):
        sample["root_b"] = answer.json()["new_root_ids"][0]


def test_every_record_says_where_it_is_from_and_why_it_differs():
    assert len({record["what"] for _, record in RECORDED}) == len(RECORDED) > 80
    for _, record in RECORDED:
        assert record["section"] and {"code"} <= record["answer"].keys()
        assert all(len(one["why"]) > 10 and one["recorded"] != one["ours"] for one in record.get("differs", []))


def test_every_route_of_pychunkedgraph_is_recorded():
    """Those of the table in docs/server.md, but for what is Cleave's own, and for second names of one answer."""
    asked = {(record["request"]["method"], re.sub(r"\{[a-z_0-9]+\}", "{}", record["request"]["path"].split("?")[0]))
             for _, record in RECORDED}  # fmt: skip
    lines = [line for line in (ROOT / "docs/server.md").read_text().splitlines() if line.startswith(("| `GET ", "| `POST "))]
    assert len(lines) > 50
    for line in lines:
        routes = re.findall(r"`(GET|POST) ([SM]/[^`]*)`", line.split(" | ")[0])
        names = [(method, re.sub("^([SM])", r"{\1}", path)) for method, path in routes]
        if names and "Cleave's own:" not in line:
            assert asked & {(method, path + end) for method, path in names for end in ("", ":0")}, line


def test_a_shape_that_does_not_fit_is_found():
    shape = {"ids": ["integer"], "more?": "text", "pair": {"exactly": ["decimal text", {"literal": 3}]}}
    good = {"ids": [1, 2], "pair": ["7", 3]}
    assert list(differences(shape, good, "body")) == []
    for wrong, at in (({"ids": []}, "body.ids"), ({"ids": [1.0]}, "body.ids.0"), ({"ids": [True]}, "body.ids.0"),
                      ({"more": 5}, "body.more"), ({"other": 5}, "body.other"), ({"pair": ["x", 3]}, "body.pair.0"),
                      ({"pair": ["7", 3.0]}, "body.pair.1"), ({"pair": ["7"]}, "body.pair")):  # fmt: skip
        assert [place for place, _, _ in differences(shape, good | wrong, "body")] == [at]
    assert [place for place, _, _ in differences(shape, {"ids": [1]}, "body")] == ["body.pair"]
