// Points as pixels: a canvas that is told of 100,000 rectangles one by one takes ten times as long as this.
"use strict";

// Discs of whole pixels and half ones at the rim, as offsets from their centre in an image `width` pixels wide.
function disc(size, width) {
  const radius = size / 2, reach = Math.ceil(radius), offsets = [], alphas = [];
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(dx, dy)));
      if (cover > 0.15) { offsets.push(dy * width + dx); alphas.push(Math.round(255 * cover)); }
    }
  }
  return { offsets: Int32Array.from(offsets), alphas: Uint8Array.from(alphas), reach };
}

export const CELL = 16;  // CSS pixels a side of the cells that points are counted in

// Points at x, y (0 to 1, down), each of a `cluster`.
export class Points {
  constructor(x, y, cluster) {
    Object.assign(this, { x, y, cluster, shown: [] });
  }

  // Onto `canvas`; colours: packed BGR by cluster; chosen: 1 for points that stand out, or null. Counts, for each
  // cell, the points in it (`crowd`, `across` cells wide); `shown` are the first points in sight, up to `most`.
  paint(canvas, ink, view, colours, size, chosen, most) {
    const { x, y, cluster } = this, { scale, left, top, width, height, ratio } = view;
    const wide = canvas.width, high = canvas.height;
    if (!this.image || this.image.width !== wide || this.image.height !== high) {
      this.image = ink.createImageData(wide, high);
      this.pixels = new Uint32Array(this.image.data.buffer);
      this.size = 0;
    }
    if (this.size !== size) { this.disc = disc(size, wide); this.size = size; }
    const across = Math.ceil(width / CELL) + 1, crowd = new Uint32Array(across * (Math.ceil(height / CELL) + 1));
    const { pixels } = this, { offsets, alphas, reach } = this.disc, many = offsets.length, shown = [];
    const xs = scale * wide, ys = scale * high, side = CELL * ratio;
    pixels.fill(0);
    for (const layer of chosen ? [0, 1] : [1]) {
      const strength = layer ? 1 : 0.16;
      for (let i = 0; i < x.length; i++) {
        if (chosen && chosen[i] !== layer) continue;
        const a = Math.round((x[i] - left) * xs), b = Math.round((y[i] - top) * ys);
        if (a < reach || b < reach || a >= wide - reach || b >= high - reach) continue;
        if (shown.length <= most) shown.push(i);
        crowd[((b / side) | 0) * across + ((a / side) | 0)]++;
        const at = b * wide + a, colour = colours[cluster[i] + 1];
        for (let k = 0; k < many; k++) {
          const here = at + offsets[k], alpha = alphas[k] * strength;
          if (pixels[here] >>> 24 <= alpha) pixels[here] = (alpha << 24) | colour;
        }
      }
    }
    ink.putImageData(this.image, 0, 0);
    Object.assign(this, { shown, crowd, across });
  }

  // The point nearest to a place in sight (CSS pixels), at most `reach` pixels away; -1 where there is none.
  nearest(view, a, b, reach) {
    const { x, y } = this, xs = view.scale * view.width, ys = view.scale * view.height;
    let best = -1, least = reach * reach;
    for (let i = 0; i < x.length; i++) {
      const dx = (x[i] - view.left) * xs - a, dy = (y[i] - view.top) * ys - b, far = dx * dx + dy * dy;
      if (far < least) { least = far; best = i; }
    }
    return best;
  }

  // 1 for each point that a line of places on the plane goes around, also more than once.
  inside(corners) {
    const { x, y } = this, within = new Uint8Array(x.length);
    let least = Infinity, most = -Infinity, low = Infinity, high = -Infinity;
    for (const [a, b] of corners) { least = Math.min(least, a); most = Math.max(most, a); low = Math.min(low, b); high = Math.max(high, b); }
    for (let i = 0; i < x.length; i++) {
      const a = x[i], b = y[i];
      if (a < least || a > most || b < low || b > high) continue;
      let around = 0;
      for (let k = 0, m = corners.length - 1; k < corners.length; m = k++) {
        const [xk, yk] = corners[k], [xm, ym] = corners[m];
        if ((yk > b) !== (ym > b) && a < (xm - xk) * (b - yk) / (ym - yk) + xk) around += yk > b ? 1 : -1;
      }
      within[i] = around !== 0;
    }
    return within;
  }
}
