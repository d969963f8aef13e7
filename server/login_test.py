"""Logs in to the pages of a server that wants a token, in a real browser, as users do.

Goal: without a token nothing is shown but a form; a wrong one is told from a right one; a right one shows the neurons and
allows what its right allows, in Neuroglancer and on the operator's page; and no token ever stands in an address, a cookie
or a log. With an auth server, its own window gives the token, and Neuroglancer brings it by its middleauth+ where there
is TLS.
Method: the project of browser_test.py, served with a list of tokens, then with an auth server of a few lines, once as it
is and once behind a proxy that does TLS with a certificate of its own.
"""

import http.server
import json
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading
import types
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from browser_test import WINDOW, Server, Viewer, browser, make_scene, wait_for  # noqa: E402, F401

TOKENS = {"view": "v1ew" * 6, "edit": "ed1t" * 6, "admin": "adm1n" * 5}
WRONG = "wr0ng" * 5


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("login")
    return make_scene(folder) | {"folder": folder}


@pytest.fixture
def tab(browser):  # noqa: F811
    """Pages that share nothing with those of other tests, and all addresses that they asked for."""
    context = browser.new_context(viewport=WINDOW, ignore_https_errors=True)
    context.asked = []
    context.on("request", lambda request: context.asked.append(request.url))
    yield context
    context.close()


@pytest.fixture
def serve(scene, tmp_path):
    """Starts a server of the project; it is stopped after the test."""
    started = []

    def start(*arguments, token):
        started.append(Server(scene["folder"] / "project", tmp_path / "requests.jsonl", *arguments, token=token))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def form_of(page):
    form = page.locator("dialog.login")
    form.wait_for()
    return form


def enter(page, token):
    form = form_of(page)
    form.get_by_label("Token").fill(token)
    form.get_by_role("button", name="Enter").click()


def merge_by_hand(scene, viewer, roots):
    viewer.start_tool("M", "Merge segments")
    viewer.mark_voxel(scene["a"], roots[0])
    viewer.mark_voxel(scene["c"], roots[1])
    viewer.wait("""() => window.viewer.layerManager.managedLayers[0].layer.graphConnection.value.state.mergeState
        .merges.value.some(({ source }) => source !== undefined)""")
    viewer.page.keyboard.press("Enter")


def expect_no_trace(context, server, tokens):
    """Of any token, where others could read it."""
    log = server.log.read_text()
    assert log.count("\n") > 10 and len(context.asked) > 10
    for token in tokens:
        assert not [url for url in context.asked if token in url] and token not in log
    assert context.cookies() == []


def test_a_form_asks_for_a_token_and_its_right_decides(scene, tab, serve, tmp_path):
    (tmp_path / "tokens").write_text("".join(f"{token} {right} {right} user\n" for right, token in TOKENS.items()))
    server = serve("--tokens", tmp_path / "tokens", token=TOKENS["admin"])
    _, roots = server.roots_at([scene["a"], scene["c"]])
    page_of = f"?segments={roots[0]},{roots[1]}&position=64,64,{scene['a'][2]}"

    def wrong_then(token):
        def log_in(page):
            form = form_of(page)
            assert "wants a token" in form.text_content() and page.evaluate("() => window.viewer === undefined")
            enter(page, WRONG)
            page.get_by_text("The token was not accepted: [401]: the token is not known here").wait_for()
            assert page.evaluate("() => window.viewer === undefined"), "nothing is shown yet"
            enter(page, token)

        return log_in

    # Who may view sees neurons, and is told why an edit of his was refused.
    viewer = Viewer(tab, server, page_of, tmp_path, wrong_then(TOKENS["view"]))
    viewer.wait_colours([[scene["a"]], [scene["c"]]], "shown to view user")
    assert viewer.page.locator("#user").text_content() == "as view user"
    merge_by_hand(scene, viewer, roots)
    viewer.page.get_by_text(re.compile("needs the right 'edit'")).first.wait_for()
    assert {line["code"] for line in server.requests_of("/merge")} == {403}
    assert server.roots_at([scene["a"], scene["c"]])[1] == roots, "nothing was changed"

    # The tab keeps the token over a reload, and the other page has it, too.
    viewer.page.goto(server.url + "/operator")
    viewer.page.locator("body[data-ready]").wait_for()
    assert viewer.page.locator("#user").text_content() == "as view user"
    kept = viewer.page.evaluate("() => [{ ...localStorage }, { ...sessionStorage }, document.cookie]")
    assert TOKENS["view"] in json.dumps(kept[1]) and TOKENS["view"] not in json.dumps([kept[0], kept[2]])
    viewer.page.get_by_role("button", name="Log out").click()
    form_of(viewer.page)
    viewer.page.close()

    # Who may edit does the same, and it is done.
    viewer = Viewer(tab, server, page_of, tmp_path, wrong_then(TOKENS["edit"]))
    viewer.wait_colours([[scene["a"]], [scene["c"]]], "shown to edit user")
    merge_by_hand(scene, viewer, roots)
    wait_for(lambda: len(set(server.roots_at([scene["a"], scene["c"]])[1])) == 1, "both are one")
    viewer.wait_colours([[scene["a"], scene["c"]]], "merged by edit user")
    assert server.newest_operation()["user"] == "edit user"
    assert "Bearer" not in viewer.page.url

    # The operator's page asks once, though it asks for many things at once.
    page = tab.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(server.url + "/operator")
    enter(page, TOKENS["edit"])
    page.locator("body[data-ready]").wait_for()
    assert page.locator("dialog.login").count() == 0
    page.locator("#operations").get_by_role("button", name="Undo").first.click()
    page.locator("#done").get_by_text("Undo operation").wait_for()
    assert len(set(server.roots_at([scene["a"], scene["c"]])[1])) == 2
    expect_no_trace(tab, server, [*TOKENS.values(), WRONG])


