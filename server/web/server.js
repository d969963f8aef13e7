// What both pages share: asking the server, and a token where it wants one.

const tokenName = "middle_auth_token";

// The token goes into a cookie of this server alone, so that Neuroglancer's own requests carry it too.
function keepToken(token) {
  document.cookie = `${tokenName}=${token}; path=/; SameSite=Strict; max-age=${30 * 86400}`;
}

function askForToken(why) {
  const dialog = document.createElement("dialog");
  dialog.className = "token";
  dialog.innerHTML = `<form method="dialog"><p></p>
    <label>Token <input name="token" type="password" autocomplete="current-password" required pattern="[!-:<-~]+"></label>
    <button>Enter</button></form>`;
  dialog.querySelector("p").textContent = `This server wants a token: ${why}`;
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const token = dialog.querySelector("input").value;
      dialog.remove();
      keepToken(token);
      resolve();
    });
  });
}

// The answer's JSON. Throws an Error with the server's words.
async function ask(path, options = {}) {
  for (;;) {
    const response = await fetch(path, { cache: "no-store", ...options });
    if (response.ok) {
      return response.json();
    }
    const text = await response.text();
    let message = text;
    try {
      message = JSON.parse(text).message;
    } catch {
      // a proxy's words
    }
    if (response.status !== 401) {
      throw new Error(message);
    }
    await askForToken(message);
  }
}

export const get = (path) => ask(path);
export const post = (path, body) => ask(path, { method: "POST", body: JSON.stringify(body) });

// The graph that the address names with ?graph=, else the first.
export async function chooseGraph() {
  const { datasets, user } = await get("/cleave/api/v1/datasets");
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
