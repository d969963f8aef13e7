// Where a token comes from, on a server that wants one. Its 401 says which kind it is:
//
//   Bearer realm="cleave"                     a list of tokens: a form asks for one
//   Bearer realm="LOGIN/api/v1/authorize"     an auth server (middle_auth): a window is opened there, and tells the token
//                                             to this page; the form takes one as well
//
// The tab keeps the token as long as it is open, in sessionStorage. One of an auth server is kept where Neuroglancer's own
// middleauth+ keeps it, too: so a user who came in by either is not asked again by the other, nor by the other page.

import { currentBearer, setBearer } from "./bearer.js";

const tabKey = "cleave_token"; // {token, loginUrl}
const neuroglancerKey = (loginUrl) => `auth_token_v2_${loginUrl}`;
const windowPollMs = 300;

let loginUrl; // of the auth server; undefined without one
let pending;

// The token that this tab has, from before a reload or from the other page.
export function resume() {
  const kept = JSON.parse(sessionStorage.getItem(tabKey) ?? "null");
  loginUrl = kept?.loginUrl;
  setBearer(kept?.token);
}

function keep(token) {
  sessionStorage.setItem(tabKey, JSON.stringify({ token, loginUrl }));
  if (loginUrl !== undefined) {
    const value = { tokenType: "Bearer", accessToken: token, url: loginUrl, appUrls: [location.origin] };
    localStorage.setItem(neuroglancerKey(loginUrl), JSON.stringify(value));
  }
  setBearer(token);
}

function forget() {
  sessionStorage.removeItem(tabKey);
  if (loginUrl !== undefined) {
    localStorage.removeItem(neuroglancerKey(loginUrl));
  }
  setBearer(undefined);
}

// Whether Neuroglancer is to bring the token itself: it does where there is TLS.
export const hasMiddleAuth = () => loginUrl !== undefined && location.protocol === "https:";

// Neuroglancer may have asked for a new token meanwhile.
function storedByNeuroglancer() {
  const kept = loginUrl === undefined ? null : JSON.parse(localStorage.getItem(neuroglancerKey(loginUrl)) ?? "null");
  return kept?.appUrls?.includes(location.origin) ? kept.accessToken : undefined;
}

// The token, as the auth server's window tells it.
function askInWindow() {
  const opened = open(`${loginUrl}/api/v1/authorize`, "", "popup,width=400,height=650");
  if (opened === null) {
    return Promise.reject(new Error("the browser did not open the window; allow it for this page"));
  }
  return new Promise((resolve, reject) => {
    const end = new AbortController();
    const watch = setInterval(() => {
      if (opened.closed) {
        settle(reject, new Error("the window was closed"));
      }
    }, windowPollMs);
    function settle(how, what) {
      clearInterval(watch);
      end.abort();
      opened.close();
      how(what);
    }
    addEventListener("message", ({ source, data }) => {
      if (source !== opened) {
        return;
      }
      if (typeof data?.token !== "string" || !Array.isArray(data.app_urls)) {
        settle(reject, new Error("the auth server's window told no token"));
      } else if (!data.app_urls.includes(location.origin)) {
        settle(reject, new Error(`the auth server does not have ${location.origin} among its apps`));
      } else {
        settle(resolve, data.token);
      }
    }, { signal: end.signal });
  });
}

function makeDialog() {
  const dialog = document.createElement("dialog");
  dialog.className = "login";
  dialog.innerHTML = `<form method="dialog"><p role="alert"></p><button type="button" hidden></button>
    <label>Token <input name="token" type="password" autocomplete="off" required pattern="[!-~]+" autofocus></label>
    <button>Enter</button></form>`;
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  return dialog;
}

function askForToken(why) {
  const dialog = makeDialog();
  const say = (text) => {
    dialog.querySelector("p").textContent = text;
  };
  say(why);
  return new Promise((resolve) => {
    const end = (token) => {
      dialog.remove();
      resolve(token);
    };
    dialog.addEventListener("close", () => end(dialog.querySelector("input").value));
    if (loginUrl !== undefined) {
      const button = dialog.querySelector("button[type=button]");
      button.hidden = false;
      button.textContent = `Log in at ${new URL(loginUrl).host}`;
      button.addEventListener("click", () => askInWindow().then(end, (error) => say(`${why} ${error.message}.`)));
    }
    document.body.append(dialog);
    dialog.showModal();
  });
}

async function renew(used, challenge, words) {
  loginUrl = /realm="(https?:.*)\/api\/v1\/authorize"/.exec(challenge ?? "")?.[1];
  const stored = storedByNeuroglancer();
  if (stored !== undefined && stored !== used) {
    return keep(stored);
  }
  forget();
  const first = loginUrl === undefined ? "This server wants a token." : "This server wants to know who you are.";
  keep(await askForToken(used === undefined ? first : `The token was not accepted: ${words}.`));
}

// After an answer of 401 to a request that carried `used`: returns when there is another token to try. Requests that were
// refused together ask once.
export async function logIn(used, challenge, words) {
  if (pending === undefined && currentBearer() !== used) {
    return;
  }
  pending ??= renew(used, challenge, words).finally(() => {
    pending = undefined;
    showLogout();
  });
  await pending;
}

// A button that gives the token up.
export function showLogout() {
  const button = document.getElementById("logout");
  button.hidden = currentBearer() === undefined;
  button.onclick = () => {
    forget();
    location.reload();
  };
}