class AuthServer(http.server.BaseHTTPRequestHandler):
    """An auth server that logs everybody in as Ann, without asking."""

    TOKEN = "ann" * 8
    apps = ()

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        if path == "/auth/api/v1/authorize":
            told = json.dumps({"token": self.TOKEN, "app_urls": list(type(self).apps)})
            self.answer(200, "text/html", f"<script>opener.postMessage({told}, '*')</script>")
        elif path == "/auth/api/v1/user/cache" and self.headers["Authorization"] == f"Bearer {self.TOKEN}":
            user = {"id": 7, "email": "ann@a.org", "admin": False, "permissions_v2": {"graph": ["view", "edit"]}}
            self.answer(200, "application/json", json.dumps(user))
        else:
            self.answer(401, "text/plain", "")

    def answer(self, code, content_type, body):
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def auth():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), AuthServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield types.SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/auth", host=f"127.0.0.1:{server.server_port}")
        server.shutdown()


class TlsProxy:
    """Ends TLS in front of a server on this machine."""

    def __init__(self, folder):
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)  # fmt: skip
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.target = None

    def start(self, target):
        self.target = target
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # stopped
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            inside = self.context.wrap_socket(client, server_side=True)
        except (OSError, ssl.SSLError):
            return  # the browser gave the connection up
        outside = socket.create_connection(self.target)
        back = threading.Thread(target=self.pump, args=(outside, inside), daemon=True)
        back.start()
        self.pump(inside, outside)
        back.join()
        inside.close()
        outside.close()

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # either side went away

    def stop(self):
        self.listener.close()


def log_in_by_window(auth):
    def log_in(page):
        form = form_of(page)
        assert "wants to know who you are" in form.text_content()
        AuthServer.apps = []
        form.get_by_role("button", name=f"Log in at {auth.host}").click()
        form.get_by_text("among its apps").wait_for()
        AuthServer.apps = [page.evaluate("() => location.origin")]
        form.get_by_role("button", name=f"Log in at {auth.host}").click()

    return log_in


@pytest.mark.parametrize("with_tls", [False, True])
def test_the_window_of_an_auth_server_gives_the_token(scene, tab, auth, serve, tmp_path, with_tls):
    proxy = TlsProxy(tmp_path) if with_tls else None
    arguments = ["--auth", auth.url, *(["--public-url", proxy.url] if with_tls else [])]
    server = serve(*arguments, token=AuthServer.TOKEN)
    _, roots = server.roots_at([scene["a"], scene["c"]])
    if with_tls:
        proxy.start(("127.0.0.1", int(server.url.rsplit(":", 1)[1])))
        server.url = proxy.url
    query = f"?segments={roots[0]},{roots[1]}&position=64,64,{scene['a'][2]}"
    viewer = Viewer(tab, server, query, tmp_path, log_in_by_window(auth))
    viewer.wait_colours([[scene["a"]], [scene["c"]]], "shown to ann")
    assert viewer.page.locator("#user").text_content() == "as ann@a.org"
    source = viewer.page.evaluate("() => window.viewer.state.toJSON().layers[0].source")
    source = source if isinstance(source, str) else source["url"]
    assert source.startswith("graphene://" + ("middleauth+https://" if with_tls else "http://")), source
    assert [page for page in tab.pages if page.url.startswith(auth.url)] == [], "one window, and it is closed again"

    # A tab of its own, without a form: what the auth server gave is known to the browser.
    page = tab.new_page()
    page.goto(server.url + "/operator")
    page.locator("body[data-ready]").wait_for()
    assert page.locator("#user").text_content() == "as ann@a.org"
    page.get_by_role("button", name="Log out").click()
    form_of(page)
    expect_no_trace(tab, server, [AuthServer.TOKEN])
    assert {line["user"] for line in server.requests_of("/leaves")} == {"ann@a.org"}
    if with_tls:
        proxy.stop()
