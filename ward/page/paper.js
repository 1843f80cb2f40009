// SPDX-License-Identifier: GPL-3.0-or-later
// ECG paper: millimetres to px, where each lead stands, and the grid.  As at the bedside (gui/paper/geometry.py).

export const SPEEDS = [6.25, 12.5, 25, 50];
export const GAINS = [2.5, 5, 10, 20];
export const RHYTHM = "rhythm";
const LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
export const LAYOUTS = {
  "3x4": { columns: [LEADS.slice(0, 3), LEADS.slice(3, 6), LEADS.slice(6, 9), LEADS.slice(9)], rhythm: true },
  "6x2": { columns: [LEADS.slice(0, 6), LEADS.slice(6)], rhythm: false },
  "12x1": { columns: [LEADS], rhythm: false },
};
const BASELINE = 0.58;
const GAP_MM = 2;

/** The areas of a layout on a view of so many px: {lead, left, right, top, bottom, baseline}. */
export function layOut(name, width, height, scale) {
  const mm = scale.pxPerMm;
  const { columns, rhythm } = LAYOUTS[name];
  const rows = Math.max(...columns.map((column) => column.length)) + (rhythm ? 1 : 0);
  const firstMm = Math.ceil(0.2 * scale.mmPerS) + 3;
  const across = columns.length;
  const widthMm = Math.max(1, Math.floor((width / mm - firstMm - 1 - GAP_MM * (across - 1)) / across));
  const pitchMm = height / mm / rows;
  const area = (lead, row, column, wideMm) => {
    const leftMm = firstMm + column * (widthMm + GAP_MM);
    return {
      lead,
      column,
      left: Math.round(leftMm * mm),
      right: Math.round((leftMm + wideMm) * mm),
      top: row * pitchMm * mm,
      bottom: (row + 1) * pitchMm * mm,
      baseline: Math.round((row + BASELINE) * pitchMm) * mm,
    };
  };
  const areas = columns.flatMap((leads, column) => leads.map((lead, row) => area(lead, row, column, widthMm)));
  if (rhythm) areas.push(area(RHYTHM, rows - 1, 0, across * widthMm + (across - 1) * GAP_MM));
  return areas;
}

/** The layout that suits a view of so many CSS px. */
export function layoutFor(width, height) {
  if (height > 1.3 * width) return "12x1";
  return width < 900 ? "6x2" : "3x4";
}

/** Millimetre paper with a calibration mark of 1 mV by 200 ms before each row that has room for it. */
export function drawPaper(context, width, height, areas, scale, colours) {
  const mm = scale.pxPerMm;
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, width, height);
  for (const heavy of [false, true]) {
    context.fillStyle = heavy ? colours["grid-5-mm"] : colours["grid-1-mm"];
    for (let i = 0; i * mm < Math.max(width, height); i++) {
      if ((i % 5 === 0) !== heavy) continue;
      const at = Math.round(i * mm);
      if (at < width) context.fillRect(at, 0, 1, height);
      if (at < height) context.fillRect(0, at, width, 1);
    }
  }
  context.strokeStyle = colours.ink;
  context.lineWidth = Math.max(1, mm / 4);
  let above = 0;
  for (const area of areas) {
    const tall = scale.mmPerMv * mm;
    if (area.column !== 0 || area.baseline - tall < above) continue;
    above = area.baseline + mm / 2;
    context.beginPath();
    const base = area.baseline, foot = mm / 2, wide = 0.2 * scale.mmPerS * mm;
    [[0, 0], [foot, 0], [foot, tall], [foot + wide, tall], [foot + wide, 0], [2 * foot + wide, 0]]
      .forEach(([x, y]) => context.lineTo(mm + x, base - y));
    context.stroke();
  }
}
