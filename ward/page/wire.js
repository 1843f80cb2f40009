// SPDX-License-Identifier: GPL-3.0-or-later
// The binary blocks of ward/wire.py: version, rows, samples, bed, epoch, start, when it came, rate.

export const MISSING = -32768;
export const MEASURED = 12;
export const HALF_WIDTH = 13;
export const FLAGS = 25;
export const SETTLING = 1;
export const UNTRUSTED = 2;
const HEADER = 32;
const VERSION = 2;

/** Whether a message is of this version; the page of another program is loaded again. */
export function isOurs(buffer) {
  return new DataView(buffer).getUint8(0) === VERSION;
}

/** The blocks of one message: {bed, epoch, start, cameMs, rateHz, count, rows: Map of row number to Int16Array}. */
export function* blocks(buffer) {
  const view = new DataView(buffer);
  let at = 0;
  while (at + HEADER <= buffer.byteLength) {
    const rowCount = view.getUint8(at + 1);
    const count = view.getUint16(at + 2, true);
    const block = {
      bed: view.getUint32(at + 4, true),
      epoch: view.getUint32(at + 8, true),
      start: view.getFloat64(at + 12, true),
      cameMs: view.getFloat64(at + 20, true),
      rateHz: view.getFloat32(at + 28, true),
      count,
      rows: new Map(),
    };
    let data = at + HEADER + rowCount + (rowCount % 2);
    for (let i = 0; i < rowCount; i++) {
      block.rows.set(view.getUint8(at + HEADER + i), new Int16Array(buffer, data, count));
      data += 2 * count;
    }
    at = data;
    yield block;
  }
}
