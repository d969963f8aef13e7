// A module of its own, so that it is done before Neuroglancer's modules are.

import { listenToPage } from "./bearer.js";

listenToPage();
