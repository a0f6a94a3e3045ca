/* The mosaic page: OpenSeadragon draws the tiles, this file is the room around them. */
(() => {
  "use strict";

  const data = JSON.parse(document.getElementById("mosaic").textContent);
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const body = document.body;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const coarse = matchMedia("(pointer: coarse)");
  const { grid } = data;
  const tall = data.height / data.width; // the picture is 1 wide and `tall` high everywhere below
  const cellWidth = grid ? 1 / grid.columns : 0;
  const cellHeight = grid ? tall / grid.rows : 0;

  for (const id of ["title", "help-title"]) $(id).textContent = data.title;
  for (const fact of data.facts) {
    const span = document.createElement("span");
    span.className = "fact";
    span.textContent = fact;
    $("facts").append($("facts").hasChildNodes() ? " " : "", span);
  }
  $("facts").hidden = !data.facts.length;
  $("help-facts").textContent = data.facts.join(" · ");
  $("glow").style.backgroundImage = `url("${data.overview}")`;

  /* -- Viewer ---------------------------------------------------------------------------- */

  // Far enough in for one cell to fill half a screen, not so far that it falls apart.
  const cellPixels = grid ? Math.min(data.width / grid.columns, data.height / grid.rows) : 128;
  const viewer = OpenSeadragon({
    element: $("stage"),
    // Inlined, because a page opened from disk may not read the .dzi file.
    tileSources: {
      Image: {
        xmlns: "http://schemas.microsoft.com/deepzoom/2008",
        Url: data.tiles,
        Format: "jpg",
        Overlap: "0",
        TileSize: String(data.tileSize),
        Size: { Width: String(data.width), Height: String(data.height) },
      },
    },
    drawer: "canvas", // WebGL may not read pictures of file://
    showNavigationControl: false,
    keyboardNavEnabled: false, // keys are below, for the whole page
    maxZoomPixelRatio: Math.min(8, Math.max(4, 640 / cellPixels)),
    minZoomImageRatio: 0.1, // the real limit is set with the home view
    visibilityRatio: 0.6,
    animationTime: calm.matches ? 0.01 : 1.1,
    springStiffness: 7,
    blendTime: calm.matches ? 0 : 0.25,
    smoothTileEdgesMinZoom: Infinity, // tiles meet without a seam as they are
    zoomPerScroll: 1.28,
    zoomPerClick: 2.5,
    maxTilesPerFrame: 4,
    imageLoaderLimit: 8,
    maxImageCacheCount: coarse.matches ? 120 : 400,
    tileRetryMax: 1,
    gestureSettingsMouse: { flickEnabled: true, flickMomentum: 0.18 },
    gestureSettingsTouch: { clickToZoom: true, dblClickToZoom: false },
  });
  const view = viewer.viewport;
  window.__viewer = viewer; // for the console, and for tests

  // Brush marks rather than pixels, also at eight screen pixels for one of the picture.
  viewer.addHandler("tile-drawing", ({ context }) => {
    context.imageSmoothingQuality = "high";
  });

  root.dataset.tilesLoaded = root.dataset.tilesFailed = root.dataset.deepestLevel = "0";
  viewer.addHandler("tile-loaded", ({ tile }) => {
    root.dataset.tilesLoaded = String(Number(root.dataset.tilesLoaded) + 1);
    root.dataset.deepestLevel = String(Math.max(Number(root.dataset.deepestLevel), tile.level));
  });
  viewer.addHandler("tile-load-failed", () => {
    root.dataset.tilesFailed = String(Number(root.dataset.tilesFailed) + 1);
    if (root.dataset.tilesLoaded !== "0") return;
    $("notice").hidden = false;
    $("notice").textContent =
      `The picture is not here: keep the folder ${decodeURIComponent(data.tiles)} beside this page.`;
  });
  viewer.addOnceHandler("tile-drawn", () => requestAnimationFrame(() => body.classList.add("ready")));

  /* -- Camera: {x, y} is the middle of the window, w its width, in picture widths ---------- */

  const size = () => view.getContainerSize();

  function camera() {
    const { x, y } = view.getCenter(true);
    return { x, y, w: 1 / view.getZoom(true) };
  }

  function place({ x, y, w }) {
    const { x: W, y: H } = size();
    const h = (w * H) / W;
    view.fitBounds(new OpenSeadragon.Rect(x - w / 2, y - h / 2, w, h), true);
  }

  // The whole picture, clear of the label: beside it where there is room, else above it.
  function homeView() {
    const { x: W, y: H } = size();
    const narrow = W < 0.9 * H;
    const edge = Math.min(28, Math.round(0.05 * Math.min(W, H)));
    root.style.setProperty("--edge", `${edge}px`);
    const gutter = 210; // the least that a label needs
    const sideBySide = Math.min(W - 2 * gutter, (H - 2 * edge) / tall);
    body.classList.toggle("tall", narrow);
    body.classList.remove("beside");
    root.style.setProperty("--label-width", "min(640px, 62vw)");
    let [side, top, bottom] = narrow ? [0, 14, 84] : [edge, edge, edge];
    const stacked = Math.min(W - 2 * side, (H - top - bottom - $("label").offsetHeight - 24) / tall);
    const beside = !narrow && sideBySide > stacked;
    if (beside) {
      body.classList.add("beside");
      root.style.setProperty("--label-width", `${(W - sideBySide) / 2 - edge - 28}px`);
    } else {
      bottom += $("label").offsetHeight + 24;
    }
    const scale = beside ? sideBySide : stacked;
    for (const fact of document.querySelectorAll(".fact")) { // no dot at the end of a line
      const next = fact.nextElementSibling;
      fact.classList.toggle("last", !next || next.offsetTop > fact.offsetTop);
    }
    const under = (H - top - bottom + scale * tall) / 2 + top + 24; // just below the picture
    root.style.setProperty("--label-top", `${under}px`);
    root.style.setProperty("--label-left", `${beside ? edge : Math.max(edge, (W - scale) / 2)}px`);
    return { x: 0.5, y: tall / 2 + (bottom - top) / 2 / scale, w: W / scale };
  }

  function cellView({ row, column }) {
    const { x: W, y: H } = size();
    const scale = 0.58 * Math.min(W / cellWidth, H / cellHeight);
    return {
      x: (column + 0.5) * cellWidth,
      y: (row + 0.5) * cellHeight,
      w: Math.max(W / scale, 1 / view.getMaxZoom()),
    };
  }

  // The shortest-feeling path between two views: it rises as far as the way is long.
  // van Wijk and Nuij, "Smooth and efficient zooming and panning", InfoVis 2003.
  function path(from, to) {
    const rho = 1.42;
    const dx = to.x - from.x;
    const dy = to.y - from.y;
    const d = Math.hypot(dx, dy);
    if (d < 1e-4 * Math.min(from.w, to.w)) {
      const k = Math.log(to.w / from.w);
      return {
        length: Math.abs(k) / rho,
        at: (u) => ({ x: from.x + u * dx, y: from.y + u * dy, w: from.w * Math.exp(u * k) }),
      };
    }
    const r = (w, sign) => {
      const b = (to.w ** 2 - from.w ** 2 + sign * rho ** 4 * d ** 2) / (2 * w * rho ** 2 * d);
      return -Math.asinh(b);
    };
    const r0 = r(from.w, 1);
    const length = (r(to.w, -1) - r0) / rho;
    return {
      length,
      at: (u) => {
        const s = rho * u * length + r0;
        const way = (from.w * (Math.cosh(r0) * Math.tanh(s) - Math.sinh(r0))) / (rho ** 2 * d);
        return {
          x: from.x + way * dx,
          y: from.y + way * dy,
          w: (from.w * Math.cosh(r0)) / Math.cosh(s),
        };
      },
    };
  }

  // Everything that moves by itself holds the token; whoever takes it next stops it.
  let token = 0;
  const smooth = (u) => u * u * u * (u * (6 * u - 15) + 10);

  function animate(seconds, draw) {
    const mine = ++token;
    return new Promise((done) => {
      let before = performance.now();
      let time = 0;
      const tick = (now) => {
        if (token !== mine) return done(false);
        time += Math.min(0.05, (now - before) / 1000); // a slow frame slows, it does not jump
        before = now;
        draw(Math.min(1, time / seconds));
        return time < seconds ? requestAnimationFrame(tick) : done(true);
      };
      requestAnimationFrame(tick);
    });
  }

  const wait = (seconds) => animate(seconds, () => {});

  async function glide(to, pace = 0.62) {
    if (calm.matches) {
      body.classList.add("blink");
      const on = await wait(0.35);
      if (on) place(to);
      body.classList.remove("blink");
      return on;
    }
    const way = path(camera(), to);
    return animate(0.35 + pace * way.length, (u) => place(way.at(smooth(u))));
  }

  function goHome() {
    land();
    glide(homeView());
  }

  let homeZoom = 0;
  function measure() {
    homeZoom = 1 / homeView().w;
    view.minZoomLevel = 0.999 * homeZoom;
  }
  const isAway = () => view.getZoom(true) > 1.1 * homeZoom;

  view.getHomeBounds = () => {
    const { x, y, w } = homeView();
    const h = (w * size().y) / size().x;
    return new OpenSeadragon.Rect(x - w / 2, y - h / 2, w, h);
  };
  viewer.addOnceHandler("open", () => {
    measure();
    place(homeView());
    if (location.hash === "#fly") takeOff();
  });
  viewer.addHandler("resize", () => {
    const wasAway = isAway();
    measure();
    if (!wasAway) requestAnimationFrame(() => place(homeView()));
  });
  viewer.addHandler("animation-finish", () => {
    const { x, y, w } = camera();
    const home = homeView();
    const astray = Math.hypot(x - home.x, y - home.y) > 0.004 * w;
    if (!flying && astray && w > 0.98 * home.w) glide(home);
  });

  /* -- Cells ------------------------------------------------------------------------------- */

  const frame = document.createElement("div");
  frame.className = "cell";
  let pointer = null; // where the mouse is; a finger or the keyboard points at the middle
  let target = null; // the cell that the flight is at
  let framed = "";

  function cellAt({ x, y }) {
    const column = Math.floor(x / cellWidth);
    const row = Math.floor(y / cellHeight);
    const inside = row >= 0 && row < grid.rows && column >= 0 && column < grid.columns;
    return inside ? { row, column } : null;
  }

  function showCell() {
    if (!grid) return;
    const { x: W, y: H } = size();
    const across = cellWidth * W * view.getZoom(true);
    let cell = null;
    if (flying) cell = target;
    else if (across >= 40) {
      cell = cellAt(pointer ? view.pointFromPixel(pointer, true) : view.getCenter(true));
    }
    $("where").classList.toggle("shown", Boolean(cell));
    body.classList.toggle("near", across >= 40);
    frame.classList.toggle("shown", Boolean(cell) && !flying && across < 0.5 * Math.min(W, H));
    const key = cell ? `${cell.row},${cell.column}` : "";
    root.dataset.cell = key;
    if (!cell || key === framed) return;
    framed = key;
    const { row, column } = cell;
    const box = new OpenSeadragon.Rect(column * cellWidth, row * cellHeight, cellWidth, cellHeight);
    if (frame.parentNode) viewer.updateOverlay(frame, box);
    else viewer.addOverlay(frame, box);
    const seed = data.seeds[row * grid.columns + column];
    const photo = photoIn(cell);
    $("where-cell").textContent = `Row ${row + 1}, column ${column + 1}`;
    $("where-seed").textContent = photo ? photo.name : seed === undefined ? "" : `seed ${seed}`;
  }

  // The photo in a cell, if cells are photos; its file opens where the page is on a disk too.
  function photoIn({ row, column }) {
    if (!data.photos) return null;
    const number = data.photos.shown[row * grid.columns + column];
    const link = location.protocol === "file:" ? data.photos.links[number] : "";
    return { name: data.photos.names[number], link };
  }

  viewer.addHandler("update-viewport", () => {
    body.classList.toggle("away", isAway());
    showCell();
  });
  $("stage").addEventListener("pointermove", (event) => {
    pointer = event.pointerType === "mouse" ? new OpenSeadragon.Point(event.clientX, event.clientY) : null;
    showCell();
  });
  $("stage").addEventListener("pointerleave", () => {
    pointer = null;
    showCell();
  });

  let lastClick = 0;
  viewer.addHandler("canvas-click", (event) => {
    if (!grid) return;
    event.preventDefaultAction = true;
    const now = performance.now();
    const again = now - lastClick < 400; // the second half of a double click
    lastClick = now;
    if (!event.quick || again || stoppedByPress) return;
    const cell = cellAt(view.pointFromPixel(event.position, true));
    if (!cell) return goHome();
    const there = cellView(cell);
    const here = camera();
    pointer = null; // what was clicked comes to the middle; the mouse counts when it moves again
    const arrived = here.w < 1.6 * there.w && Math.hypot(here.x - there.x, here.y - there.y) < cellWidth;
    const photo = arrived && photoIn(cell);
    if (photo && photo.link) open(photo.link, "_blank", "noopener");
    else glide(arrived ? homeView() : there);
  });

  /* -- Flight ------------------------------------------------------------------------------ */

  let flying = false;
  let stoppedByPress = false;
  let bag = [];

  // Without a word from the maker any cell is as good as another, but for the outermost ones.
  function nextCell() {
    if (!bag.length) {
      bag = data.highlights.map(([row, column]) => ({ row, column }));
      while (bag.length < 12) {
        const inner = (n) => Math.min(n - 1, Math.floor(n * (0.06 + 0.88 * Math.random())));
        bag.push({ row: inner(grid.rows), column: inner(grid.columns) });
      }
      for (let i = bag.length - 1; i > 0; i--) {
        const j = Math.floor(Math.random() * (i + 1));
        [bag[i], bag[j]] = [bag[j], bag[i]];
      }
    }
    return bag.pop();
  }

  async function takeOff() {
    if (!grid) return;
    flying = true;
    root.dataset.flying = "true";
    body.classList.add("flying");
    $("fly").setAttribute("aria-pressed", "true");
    stir();
    for (let stop = 1; flying; stop++) {
      const cell = nextCell();
      const there = cellView(cell);
      target = null;
      if (!(await glide(there, 2.1))) return;
      target = cell;
      const closer = { ...there, w: 0.9 * there.w };
      const drift = path(there, calm.matches ? there : closer);
      if (!(await animate(5, (u) => place(drift.at(smooth(u)))))) return;
      target = null;
      if (stop % 2) continue;
      if (!(await glide(homeView(), 2.1)) || !(await wait(3))) return;
    }
  }

  function land() {
    token++;
    flying = false;
    target = null;
    root.dataset.flying = "false";
    body.classList.remove("flying");
    $("fly").setAttribute("aria-pressed", "false");
    viewer.forceRedraw();
  }

  viewer.addHandler("canvas-press", () => {
    stoppedByPress = flying;
    land();
  });
  viewer.addHandler("canvas-scroll", land);
  viewer.addHandler("canvas-pinch", land);

  /* -- Buttons and keys -------------------------------------------------------------------- */

  const help = $("help");
  const toggleFlight = () => (flying ? land() : takeOff());
  const toggleHelp = () => (help.open ? help.close() : help.showModal());
  function toggleFull() {
    if (!document.fullscreenEnabled) return;
    if (document.fullscreenElement) document.exitFullscreen();
    else root.requestFullscreen();
  }

  $("fly").hidden = !grid;
  if (data.photos && location.protocol === "file:") {
    $("help-click").textContent = "go to a cell; again, open its photo";
  }
  $("full").hidden = $("full-line").hidden = !document.fullscreenEnabled;
  $("fly").addEventListener("click", toggleFlight);
  $("home").addEventListener("click", goHome);
  $("full").addEventListener("click", toggleFull);
  $("ask").addEventListener("click", toggleHelp);
  help.addEventListener("click", (event) => event.target === help && help.close());

  function move(dx, dy, event) {
    const step = (event.shiftKey ? 0.5 : 0.16) / view.getZoom();
    view.panBy(new OpenSeadragon.Point(dx * step, dy * step)).applyConstraints();
  }
  function zoom(factor) {
    view.zoomBy(factor).applyConstraints();
  }
  const keys = {
    f: toggleFlight,
    h: goHome,
    0: goHome,
    e: toggleFull,
    "?": toggleHelp,
    "+": () => zoom(1.6),
    "=": () => zoom(1.6),
    "-": () => zoom(1 / 1.6),
    _: () => zoom(1 / 1.6),
    arrowleft: (event) => move(-1, 0, event),
    arrowright: (event) => move(1, 0, event),
    arrowup: (event) => move(0, -1, event),
    arrowdown: (event) => move(0, 1, event),
    escape: () => {},
  };
  document.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, key)) return;
    if (help.open && key !== "?") return;
    if (key !== "escape") event.preventDefault();
    pointer = null;
    if (key !== "f") land();
    keys[key](event);
  });

  /* -- Stillness: what is not needed goes away ---------------------------------------------- */

  let timer = 0;
  function stir() {
    body.classList.remove("idle");
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (flying || isAway()) body.classList.add("idle");
    }, 2800);
  }
  for (const kind of ["pointermove", "pointerdown", "wheel", "keydown", "focusin"]) {
    document.addEventListener(kind, stir, { passive: true });
  }
  stir();
})();
