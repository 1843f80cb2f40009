// SPDX-License-Identifier: GPL-3.0-or-later
// How a bed's facts read.  What an alarm says, and every state, comes from the server as the bedside has it.

export const UNKNOWN = "--";
export const OLD_S = 2;

export function bpm(status) {
  return status.bpm === null ? UNKNOWN : status.bpm.toFixed(0);
}

export function limits(status) {
  return `${status.low_bpm.toFixed(0)}-${status.high_bpm.toFixed(0)}`;
}

export function quality(status) {
  if (status.old) return [UNKNOWN, false];
  if (status.quality === null) return ["checking", false];
  return status.quality.length ? [status.quality.join(", "), true] : ["good", false];
}

/** Seconds since the newest sample was taken, nowS after the status came at cameS. */
export function ageS(status, cameS, nowS) {
  return status.age_s === null ? NaN : status.age_s + nowS - cameS;
}

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return UNKNOWN;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export function state(status) {
  if (status.state === "live" && untrusted(status)) return `${status.state_words}, input not to be trusted`;
  return status.state_words;
}

export function untrusted(status) {
  return status.quality !== null && status.quality.some((one) => one === "out of range" || one === "no contact");
}

/** Whether an alarm stands, here or at the bedside; what is said of a lead's quality there is none. */
export function alarming(status) {
  return status.alarms.length > 0 || status.bedside.some((text) => !text.startsWith("quality "));
}

/** The names of the alarms that stand; empty if none does. */
export function alarms(status) {
  return status.alarms.map((alarm) => alarm.name).join(", ");
}

/** What there is to say of the sound; empty while it is on. */
export function sound(status) {
  if (!status.sound) return "sound off";
  return status.silent_s > 0 ? `silent ${duration(Math.max(10, Math.ceil(status.silent_s)))}` : "";
}

export function silenced(status) {
  return status.alarms.length > 0 && status.alarms.every((alarm) => alarm.silenced);
}

/** How urgent a bed is, the larger the more: alarms about the heart, about the signal, no data, quality. */
export function urgency(status, old) {
  const loud = status.alarms.filter((alarm) => !alarm.silenced);
  if (loud.some((alarm) => alarm.priority === 3)) return 6;
  if (loud.some((alarm) => !alarm.technical)) return 5;
  if (loud.length) return 4;
  if (status.alarms.length || status.bedside.length) return 3;
  if (old && status.state !== "ended") return 2;
  return quality(status)[1] ? 1 : 0;
}

/** What a screen reader says of a bed. */
export function spoken(status, old, age) {
  const parts = [status.name, `heart rate ${status.bpm === null ? "unknown" : bpm(status)}`];
  if (status.alarms.length) parts.unshift(`${silenced(status) ? "silenced " : ""}alarm: ${alarms(status)}`);
  if (status.bedside.length) parts.push(`at the bedside: ${status.bedside.join(", ")}`);
  if (old) parts.push(`data old: ${duration(age)}`);
  parts.push(`quality ${quality(status)[0]}`, state(status));
  return parts.join(", ");
}
