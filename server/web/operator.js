// The operator's page: what was edited, with undo and redo; what is going on and what is stuck, with replay and revert;
// locks, protected objects, throughput.

import { chooseGraph, get, getText, ownTable, post, segmentationTable, showChoice } from "./server.js";

const operationsShown = 50;
const refreshMs = 5000;
const roundsToStuck = 6; // the list of stuck edits is dear: the server goes through the whole log

const byId = (id) => document.getElementById(id);

function tell(id, text) {
  byId(id).textContent = text;
  byId(id).hidden = text === "";
}

function cell(content) {
  const td = document.createElement("td");
  td.append(...[content].flat().map((part) => part ?? ""));
  return td;
}

function fill(section, rows, nothing) {
  const body = byId(section).querySelector("tbody");
  body.replaceChildren(...rows.map((cells) => {
    const tr = document.createElement("tr");
    tr.append(...cells.map(cell));
    return tr;
  }));
  if (rows.length === 0) {
    const td = cell(nothing);
    td.colSpan = 9;
    const tr = document.createElement("tr");
    tr.append(td);
    body.append(tr);
  }
}

// A button that does one thing, says what came of it, and shows everything anew.
function action(label, what, run) {
  const button = document.createElement("button");
  button.textContent = label;
  button.addEventListener("click", async () => {
    if (!confirm(`${what}?`)) {
      return;
    }
    button.disabled = true;
    tell("problem", "");
    tell("done", "");
    try {
      tell("done", `${what}: ${await run()}`);
    } catch (error) {
      tell("problem", `${what}: ${error.message}`);
    }
    button.disabled = false;
    await refresh();
  });
  return button;
}

// ?user for the lists of operations, of those in flight and of locks, where the page is to show what is mine only.
const mine = (mark) => (byId("mine").checked ? `${mark}user=${encodeURIComponent(user)}` : "");

const shortTime = (text) => text?.replace(/\.\d+\+00:00$/, " UTC") ?? "";
const ids = (list) => list.flatMap((id) => [id, document.createElement("br")]);
const edited = ({ operation_id: id, new_root_ids: roots }) => `operation ${id}, new roots ${roots.join(", ")}`;

let graph;
let own;
let table;
let user;
let older = 0n; // operations below this number are shown; 0: the newest

function inverse(operation) {
  const isEdit = operation.kind === "merge" || operation.kind === "split";
  if (!isEdit || operation.status !== "success") {
    return "";
  }
  const [label, path] = operation.undone_by === null ? ["Undo", "undo"] : ["Redo", "redo"];
  return action(label, `${label} operation ${operation.operation_id}`, async () =>
    edited(await post(`${table}${path}?int64_as_str=1`, { operation_id: operation.operation_id })));
}

function statusOf(operation) {
  if (operation.undone_by !== null) {
    return `undone by ${operation.undone_by}`;
  }
  return operation.exception === "" ? operation.status : `${operation.status}: ${operation.exception}`;
}

async function showOperations() {
  const before = older > 0n ? `&before=${older}` : "";
  const { operations } = await get(`${own}operations?limit=${operationsShown}${before}${mine("&")}`);
  fill("operations", operations.map((operation) => [
    operation.operation_id,
    shortTime(operation.timestamp),
    operation.target === null ? operation.kind : `${operation.kind} of ${operation.target}`,
    operation.user,
    statusOf(operation),
    ids(operation.old_root_ids),
    ids(operation.new_root_ids),
    inverse(operation),
  ]), "none yet");
  byId("older").hidden = operations.length < operationsShown;
  byId("older").dataset.before = operations.at(-1)?.operation_id ?? "0";
}

async function showStuck() {
  const { operations } = await get(`${own}stuck${mine("?")}`);
  const settle = (id, path, label) => action(label, `${label} operation ${id}`, async () =>
    (await post(`${own}stuck/${path}`, { operation_id: id })).outcome);
  fill("stuck", operations.map((operation) => [
    operation.operation_id,
    operation.kind ?? "unknown",
    operation.user ?? "unknown",
    operation.problem === "" ? operation.state : `${operation.state}: ${operation.problem}`,
    operation.age_seconds === null ? "never" : `${Math.round(operation.age_seconds)} s ago`,
    String(operation.locks),
    [settle(operation.operation_id, "replay", "Replay"), " ", settle(operation.operation_id, "revert", "Revert")],
  ]), "nothing is in flight, nothing is stuck");
}

