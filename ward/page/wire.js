// SPDX-License-Identifier: GPL-3.0-or-later
// The binary blocks of ward/wire.py: version, rows, bed, epoch, start, when it came, rate, samples.

export const MISSING = -32768;
export const MEASURED = 12;
export const HALF_WIDTH = 13;
export const FLAGS = 25;
export const SETTLING = 1;
export const UNTRUSTED = 2;
const HEADER = 32;

/** The blocks of one message: {bed, epoch, start, cameMs, rateHz, count, rows: Map of row number to Int16Array}. */
export function* blocks(buffer) {
  const view = new DataView(buffer);
  let at = 0;
  while (at + HEADER <= buffer.byteLength) {
    if (view.getUint8(at) !== 1) throw new Error("another version of the page is needed: load it again");
    const rowCount = view.getUint8(at + 1);
    const count = view.getUint16(at + 28, true);
    const block = {
      bed: view.getUint16(at + 2, true),
      epoch: view.getUint32(at + 4, true),
      start: view.getFloat64(at + 8, true),
      cameMs: view.getFloat64(at + 16, true),
      rateHz: view.getFloat32(at + 24, true),
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
