// The map: moved, scaled, and asked what lies where; a lasso, or a key, lists what it holds; pictures when near.
"use strict";
import { Labels } from "./labels.js";
import { Points } from "./points.js";

const canvas = document.getElementById("map");
if (canvas) start();

async function start() {
  const NEAR = 160, LISTED = 200, SETTLED = 140;  // points that are shown as pictures; listed at a time; milliseconds
  const STEP = 6;  // pixels between corners of a lasso, which the address holds
  const kind = canvas.dataset.kind, ink = canvas.getContext("2d"), tip = document.getElementById("tip");
  const answer = async (more) => {
    try {
      const told = await fetch(`/map.json?kind=${kind}${more}`);
      if (told.ok) return await told.json();
    } catch { /* it does not run */ }
    tip.textContent = "The server does not answer. Once make explore runs again, load this page anew.";
    return null;
  };
  const data = await answer("");
  if (!data) return;
  const count = data.x.length, inner = (value) => 0.03 + 0.94 * value / 65535;  // free around the outermost points
  const points = new Points(Float32Array.from(data.x, inner), Float32Array.from(data.y, (y) => 1 - inner(y)), Int32Array.from(data.cluster));
  const labels = new Labels(data.names.map((one) => ({ ...one, x: inner(one.x), y: 1 - inner(one.y) })));
  const things = new Map(), pictures = new Map(), asked = new Map();
  const dark = matchMedia("(prefers-color-scheme: dark)"), section = document.getElementById("chosen");
  const view = { scale: 1, left: 0, top: 0, width: 0, height: 0, ratio: 1 };
  let waiting = false, settling = 0, placed = false, lasso = null, drawing = false, chosen = null, pointed = null;
  let corners = null, rows = [], listed = 0;  // the outline of what is chosen, on the plane; what is; how much of it is listed
  document.querySelector(".tools").hidden = false;

  // ------------------------------------------------------------ colours
  const rgb = (cluster) => {
    if (cluster < 0) return dark.matches ? [127, 135, 143] : [139, 146, 154];
    const hue = (cluster * 137.5 + 205) % 360, light = [0.62, 0.36, 0.48][cluster % 3] * (dark.matches ? 1 : 0.75) + (dark.matches ? 0.14 : 0.06);
    const spread = 0.62 * Math.min(light, 1 - light);
    return [0, 8, 4].map((n) => { const k = (n + hue / 30) % 12; return Math.round(255 * (light - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1)))); });
  };
  const colour = (cluster) => `rgb(${rgb(cluster).join(" ")})`;
  let packed = null, paper = "", text = "";
  function recolour() {
    let last = -1;
    for (const cluster of points.cluster) last = Math.max(last, cluster);
    packed = Uint32Array.from({ length: last + 2 }, (_, k) => { const [r, g, b] = rgb(k - 1); return (b << 16) | (g << 8) | r; });
    ({ backgroundColor: paper, color: text } = getComputedStyle(document.body));
    for (const item of document.querySelectorAll("[data-cluster]")) item.style.setProperty("--cluster", colour(Number(item.dataset.cluster)));
  }

  // ------------------------------------------------------------ drawing
  const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
  // Names stay where they are while the map moves, and find new places once it rests.
  function moved() {
    clearTimeout(settling);
    settling = setTimeout(() => { placed = false; keep(); draw(); rest(); }, SETTLED);
    redraw();
  }

  function draw() {
    const begun = performance.now();
    waiting = false;
    if (!canvas.width || !canvas.height) return;  // not laid out
    const size = Math.max(2, Math.min(9, 12 - 2.2 * Math.log10(count + 1) + Math.log2(view.scale)));
    points.paint(canvas, ink, view, packed, size * view.ratio, pointed || chosen, NEAR);
    ink.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    if (points.shown.length && points.shown.length <= NEAR) { look(points.shown); points.shown.forEach(thumb); }
    if (!placed) { labels.place(ink, view, points.crowd, points.across, points.shown.length > NEAR ? 0 : 10); placed = true; }
    labels.draw(ink, view, paper, text, colour);
    if (lasso) {
      ink.strokeStyle = text; ink.lineWidth = 1.5;
      ink.beginPath(); lasso.forEach(([a, b], k) => k ? ink.lineTo(a, b) : ink.moveTo(a, b)); ink.stroke();
    }
    canvas.dataset.drawn = String(count);
    canvas.dataset.names = String(labels.boxes.length);
    canvas.dataset.milliseconds = (performance.now() - begun).toFixed(1);
  }

  const side = () => Math.min(56, 24 + 4 * view.scale);
  function thumb(i) {
    const thing = things.get(i), image = thing && (thing.image_id || thing.image);
    if (!image) return;
    let shown = pictures.get(image);
    if (!shown) { shown = new Image(); shown.onload = redraw; shown.src = `/thumb/${image}`; pictures.set(image, shown); }
    if (!shown.complete || !shown.naturalWidth) return;
    const a = (points.x[i] - view.left) * view.scale * view.width, b = (points.y[i] - view.top) * view.scale * view.height;
    const k = side() / Math.max(shown.naturalWidth, shown.naturalHeight);
    const wide = shown.naturalWidth * k, high = shown.naturalHeight * k, frame = [a - wide / 2, b - high / 2, wide, high];
    const apart = pointed || chosen;
    ink.globalAlpha = apart && !apart[i] ? 0.2 : 1;
    ink.drawImage(shown, ...frame);
    ink.strokeStyle = colour(points.cluster[i]);
    ink.lineWidth = 2;
    ink.strokeRect(...frame);
    ink.globalAlpha = 1;
  }

  // ------------------------------------------------------------ what lies there
  // Who asks for what another is waiting for waits with it.
  async function look(wanted) {
    const missing = wanted.filter((i) => !asked.has(i));
    const told = missing.length && (async () => {
      const found = await answer(`&rows=${missing.join(",")}`);
      if (!found) { missing.forEach((i) => asked.delete(i)); return; }
      for (const thing of found.things) things.set(thing.row, thing);
      redraw();
    })();
    missing.forEach((i) => asked.set(i, told));
    await Promise.all(new Set(wanted.map((i) => asked.get(i))));
  }

  const said = (thing) => (kind === "user" ? thing.name : thing.text || "no text").slice(0, 120);
  const number = (many) => many.toLocaleString("en");
  const rest = () => {
    tip.textContent = chosen ? `${number(rows.length)} selected, listed below` : points.shown.length ? "" : "Nothing lies here; “Whole map” leads back.";
  };
  const tiles = section.querySelector("ul"), further = document.getElementById("further");

  // Choose what lies within an outline. It is kept in the address, so that it is there again after a look at one of them.
  async function list(outline, focus) {
    const within = points.inside(outline), title = section.querySelector("h2");
    rows = [...within.keys()].filter((i) => within[i]);
    [chosen, corners, listed] = rows.length ? [within, outline, 0] : [null, null, 0];
    keep();
    redraw();
    section.hidden = false;
    title.textContent = `${number(rows.length)} ${kind}${rows.length === 1 ? "" : "s"} selected`;
    section.querySelector("[name=rows]").value = rows.join(",");
    section.querySelector("form").hidden = !rows.length;
    tiles.replaceChildren();
    if (rows.length) rest(); else tip.textContent = "Nothing is inside.";
    if (focus) title.focus();
    await more();
  }

  async function more() {
    const whose = rows, next = rows.slice(listed, listed + LISTED);
    listed += next.length;
    further.textContent = `Show more: ${number(listed)} of ${number(rows.length)} are listed`;
    further.hidden = listed === rows.length;
    await look(next);
    if (whose !== rows) return;  // another choice was made meanwhile
    tiles.append(...next.filter((i) => things.has(i)).map((i) => tile(things.get(i))));
  }

  function tile(thing) {
    const item = document.createElement("li"), link = document.createElement("a"), words = document.createElement("span");
    const image = thing.image_id || thing.image;
    link.href = thing.href;
    if (image) { const shown = document.createElement("img"); shown.src = `/thumb/${image}`; shown.alt = ""; shown.loading = "lazy"; link.append(shown); }
    words.className = "text";
    words.textContent = said(thing).slice(0, 60);
    link.append(words);
    item.append(link);
    return item;
  }

  function end() {
    if (section.contains(document.activeElement)) canvas.focus({ preventScroll: true });
    chosen = corners = lasso = null;
    rows = [];
    section.hidden = true;
    rest();
    keep();
    redraw();
  }

  // ------------------------------------------------------------ where one looks; kept in the address
  function zoom(factor, a, b) {
    const next = Math.max(0.8, Math.min(200, view.scale * factor));
    view.left += a / view.width * (1 / view.scale - 1 / next);
    view.top += b / view.height * (1 / view.scale - 1 / next);
    view.scale = next;
    moved();
  }
  function drag(dx, dy) {
    view.left -= dx / view.width / view.scale;
    view.top -= dy / view.height / view.scale;
    moved();
  }
  // #left,top,scale;x,y,x,y,…: the view, and the outline of what is chosen. Six digits are a fifth of a pixel where it is
  // nearest, and what is chosen is the same when the address is opened.
  function keep() {
    const whole = view.scale === 1 && !view.left && !view.top;
    const place = [[view.left, view.top, view.scale], ...(corners ? [corners.flat()] : [])];
    const held = whole && !corners ? "" : `#${place.map((values) => values.map((one) => +one.toFixed(6)).join(",")).join(";")}`;
    history.replaceState(null, "", location.pathname + location.search + held);
  }
  const spot = ([a, b]) => [a / view.width / view.scale + view.left, b / view.height / view.scale + view.top].map((one) => +one.toFixed(6));
  const [place, outline] = [...location.hash.slice(1).split(";"), ""].map((values) => values.split(",").map(Number));
  if (place.length === 3 && place.every(Number.isFinite) && place[2] >= 0.8 && place[2] <= 200) [view.left, view.top, view.scale] = place;

  // ------------------------------------------------------------ by mouse, finger and key
  const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left - canvas.clientLeft, event.clientY - box.top - canvas.clientTop]; };
  const everything = () => [[0, 0], [view.width, 0], [view.width, view.height], [0, view.height]].map(spot);
  const home = () => { Object.assign(view, { scale: 1, left: 0, top: 0 }); moved(); };
  const button = document.getElementById("lasso");
  button.addEventListener("click", () => { drawing = !drawing; button.setAttribute("aria-pressed", String(drawing)); });
  document.getElementById("sight").addEventListener("click", (event) => list(everything(), event.detail === 0));
  document.getElementById("whole").addEventListener("click", home);
  document.getElementById("end").addEventListener("click", end);
  further.addEventListener("click", async () => {
    const from = tiles.children.length;
    await more();
    tiles.children[from]?.querySelector("a").focus();  // the button may be gone
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !section.hidden && !event.target.closest("input")) end(); });

  const fingers = new Map();
  let travelled = 0, hovering = 0;
  canvas.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, at(event));
    canvas.setPointerCapture(event.pointerId);
    if (fingers.size === 1) { travelled = 0; lasso = drawing ? [at(event)] : null; } else lasso = null;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [a, b] = at(event), before = fingers.get(event.pointerId);
    if (!before) { hover(a, b); return; }
    travelled += Math.hypot(a - before[0], b - before[1]);
    const other = [...fingers].find(([id]) => id !== event.pointerId);
    if (other) {  // two fingers: the map stays under both
      const [c, d] = other[1], apart = Math.hypot(before[0] - c, before[1] - d);
      drag((a - before[0]) / 2, (b - before[1]) / 2);  // first: what lay between them is then where it is zoomed about
      zoom(Math.hypot(a - c, b - d) / Math.max(1, apart), (a + c) / 2, (b + d) / 2);
    } else if (lasso) {
      if (Math.hypot(a - lasso.at(-1)[0], b - lasso.at(-1)[1]) >= STEP) { lasso.push([a, b]); redraw(); }
    } else drag(a - before[0], b - before[1]);
    fingers.set(event.pointerId, [a, b]);
  });
  canvas.addEventListener("pointercancel", (event) => { fingers.delete(event.pointerId); lasso = null; redraw(); });
  canvas.addEventListener("pointerup", async (event) => {
    const alone = fingers.size === 1, still = travelled <= 4;
    fingers.delete(event.pointerId);
    const drawn = lasso;
    lasso = null;
    if (drawn && !still) { await list(drawn.map(spot), false); return; }
    if (!alone || !still) return;
    const name = labels.at(...at(event));
    if (name) { location.href = `/cluster/${name.cluster}`; return; }
    const i = near(...at(event));
    if (i >= 0) { await look([i]); if (things.get(i)) location.href = things.get(i).href; }
  });
  // The point that lies there, or of which the picture does; -1 where there is none.
  const near = (a, b) => points.nearest(view, a, b, points.shown.length > NEAR ? 12 : 0.7 * side());
  function hover(a, b) {
    const name = labels.at(a, b), i = name ? -1 : near(a, b);
    canvas.style.cursor = drawing ? "crosshair" : name || i >= 0 ? "pointer" : "";
    clearTimeout(hovering);
    if (name) tip.textContent = `the cluster ${name.name}`;
    if (i < 0) { if (!name) rest(); return; }
    hovering = setTimeout(async () => { await look([i]); if (things.get(i)) tip.textContent = said(things.get(i)); }, things.has(i) ? 0 : 60);
  }
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 400), ...at(event)); }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = 0.1, move = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (move) drag(move[0] * view.width, move[1] * view.height);
    else if (event.key === "+" || event.key === "=") zoom(1.4, view.width / 2, view.height / 2);
    else if (event.key === "-") zoom(1 / 1.4, view.width / 2, view.height / 2);
    else if (event.key === "0") home();
    else if (event.key === "Enter") list(everything(), true);
    else return;
    event.preventDefault();
  });
  // What is pointed at in the list of clusters stands out.
  for (const item of document.querySelectorAll("[data-cluster]")) {
    const stand = (on) => () => { const own = Number(item.dataset.cluster); pointed = on ? Uint8Array.from(points.cluster, (one) => Number(one === own)) : null; redraw(); };
    for (const [event, on] of [["pointerenter", true], ["focusin", true], ["pointerleave", false], ["focusout", false]]) item.addEventListener(event, stand(on));
  }
  recolour();
  const fit = () => {
    view.width = canvas.clientWidth; view.height = canvas.clientHeight; view.ratio = Math.min(2, devicePixelRatio || 1);
    canvas.width = view.width * view.ratio; canvas.height = view.height * view.ratio;
    placed = false;
    redraw();
  };
  fit();
  moved();
  new ResizeObserver(fit).observe(canvas);
  if (outline.length >= 6 && outline.every(Number.isFinite)) list(Array.from({ length: outline.length >> 1 }, (_, k) => outline.slice(2 * k, 2 * k + 2)), false);
  dark.addEventListener("change", () => { recolour(); redraw(); });
}
