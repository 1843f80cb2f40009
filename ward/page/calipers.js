// SPDX-License-Identifier: GPL-3.0-or-later
// Two points on the paper, and what lies between them; in the signal's own units.

const LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];

/** What calipers {lead, beginS, endS, beginMv, endMv} say. */
export function words(calipers) {
  const ms = 1000 * Math.abs(calipers.endS - calipers.beginS);
  const mv = calipers.endMv - calipers.beginMv;
  const bpm = ms >= 150 && ms <= 6000 ? `   ${(60000 / ms).toFixed(0)} bpm` : "";
  return `${ms.toFixed(0)} ms   ${mv >= 0 ? "+" : "\u2212"}${Math.abs(mv).toFixed(2)} mV${bpm}`;
}

/** On which lead they measure, and whether that is an estimate. */
export function where(calipers) {
  if (!LEADS.slice(1).includes(calipers.lead)) return "on I, measured";
  return `on ${calipers.lead}: reconstructed, an estimate`;
}
