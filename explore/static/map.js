// The map: points on a canvas, moved and scaled; a lasso lists what lies inside; pictures as points when near.
"use strict";
const canvas = document.getElementById("map");
if (canvas) start();

async function start() {
  const kind = canvas.dataset.kind, ink = canvas.getContext("2d"), tip = document.getElementById("tip");
  const data = await (await fetch(`/map.json?kind=${kind}`)).json();
  const count = data.x.length, x = new Float32Array(data.x), y = new Float32Array(data.y), of = new Int32Array(data.cluster);
  const inner = (value) => 0.03 + 0.94 * value / 65535;  // free around the outermost points
  for (let i = 0; i < count; i++) { x[i] = inner(x[i]); y[i] = 1 - inner(y[i]); }
  const rows = Uint32Array.from(x, (_, i) => i).sort((a, b) => of[a] - of[b]);  // one colour after another
  const things = new Map(), pictures = new Map(), asked = new Map();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let scale = 1, left = 0, top = 0, width = 0, height = 0, waiting = false, lasso = null, drawing = false, chosen = null;
  document.querySelector(".tools").hidden = false;

  const colour = (cluster) => cluster < 0 ? (dark.matches ? "#7f878f" : "#8b929a")
    : `hsl(${(cluster * 137.5 + 205) % 360} 62% ${dark.matches ? 62 : 42}%)`;
  const px = (i) => (x[i] - left) * scale * width, py = (i) => (y[i] - top) * scale * height;
  const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };

  function draw() {
    waiting = false;
    const ratio = devicePixelRatio || 1;
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.clearRect(0, 0, width, height);
    const near = [], size = Math.max(2, Math.min(9, 12 - 2.2 * Math.log10(count + 1) + Math.log2(scale)));
    let last = null;
    for (const i of rows) {
      const a = px(i), b = py(i);
      if (a < -40 || b < -40 || a > width + 40 || b > height + 40) continue;
      if (near.length <= 160) near.push(i);
      if (of[i] !== last) { last = of[i]; ink.fillStyle = colour(last); }
      ink.globalAlpha = chosen && !chosen.has(i) ? 0.2 : 0.85;
      ink.fillRect(a - size / 2, b - size / 2, size, size);
    }
    ink.globalAlpha = 1;
    if (near.length <= 160) { look(near); for (const i of near) thumb(i, px(i), py(i)); }
    ink.font = "600 13px system-ui, sans-serif";
    ink.textAlign = "center";
    ink.lineWidth = 4;
    const style = getComputedStyle(document.body);
    const taken = [];  // a name that would lie on another waits until one comes nearer
    for (const name of data.names) {
      const a = (inner(name.x) - left) * scale * width, b = (1 - inner(name.y) - top) * scale * height;
      const half = ink.measureText(name.name).width / 2 + 4;
      if (taken.some(([c, d, other]) => Math.abs(a - c) < half + other && Math.abs(b - d) < 18)) continue;
      taken.push([a, b, half]);
      ink.strokeStyle = style.backgroundColor;
      ink.strokeText(name.name, a, b);
      ink.fillStyle = style.color;
      ink.fillText(name.name, a, b);
    }
    if (lasso) { ink.strokeStyle = style.color; ink.lineWidth = 1.5; ink.beginPath(); lasso.forEach(([a, b], k) => k ? ink.lineTo(a, b) : ink.moveTo(a, b)); ink.stroke(); }
    canvas.dataset.drawn = String(count);
  }

  function thumb(i, a, b) {
    const thing = things.get(i), image = thing && (thing.image_id || thing.image);
    if (!image) return;
    let shown = pictures.get(image);
    if (!shown) { shown = new Image(); shown.onload = redraw; shown.src = `/thumb/${image}`; pictures.set(image, shown); }
    if (shown.complete && shown.naturalWidth) {
      const side = Math.min(56, 24 + 4 * scale), k = side / Math.max(shown.naturalWidth, shown.naturalHeight);
      ink.drawImage(shown, a - shown.naturalWidth * k / 2, b - shown.naturalHeight * k / 2, shown.naturalWidth * k, shown.naturalHeight * k);
    }
  }

  // Who asks for what another is waiting for waits with it.
  async function look(wanted) {
    const missing = wanted.filter((i) => !asked.has(i));
    const told = missing.length && (async () => {
      const found = await (await fetch(`/map.json?kind=${kind}&rows=${missing.join(",")}`)).json();
      for (const thing of found.things) things.set(thing.row, thing);
      redraw();
    })();
    missing.forEach((i) => asked.set(i, told));
    await Promise.all(new Set(wanted.map((i) => asked.get(i))));
  }

  function zoom(factor, a, b) {
    const next = Math.max(0.8, Math.min(200, scale * factor));
    left += a / width * (1 / scale - 1 / next);
    top += b / height * (1 / scale - 1 / next);
    scale = next;
    redraw();
  }

  const nearest = (a, b) => {
    let best = -1, least = 144;
    for (let i = 0; i < count; i++) { const d = (px(i) - a) ** 2 + (py(i) - b) ** 2; if (d < least) { least = d; best = i; } }
    return best;
  };
  const inside = (i) => {
    const a = px(i), b = py(i);
    let odd = false;
    for (let k = 0, m = lasso.length - 1; k < lasso.length; m = k++) {
      const [xk, yk] = lasso[k], [xm, ym] = lasso[m];
      if ((yk > b) !== (ym > b) && a < (xm - xk) * (b - yk) / (ym - yk) + xk) odd = !odd;
    }
    return odd;
  };

  async function list() {
    chosen = new Set(rows.filter(inside));
    const section = document.getElementById("chosen"), first = [...chosen].sort((a, b) => a - b).slice(0, 200);
    section.hidden = false;
    section.querySelector("h2").textContent = `${chosen.size} chosen`;
    section.querySelector("p").textContent = chosen.size > first.length ? `the first ${first.length} of them` : "";
    const tiles = section.querySelector("ul");
    tiles.replaceChildren();
    if (first.length) await look(first);
    for (const i of first) {
      const thing = things.get(i);
      if (!thing) continue;
      const item = document.createElement("li"), link = document.createElement("a"), text = document.createElement("span");
      const image = thing.image_id || thing.image;
      link.href = thing.href;
      if (image) { const shown = document.createElement("img"); shown.src = `/thumb/${image}`; shown.alt = ""; shown.loading = "lazy"; link.append(shown); }
      text.className = "text";
      text.textContent = kind === "user" ? thing.name : (thing.text || "no text").slice(0, 60);
      link.append(text);
      item.append(link);
      tiles.append(item);
    }
    redraw();
  }

  const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  const button = document.getElementById("lasso");
  button.addEventListener("click", () => { drawing = !drawing; button.setAttribute("aria-pressed", String(drawing)); });
  document.getElementById("whole").addEventListener("click", () => { scale = 1; left = top = 0; chosen = null; document.getElementById("chosen").hidden = true; redraw(); });
  let held = null, moved = false;
  canvas.addEventListener("pointerdown", (event) => { held = at(event); moved = false; if (drawing) lasso = [held]; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", async (event) => {
    const [a, b] = at(event);
    if (!held) {
      const i = nearest(a, b);
      canvas.style.cursor = i < 0 ? "" : "pointer";
      if (i >= 0 && !asked.has(i)) await look([i]);
      const thing = things.get(i);
      tip.textContent = thing ? (kind === "user" ? thing.name : thing.text || "no text").slice(0, 120) : "";
      return;
    }
    moved = moved || Math.hypot(a - held[0], b - held[1]) > 4;
    if (lasso) lasso.push([a, b]);
    else { left -= (a - held[0]) / width / scale; top -= (b - held[1]) / height / scale; held = [a, b]; }
    redraw();
  });
  canvas.addEventListener("pointerup", async (event) => {
    held = null;
    if (lasso) { if (moved) await list(); lasso = null; redraw(); return; }
    if (moved) return;
    const i = nearest(...at(event));
    if (i >= 0) { await look([i]); if (things.get(i)) location.href = things.get(i).href; }
  });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 400), ...at(event)); }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = 0.1 / scale, move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (move) { left += move[0]; top += move[1]; } else if (event.key === "+" || event.key === "=") zoom(1.4, width / 2, height / 2);
    else if (event.key === "-") zoom(1 / 1.4, width / 2, height / 2); else return;
    event.preventDefault();
    redraw();
  });
  new ResizeObserver(() => {
    width = canvas.clientWidth; height = canvas.clientHeight;
    canvas.width = width * (devicePixelRatio || 1); canvas.height = height * (devicePixelRatio || 1);
    redraw();
  }).observe(canvas);
  dark.addEventListener("change", redraw);
}
