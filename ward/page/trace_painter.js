// SPDX-License-Identifier: GPL-3.0-or-later
// Draws rows of samples on a canvas: one way for tiles and for the paper.

import { FLAGS, HALF_WIDTH, MISSING } from "./wire.js";

/** One property of the look, such as "measured". */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** All colours of the look that pictures use; asked once, and again when the look changes. */
export function palette() {
  const names = ["paper", "grid-1-mm", "grid-5-mm", "measured", "reconstructed", "settling", "ink", "soft-ink", "bar",
    "warning", "ribbon"];
  return Object.fromEntries(names.map((name) => [name, colour(name)]));
}

/**
 * Draw samples first <= index < stop of a row, x(index) and y(microvolts) in px, in one stroke for what can be relied
 * on and one for what cannot.
 */
export function drawRow(context, traces, row, first, stop, x, y, style) {
  const ring = traces.rings.get(row);
  if (ring === undefined) return;
  const flags = traces.rings.get(FLAGS);
  const size = traces.size;
  first = Math.max(Math.ceil(first), traces.first);
  stop = Math.min(Math.floor(stop), traces.stop);
  for (const faint of [false, true]) {
    context.beginPath();
    let pen = false;
    let any = false;
    for (let i = first; i < stop; i++) {
      const at = i % size;
      const value = ring[at];
      const isFaint = flags !== undefined && flags[at] > 0;
      if (value === MISSING || isFaint !== faint) {
        pen = false;
        continue;
      }
      const px = x(i), py = y(value);
      if (pen) context.lineTo(px, py);
      else context.moveTo(px, py);
      pen = any = true;
    }
    if (any) {
      context.strokeStyle = faint ? style.faint : style.stroke;
      context.lineWidth = style.width;
      context.stroke();
    }
  }
}

/** Fill the 90 % band of a lead between its lower and its upper end. */
export function drawBand(context, traces, lead, first, stop, x, y, fill) {
  const ring = traces.rings.get(lead);
  const half = traces.rings.get(HALF_WIDTH + lead);
  const flags = traces.rings.get(FLAGS);
  if (ring === undefined || half === undefined) return;
  const size = traces.size;
  first = Math.max(Math.ceil(first), traces.first);
  stop = Math.min(Math.floor(stop), traces.stop);
  context.fillStyle = fill;
  let run = first;
  const close = (from, to) => {
    if (to - from < 2) return;
    context.beginPath();
    for (let i = from; i < to; i++) context.lineTo(x(i), y(ring[i % size] + half[i % size]));
    for (let i = to - 1; i >= from; i--) context.lineTo(x(i), y(ring[i % size] - half[i % size]));
    context.fill();
  };
  for (let i = first; i < stop; i++) {
    const at = i % size;
    if (ring[at] === MISSING || half[at] === MISSING || half[at] === 0 || (flags !== undefined && flags[at] > 0)) {
      close(run, i);
      run = i + 1;
    }
  }
  close(run, stop);
}

/** Make a canvas as many device pixels large as it is shown; true if that changed it. */
export function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width === width && canvas.height === height) return false;
  canvas.width = width;
  canvas.height = height;
  return true;
}

/** So many samples before the newest are drawn again: the next one may still change how their line ends. */
export function seam(pxPerSample) {
  return Math.ceil(4 / pxPerSample) + 1;
}

/**
 * The pieces [from, to, before] of samples first <= index < edge on a sweep of span samples: each lies in one run
 * from left to right; so many samples before it lie there too, for its line to begin with.
 */
export function sweepPieces(first, edge, span) {
  const pieces = [];
  for (let from = Math.ceil(first); from < edge;) {
    const to = Math.min(edge, (Math.floor(from / span) + 1) * span);
    pieces.push([from, to, Math.min(2, from % span)]);
    from = to;
  }
  return pieces;
}
