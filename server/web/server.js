// What both pages share: asking the server, as the user who has logged in.

import { currentBearer } from "./bearer.js";
import { hasMiddleAuth, logIn, resume, showLogout } from "./login.js";

resume();

// The server's words.
async function wordsOf(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).message;
  } catch {
    return text; // a proxy's
  }
}

// The answer. Throws an Error with the server's words; asks for a token where that is what the server wants.
async function ask(path, options = {}) {
  for (;;) {
    const used = currentBearer();
    const response = await fetch(path, { cache: "no-store", ...options });
    if (response.ok) {
      return response;
    }
    const words = await wordsOf(response);
    if (response.status !== 401) {
      throw new Error(words);
    }
    await logIn(used, response.headers.get("www-authenticate"), words);
  }
}

export const get = async (path) => (await ask(path)).json();
export const getText = async (path) => (await ask(path)).text();
export const post = async (path, body) => (await ask(path, { method: "POST", body: JSON.stringify(body) })).json();

// The graph that the address names with ?graph=, else the first.
export async function chooseGraph() {
  showLogout();
  const { datasets, user } = await get("/cleave/api/v1/datasets");
  document.getElementById("user").textContent = `as ${user}`;
  const wanted = new URLSearchParams(location.search).get("graph");
  const chosen = datasets.find(({ graph }) => graph === wanted) ?? datasets[0];
  return { ...chosen, user, datasets };
}

// Links to the same page for each of the other graphs.
export function showChoice({ graph, datasets }) {
  document.getElementById("choice").append(...datasets.filter((one) => one.graph !== graph).map((one) => {
    const link = document.createElement("a");
    link.href = `?graph=${one.graph}`;
    link.textContent = one.graph;
    return link;
  }));
}

export const ownTable = (graph) => `/cleave/api/v1/table/${graph}/`;
export const segmentationTable = (graph) => `/segmentation/api/v1/table/${graph}/`;
// What Neuroglancer opens.
export const graphSource = (source) => `graphene://${hasMiddleAuth() ? "middleauth+" : ""}${location.origin}${source}`;
