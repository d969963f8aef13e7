// Opens Neuroglancer on the graph: at the middle of the volume, with the largest objects of that section selected.
// Afterwards it follows the edits of everybody: an object that was replaced is replaced on the page too, and voxels are
// read again when supervoxels were cut, both of which Neuroglancer leaves to the next reload.

import "neuroglancer";
import { setupDefaultViewer } from "neuroglancer/unstable/ui/default_viewer_setup.js";

import { tellWorkers } from "./bearer.js";
import { chooseGraph, get, graphSource, ownTable, post, segmentationTable, showChoice } from "./server.js";

const samplesPerAxis = 24;
const objectsShown = 12;
const followMs = 2000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The objects that hold most points of a lattice over the middle section, largest first.
async function largestRoots(graph, scale) {
  const rows = [];
  const z = scale.voxel_offset[2] + Math.floor(scale.size[2] / 2);
  for (let i = 0; i < samplesPerAxis; ++i) {
    for (let j = 0; j < samplesPerAxis; ++j) {
      const x = scale.voxel_offset[0] + Math.floor(((i + 0.5) * scale.size[0]) / samplesPerAxis);
      const y = scale.voxel_offset[1] + Math.floor(((j + 0.5) * scale.size[1]) / samplesPerAxis);
      rows.push([0, ...[x, y, z].map((voxel, axis) => (voxel + 0.5) * scale.resolution[axis])]);
    }
  }
  const table = segmentationTable(graph);
  const supervoxels = await post(`${table}supervoxel_lookup?int64_as_str=1`, rows);
  const known = supervoxels.filter((id) => id !== "0");
  if (known.length === 0) {
    return [];
  }
  const { root_ids: roots } = await post(`${table}roots?int64_as_str=1`, { node_ids: known });
  const counts = new Map();
  for (const root of roots) {
    counts.set(root, (counts.get(root) ?? 0) + 1);
  }
  counts.delete("0");
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, objectsShown).map(([root]) => root);
}

// ?segments=ID,ID and ?position=X,Y,Z (voxels) say what to show first.
async function firstState(graph, source) {
  const { scales: [scale] } = await get(`${source}/info`);
  const wanted = new URLSearchParams(location.search);
  const list = (name) => wanted.get(name)?.split(",").filter((word) => /^[0-9]+$/.test(word));
  const position = list("position") ?? [];
  const middle = scale.size.map((size, axis) => scale.voxel_offset[axis] + size / 2);
  const dimensions = Object.fromEntries(["x", "y", "z"].map((name, axis) => [name, [scale.resolution[axis] * 1e-9, "m"]]));
  const [widthNm, heightNm, depthNm] = scale.size.map((size, axis) => size * scale.resolution[axis]);
  const canonicalNm = Math.min(...scale.resolution);
  return {
    dimensions,
    position: position.length === 3 ? position.map((voxel) => Number(voxel) + 0.5) : middle,
    crossSectionScale: Math.min(2, Math.max(scale.size[0], scale.size[1]) / 500),
    projectionScale: Math.max(1.3 * widthNm, 1.3 * heightNm, depthNm) / canonicalNm,
    projectionOrientation: [0.15, 0.35, 0.05, 0.92], // a little from above and from the side
    layout: "xy-3d",
    showSlices: false,
    layers: [{
      type: "segmentation",
      name: graph,
      source: graphSource(source),
      tab: "segments",
      segments: list("segments") ?? (await largestRoots(graph, scale)),
      toolBindings: { C: "grapheneMulticutSegments", M: "grapheneMergeSegments" },
    }],
    selectedLayer: { layer: graph, visible: true, size: 260 },
  };
}

function graphLayers(viewer, source) {
  return viewer.layerManager.managedLayers
    .filter(({ layer }) => layer?.graphConnection?.value !== undefined &&
      layer.dataSources.some(({ spec }) => spec.url.startsWith("graphene://") && spec.url.includes(source)))
    .map(({ layer }) => layer);
}

function readVoxelsAgain(viewer, graph) {
  const folder = `/data/${graph}/`;
  for (const object of viewer.chunkManager.memoize.map.values()) {
    const url = object.parameters?.url;
    if (typeof url === "string" && url.includes(folder) && typeof object.invalidateCache === "function") {
      object.invalidateCache();
    }
  }
}

function replaceRoots(layer, { old_root_ids: before, new_root_ids: after }) {
  const { selectedSegments, visibleSegments } = layer.displayState.segmentationGroupState.value;
  const olds = before.map(BigInt).filter((root) => selectedSegments.has(root));
  if (olds.length === 0) {
    return;
  }
  const news = after.map(BigInt);
  const visible = olds.some((root) => visibleSegments.has(root));
  selectedSegments.delete(olds);
  selectedSegments.add(news);
  if (visible) {
    visibleSegments.add(news);
  }
}

// While points are being marked the tool holds on to its object.
const isMarking = (layer) => layer.graphConnection.value.state.multicutState.focusSegment.value !== undefined;

async function follow(viewer, graph, source) {
  const path = `${ownTable(graph)}operations`;
  const newest = async () => (await get(`${path}?limit=1`)).operations[0]?.operation_id ?? "0";
  const isUnderWay = ({ status }) => status !== "success" && status !== "exception";
  let seen = await newest();
  for (;;) {
    await sleep(followMs);
    const layers = graphLayers(viewer, source);
    if (document.hidden || layers.some(isMarking)) {
      continue;
    }
    let operations;
    try {
      ({ operations } = await get(`${path}?after=${seen}&limit=1000`));
    } catch {
      continue; // the server is away; it may come back
    }
    operations.reverse();
    const end = operations.findIndex(isUnderWay);
    const ended = end < 0 ? operations : operations.slice(0, end);
    const done = ended.filter(({ status }) => status === "success");
    seen = ended.at(-1)?.operation_id ?? seen;
    if (done.some(({ cut_voxels: cut }) => cut)) {
      readVoxelsAgain(viewer, graph);
    }
    for (const operation of done) {
      layers.forEach((layer) => replaceRoots(layer, operation));
    }
  }
}

async function start() {
  const chosen = await chooseGraph();
  const { graph, source } = chosen;
  showChoice(chosen);
  document.getElementById("graph").textContent = graph;
  document.getElementById("operator").href = `/operator?graph=${graph}`;
  const state = location.hash.length > 2 ? undefined : await firstState(graph, source);
  tellWorkers();
  const viewer = setupDefaultViewer();
  if (state !== undefined) {
    viewer.state.restoreState(state);
  }
  follow(viewer, graph, source);
}

start().catch((error) => {
  const problem = document.getElementById("problem");
  problem.textContent = `The page cannot be opened: ${error.message}`;
  problem.hidden = false;
});
