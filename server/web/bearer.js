// A token on every request of this page to its own server: those that Neuroglancer makes by itself too, here and in its
// worker, which knows nothing of tokens on a server without TLS. Nothing goes to other servers, and no token stands in an
// address.

const message = "cleave bearer"; // the member of what a page tells the worker
const plainFetch = globalThis.fetch.bind(globalThis);
const workers = [];
let bearer;

const isOurs = (input) =>
  new URL(input instanceof Request ? input.url : input, location.href).origin === location.origin;

// Where Neuroglancer has a token of its own (middleauth+), that one goes.
globalThis.fetch = (input, init = {}) => {
  if (bearer === undefined || !isOurs(input)) {
    return plainFetch(input, init);
  }
  const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined));
  if (!headers.has("authorization")) {
    headers.set("authorization", `Bearer ${bearer}`);
  }
  return plainFetch(input, { ...init, headers });
};

export const currentBearer = () => bearer;

// undefined: none.
export function setBearer(token) {
  bearer = token;
  workers.forEach((worker) => worker.postMessage({ [message]: { token } }));
}

// In a page, before the worker that fetches is made.
export function tellWorkers() {
  globalThis.Worker = class extends globalThis.Worker {
    constructor(url, options) {
      super(url, options);
      if (String(url).includes("/chunk_worker.")) {
        workers.push(this);
        this.postMessage({ [message]: { token: bearer } });
      }
    }
  };
}

// In the worker, before anybody else listens.
export function listenToPage() {
  globalThis.addEventListener("message", (event) => {
    if (event.data?.[message] !== undefined) {
      event.stopImmediatePropagation();
      setBearer(event.data[message].token);
    }
  });
}
