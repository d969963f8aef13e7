// Neuroglancer's worker, which fetches voxels and meshes, with the page's token on what it asks of this server.

import "./listen_to_page.js";
import "neuroglancer/unstable/chunk_worker.bundle.js";
