// SPDX-License-Identifier: GPL-3.0-or-later
// What came of one bed, and the instant that stands at the moving edge of its picture.

import { MISSING } from "./wire.js";

const KEPT_S = 24;
const CATCH_UP = 0.25; // the edge runs at most so much faster or slower than time
const SKIP_S = 0.06; // what is more overdue than this, as after a hitch, is drawn at once: it must not stay late

/** The newest seconds of some rows of one bed, by absolute index. */
export class Traces {
  constructor() {
    this.epoch = -1;
    this.clear();
  }

  clear() {
    this.rings = new Map();
    this.rateHz = 0;
    this.first = this.stop = 0;
    this.edge = NaN; // index at the moving edge
    this.late = []; // [when, how late] of what came
    this.lateS = NaN; // how late nine of ten are, or less
    this.askedS = NaN;
    this.cameMs = 0;
  }

  /** Take a block; nowS is this machine's monotonic seconds. */
  add(block, nowS) {
    if (block.epoch !== this.epoch || block.rateHz !== this.rateHz || block.start < this.stop - 1) {
      this.clear();
      this.epoch = block.epoch;
      this.rateHz = block.rateHz;
      this.first = this.stop = block.start;
    }
    const size = Math.round(KEPT_S * this.rateHz);
    for (const [row, samples] of block.rows) {
      let ring = this.rings.get(row);
      if (ring === undefined) {
        ring = new Int16Array(size).fill(MISSING);
        this.rings.set(row, ring);
      }
      for (let i = Math.max(this.stop, block.start - size); i < block.start; i++) ring[i % size] = MISSING;
      for (let i = Math.max(0, block.count - size); i < block.count; i++) ring[(block.start + i) % size] = samples[i];
    }
    const gap = block.start - this.stop;
    this.stop = block.start + block.count;
    this.first = Math.max(this.first, this.stop - size);
    this.cameMs = block.cameMs;
    const lateS = nowS - this.stop / this.rateHz;
    if (gap > this.rateHz) this.late.length = 0;
    this.late.push([nowS, lateS]);
    while (this.late[0][0] < nowS - 4) this.late.shift();
    const lates = this.late.map(([, late]) => late).sort((a, b) => a - b);
    this.lateS = lates[Math.floor(0.9 * (lates.length - 1))];
  }

  get size() {
    return Math.round(KEPT_S * this.rateHz);
  }

  /** Index at the moving edge at nowS: smooth, never past what came, as close behind it as the packets allow. */
  edgeAt(nowS) {
    if (this.late.length === 0) return this.stop;
    const goal = (nowS - this.lateS) * this.rateHz;
    const passedS = nowS - this.askedS;
    const step = passedS * this.rateHz;
    const off = goal - (this.edge + step);
    if (!(passedS >= 0 && passedS < 1) || off > SKIP_S * this.rateHz || off < -this.rateHz) {
      this.edge = goal;
    } else {
      this.edge += step + Math.min(Math.max(off, -CATCH_UP * step), CATCH_UP * step);
    }
    this.askedS = nowS;
    this.edge = Math.min(this.edge, this.stop);
    return this.edge;
  }
}
