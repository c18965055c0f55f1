// Names of clusters beside their points: each where it hides least and lies on no other, on a line to its cluster.
"use strict";
import { CELL } from "./points.js";

const FONT = "600 12.5px system-ui, sans-serif", TALL = 20, GAP = 3;
const RINGS = [0, 22, 40, 62, 90, 124, 164], TURNS = 16;

// names: {cluster, name, x, y}, the most important first; x, y from 0 to 1, down.
export class Labels {
  constructor(names) {
    this.names = names;
    this.boxes = [];
    this.offsets = new Map();
  }

  // Choose a place for each name, near to where its last was if that is as good; one that finds none waits until one
  // comes nearer. crowd: how many points are in each cell; margin: how far these reach beyond their place, in pixels.
  place(ink, view, crowd, across, margin) {
    ink.font = FONT;
    const sums = summed(crowd, across), offsets = new Map(), taken = [];
    const weight = margin ? 6 : Math.min(1, 1000 / Math.max(1, sums[sums.length - 1]));
    for (const one of this.names) {
      const a = (one.x - view.left) * view.scale * view.width, b = (one.y - view.top) * view.scale * view.height;
      if (a < 0 || b < 0 || a > view.width || b > view.height) continue;
      const half = ink.measureText(one.name).width / 2 + 7, before = this.offsets.get(one.cluster);
      let best = null, least = Infinity;
      for (const ring of RINGS) {
        for (let turn = 0; turn < (ring ? TURNS : 1); turn++) {
          const angle = 2 * Math.PI * turn / TURNS;
          const dx = Math.cos(angle) * (ring + (ring && half * Math.abs(Math.cos(angle)))), dy = Math.sin(angle) * ring;
          const box = [a + dx - half, b + dy - TALL / 2, a + dx + half, b + dy + TALL / 2];
          if (box[0] < 2 || box[1] < 2 || box[2] > view.width - 2 || box[3] > view.height - 2) continue;
          if (taken.some((other) => overlap(box, other))) continue;
          const moved = before ? Math.hypot(dx - before[0], dy - before[1]) / 60 : 0;
          const hidden = points(sums, across, [box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin]);
          const cost = weight * hidden + Math.hypot(dx, dy) / 12 + moved;
          if (cost < least) { least = cost; best = [dx, dy, half, box]; }
        }
      }
      if (!best) continue;
      taken.push(best[3]);
      offsets.set(one.cluster, best);
    }
    this.offsets = offsets;
  }

  // Draw them where they were placed, moved with their clusters.
  draw(ink, view, paper, text, colour) {
    this.boxes = [];
    ink.font = FONT;
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    for (const one of this.names) {
      const held = this.offsets.get(one.cluster);
      if (!held) continue;
      const a = (one.x - view.left) * view.scale * view.width, b = (one.y - view.top) * view.scale * view.height;
      const [dx, dy, half] = held, box = [a + dx - half, b + dy - TALL / 2, a + dx + half, b + dy + TALL / 2];
      if (this.boxes.some((other) => overlap(box, other.box))) continue;
      this.boxes.push({ box, one, a, b });
    }
    ink.lineWidth = 1.5;
    for (const { box, one, a, b } of this.boxes) {
      const x = Math.min(Math.max(a, box[0] + 4), box[2] - 4), y = Math.min(Math.max(b, box[1]), box[3]);
      ink.strokeStyle = ink.fillStyle = colour(one.cluster);
      if (Math.hypot(x - a, y - b) > 4) {
        ink.beginPath(); ink.moveTo(a, b); ink.lineTo(x, y); ink.stroke();
        ink.beginPath(); ink.arc(a, b, 3, 0, 7); ink.fill();
      }
    }
    for (const { box, one } of this.boxes) {
      const [left, top, right, bottom] = box;
      ink.globalAlpha = 0.88;
      ink.fillStyle = paper;
      ink.beginPath(); ink.roundRect(left, top, right - left, bottom - top, 4); ink.fill();
      ink.globalAlpha = 1;
      ink.strokeStyle = colour(one.cluster);
      ink.stroke();
      ink.fillStyle = text;
      ink.fillText(one.name, (left + right) / 2, (top + bottom) / 2 + 1);
    }
  }

  // The cluster whose name is drawn at a place; null where there is none.
  at(a, b) {
    const found = this.boxes.find(({ box }) => a >= box[0] && a <= box[2] && b >= box[1] && b <= box[3]);
    return found ? found.one : null;
  }
}

function overlap(one, other) {
  return one[0] < other[2] + GAP && other[0] < one[2] + GAP && one[1] < other[3] + GAP && other[1] < one[3] + GAP;
}

// The sum of all cells above and to the left of each, so that the points of any box are four of them.
function summed(crowd, across) {
  const down = crowd.length / across, sums = new Float64Array((across + 1) * (down + 1));
  for (let row = 0; row < down; row++) {
    for (let column = 0, line = 0; column < across; column++) {
      line += crowd[row * across + column];
      sums[(row + 1) * (across + 1) + column + 1] = sums[row * (across + 1) + column + 1] + line;
    }
  }
  return sums;
}

function points(sums, across, [left, top, right, bottom]) {
  const wide = across + 1, down = sums.length / wide - 1, within = (value, most) => Math.max(0, Math.min(most, value));
  const [a, c] = [Math.floor(left / CELL), Math.ceil(right / CELL)].map((column) => within(column, across));
  const [b, d] = [Math.floor(top / CELL), Math.ceil(bottom / CELL)].map((row) => within(row, down));
  return sums[d * wide + c] - sums[b * wide + c] - sums[d * wide + a] + sums[b * wide + a];
}