async function showLocks() {
  const { locks } = await get(`${own}locks${mine("?")}`);
  const holder = (lock) => (lock === null ? "" : `operation ${lock.operation_id} of ${lock.user ?? "unknown"} since ${shortTime(lock.since)}`);
  fill("locks", locks.map((lock) => [
    lock.root_id === undefined ? `chunk ${lock.chunk.join(", ")}` : `root ${lock.root_id}`,
    holder(lock.temporal),
    holder(lock.indefinite),
  ]), "nothing is locked");
}

async function showProtected() {
  const { protected: objects } = await get(`${own}protected`);
  fill("protected", objects.map((object) => [
    object.root_id,
    object.user,
    shortTime(object.since),
    object.note,
    action("Unprotect", `Unprotect ${object.root_id}`, async () =>
      (await post(`${own}unprotect`, { root_id: object.root_id })).root_id),
  ]), "no object is protected");
}

// The lines of /metrics: [name, {label: value}, number].
function parseMetrics(text) {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const [, name, labels, number] = /^([^ {]+)(?:\{(.*)\})? ([^ ]+)/.exec(line);
    const pairs = [...(labels ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key, value]);
    return [name, Object.fromEntries(pairs), Number(number)];
  });
}

const sum = (metrics, name, fits = () => true) =>
  metrics.filter(([metric, labels]) => metric === name && fits(labels)).reduce((total, [, , value]) => total + value, 0);

// Requests by kind. What this page itself asks is left out.
const kinds = [
  ["edits", ({ route }) => /\/(merge|split|undo|redo|commit_preview|merge_admin|rollback_user)$/.test(route)],
  ["look-ups in the graph", ({ route }) => /^\/segmentation\/.*\/(node|roots|roots_binary|leaves_many)(\/|$)/.test(route)],
  ["voxels", ({ route }) => /^\/(data|ocdbt)\//.test(route) && !/\/mesh\//.test(route)],
  ["meshes and manifests", ({ route }) => /\/mesh\/|\/manifest\//.test(route)],
  ["refused or failed", undefined],
];

let lastCounts = new Map();
let lastTime;

async function showThroughput() {
  const metrics = parseMetrics(await getText("/metrics")).filter(([, labels]) => (labels.dataset ?? graph) === graph);
  const now = performance.now();
  const rows = kinds.map(([name, fits]) => {
    const count = fits === undefined
      ? sum(metrics, "cleave_http_requests_total", ({ code }) => Number(code) >= 400)
      : sum(metrics, "cleave_http_requests_total", fits);
    const rate = lastTime === undefined ? "" : (1000 * (count - lastCounts.get(name)) / (now - lastTime)).toFixed(1);
    lastCounts.set(name, count);
    const timed = fits === undefined ? 0 : sum(metrics, "cleave_http_request_seconds_count", fits);
    const seconds = timed === 0 ? 0 : sum(metrics, "cleave_http_request_seconds_sum", fits);
    return [name, String(count), rate, timed === 0 ? "" : (1000 * seconds / timed).toFixed(1)];
  });
  lastTime = now;
  fill("throughput", rows, "");
}

async function refresh({ withStuck } = { withStuck: true }) {
  try {
    await Promise.all([showOperations(), withStuck && showStuck(), showLocks(), showProtected(), showThroughput()]);
    document.body.dataset.ready = "true";
  } catch (error) {
    tell("problem", error.message);
  }
}

async function start() {
  const chosen = await chooseGraph();
  ({ graph, user } = chosen);
  own = ownTable(graph);
  table = segmentationTable(graph);
  byId("graph").textContent = graph;
  byId("viewer").href = `/?graph=${graph}`;
  showChoice(chosen);
  byId("mine").addEventListener("change", () => refresh());
  byId("older").addEventListener("click", () => {
    older = BigInt(byId("older").dataset.before);
    showOperations();
  });
  byId("protected").querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    tell("problem", "");
    try {
      await post(`${own}protect`, { root_id: form.root_id.value, note: form.note.value });
      form.reset();
    } catch (error) {
      tell("problem", `Protect: ${error.message}`);
    }
    await refresh();
  });
  await refresh();
  let round = 0;
  setInterval(() => document.hidden || refresh({ withStuck: ++round % roundsToStuck === 0 }), refreshMs);
}

start().catch((error) => tell("problem", error.message));
