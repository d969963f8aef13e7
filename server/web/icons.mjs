// Icons for Neuroglancer's buttons. Those it asks for lie in a package that no registry has, so here are our own: the
// same names, drawn on 24 by 24 with lines of the text's colour.

const lines = {
  "arrow-left": "M20 12H4M10 6l-6 6 6 6",
  "arrow-right": "M4 12h16M14 6l6 6-6 6",
  "arrow-up": "M12 20V4M6 10l6-6 6 6",
  bin: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  camera: "M3 8h4l2-3h6l2 3h4v11H3zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7",
  close: "M5 5l14 14M19 5L5 19",
  "code-alt": "M8 7l-5 5 5 5M16 7l5 5-5 5M13.5 5l-3 14",
  "controls-alt": "M6 3v7M6 16v5M12 3v3M12 12v9M18 3v9M18 18v3M3.5 13h5M9.5 9h5M15.5 15h5",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  cursor: "M5 3l14 8-6 2-2 6z",
  eye: "M2 12c5-8 15-8 20 0-5 8-15 8-20 0M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
  "eye-crossed": "M2 12c5-8 15-8 20 0-5 8-15 8-20 0M4 20L20 4",
  filter: "M3 4h18l-7 9v7l-4-2v-5z",
  help: "M8.5 9a3.5 3.5 0 1 1 5 3.2c-1 .6-1.5 1.2-1.5 2.8M12 18v1",
  layers: "M12 3l9 5-9 5-9-5zM3 12l9 5 9-5M3 16l9 5 9-5",
  list: "M8 6h13M8 12h13M8 18h13M3.5 6h1M3.5 12h1M3.5 18h1",
  maximise: "M4 9V4h5M20 15v5h-5M15 4h5v5M9 20H4v-5",
  pause: "M8 5v14M16 5v14",
  play: "M7 4l13 8-13 8z",
  plus: "M12 4v16M4 12h16",
  rotate: "M20 12a8 8 0 1 1-3-6.2M20 3v4h-4",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5L21 21",
  settings: "M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M12 2v4M12 18v4M2 12h4M18 12h4M5 5l3 3M16 16l3 3M5 19l3-3M16 8l3-3",
  star: "M12 3l2.8 6 6.2.8-4.6 4.4 1.2 6.3L12 17.4l-5.6 3.1 1.2-6.3L3 9.8 9.2 9z",
  tool: "M14 7a4 4 0 0 1 5-3.9L16.500 6l1.500 1.500L21 5a4 4 0 0 1-5.500 5L7 19l-2-2 8.800-8.500",
  video: "M3 6h12v12H3zM15 11l6-4v10l-6-4",
};

// Throws for a name that has no icon, so that a newer Neuroglancer cannot lose one unseen.
export function icon(name) {
  if (lines[name] === undefined) {
    throw new Error(`no icon is drawn for ${name}: add it to icons.mjs`);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24" fill="none" ` +
    `stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">` +
    `<path d="${lines[name]}"/></svg>`;
}
