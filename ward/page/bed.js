// SPDX-License-Identifier: GPL-3.0-or-later
// One bed: twelve leads on true paper, as at the bedside.

import * as calipers from "./calipers.js";
import { bell, crossBell, element, mark, say, set, showAlarms } from "./dom.js";
import { drawPaper, GAINS, layOut, LAYOUTS, layoutFor, RHYTHM, SPEEDS } from "./paper.js";
import { drawBand, drawRow, fit, palette, seam, sweepPieces } from "./trace_painter.js";
import { MEASURED } from "./wire.js";
import * as words from "./words.js";

const LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
const GAP_S = 0.25;
const USUAL_MM = 96 / 25.4;

const KEYS = {
  " ": "freeze", "s": "sweep", "b": "band", "l": "layout", "+": "larger", "=": "larger", "-": "smaller",
  "]": "faster", "[": "slower", "c": "calipers", "x": "silence", "Escape": "back",
};

function kept(name, usual, allowed) {
  const value = localStorage.getItem(name);
  const known = typeof usual === "number" ? Number(value) : value;
  return value !== null && allowed(known) ? known : usual;
}

const yes = (value) => value === "yes" || value === "no";

export class BedView {
  /** doing: {back, allowed, silence} */
  constructor(stage, bed, doing) {
    this.bed = bed;
    this.doing = doing;
    this.look = {
      layout: kept("layout", "", (name) => name in LAYOUTS),
      mmPerS: kept("mm-per-s", 25, (value) => SPEEDS.includes(value)),
      mmPerMv: kept("mm-per-mv", 10, (value) => GAINS.includes(value)),
      pxPerMm: kept("px-per-mm", USUAL_MM, (value) => value > 0.5 && value < 40),
      sweep: kept("sweep", "yes", yes) === "yes",
      band: kept("band", "yes", yes) === "yes",
    };
    this.frozen = null; // {edge, traces}: what is looked at while the picture is held
    this.calipers = null;
    this.colours = palette();
    this.#build(stage);
    this.key = (event) => this.#onKey(event);
    document.addEventListener("keydown", this.key);
    this.stale = true;
  }

  end() {
    document.removeEventListener("keydown", this.key);
  }

  restyle() {
    this.colours = palette();
    this.stale = true;
  }

  #build(stage) {
    const button = (name, what, text) => element("button", {
      type: "button", "data-do": what, title: `${text} (${name})`, text, onclick: () => this.#do(what),
    });
    this.name = element("h2");
    this.freezeButton = button("Space", "freeze", "Freeze");
    this.sweepButton = button("S", "sweep", "Sweep");
    this.bandButton = button("B", "band", "Band");
    this.calipersButton = button("C", "calipers", "Calipers");
    this.silenceButton = button("X", "silence", "Silence");
    this.silenceButton.hidden = true;
    this.scaleWords = element("output", { "aria-label": "paper speed and gain" });
    this.frozenWords = element("span", { class: "frozen", hidden: true, role: "status" });
    const row = element("div", { class: "row", role: "toolbar", "aria-label": "Paper" },
      button("Esc", "back", "All beds"), this.name, this.freezeButton, this.sweepButton, this.bandButton,
      this.calipersButton, button("L", "layout", "Layout"), button("[", "slower", "Slower"),
      button("]", "faster", "Faster"), button("-", "smaller", "Smaller"), button("+", "larger", "Larger"),
      button("hold a ruler to the grid", "mm-", "mm \u2212"), button("hold a ruler to the grid", "mm+", "mm +"),
      element("button", { type: "button", text: "24 h", title: "trend and alarms of the last day",
        onclick: () => this.doing.history() }),
      this.scaleWords, this.silenceButton, this.frozenWords);
    this.alarm = element("div", { class: "alarm", hidden: true });
    this.canvas = element("canvas", { tabindex: "0", role: "img" });
    this.curtain = element("div", { class: "curtain", hidden: true }, element("span"));
    this.bpm = element("div", { class: "bpm" });
    this.limits = element("span", { class: "limits" });
    this.bell = bell();
    this.sound = element("span", { class: "sound" });
    this.facts = new Map();
    const list = element("dl", { class: "more" });
    for (const name of ["State", "Lead I", "Sample age", "Lost", "Recording", "Model", "Source", "Latency"]) {
      const value = element("dd", { text: words.UNKNOWN });
      this.facts.set(name, value);
      list.append(element("dt", { text: name }), value);
    }
    this.measuredWords = element("span", { text: "Lead I: measured" });
    const legend = element("ul", { class: "legend more" },
      element("li", {}, element("i", { class: "measured" }), this.measuredWords),
      element("li", {}, element("i", { class: "reconstructed" }), "reconstructed: an estimate"),
      element("li", {}, element("i", { class: "settling" }), "grey: not to be trusted"));
    this.numbers = element("aside", { "aria-label": "Numbers" }, this.bpm,
      element("div", {}, this.limits, " bpm ", this.bell, " ", this.sound), list, legend);
    stage.replaceChildren(element("div", { class: "bed" }, row, this.alarm,
      element("div", { class: "picture" }, this.canvas, this.curtain), this.numbers));
    this.#pointer();
    this.#sayLook();
  }

  // ---- what the user does

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    if (event.key.startsWith("Arrow") && this.calipers && event.target === this.canvas) {
      this.#nudge(event.key, event.shiftKey);
      event.preventDefault();
      return;
    }
    const what = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (what === undefined || (event.key === " " && event.target.matches("button"))) return;
    event.preventDefault();
    this.#do(what);
  }

  #do(what) {
    const look = this.look;
    const step = (values, now, by) => values[Math.min(Math.max(values.indexOf(now) + by, 0), values.length - 1)];
    const names = Object.keys(LAYOUTS);
    switch (what) {
      case "back": this.doing.back(); return;
      case "freeze": this.#freeze(); break;
      case "silence": if (!this.silenceButton.hidden) this.doing.silence(); return;
      case "sweep": look.sweep = !look.sweep; break;
      case "band": look.band = !look.band; break;
      case "layout": look.layout = names[(names.indexOf(this.layout) + 1) % names.length]; break;
      case "faster": look.mmPerS = step(SPEEDS, look.mmPerS, 1); break;
      case "slower": look.mmPerS = step(SPEEDS, look.mmPerS, -1); break;
      case "larger": look.mmPerMv = step(GAINS, look.mmPerMv, 1); break;
      case "smaller": look.mmPerMv = step(GAINS, look.mmPerMv, -1); break;
      case "mm+": look.pxPerMm *= 1.01; break;
      case "mm-": look.pxPerMm /= 1.01; break;
      case "calipers": this.#toggleCalipers(); break;
    }
    if (look.layout) localStorage.setItem("layout", look.layout);
    localStorage.setItem("mm-per-s", look.mmPerS);
    localStorage.setItem("mm-per-mv", look.mmPerMv);
    localStorage.setItem("px-per-mm", look.pxPerMm);
    localStorage.setItem("sweep", look.sweep ? "yes" : "no");
    localStorage.setItem("band", look.band ? "yes" : "no");
    this.stale = true;
    this.#sayLook();
  }

  #freeze() {
    if (this.frozen) {
      this.frozen = this.calipers = null;
    } else if (this.traces && this.traces.rateHz) {
      const rings = new Map([...this.traces.rings].map(([row, ring]) => [row, ring.slice()]));
      const { rateHz, first, stop, size } = this.traces;
      const edge = Math.floor(this.traces.edgeAt(performance.now() / 1000)); // none is known before the first picture
      this.frozen = { traces: { rings, rateHz, first, stop, size }, edge, at: new Date() };
    }
  }

  #toggleCalipers() {
    if (this.calipers) {
      this.calipers = null;
      return;
    }
    if (!this.frozen) this.#freeze();
    const area = this.areas?.find((each) => each.lead === "I") ?? this.areas?.[0];
    if (!this.frozen || !area) return;
    const middle = this.#instant(area, (area.left + area.right) / 2);
    this.calipers = { lead: area.lead, beginS: middle - 0.4, endS: middle, beginMv: 0, endMv: 0 };
    this.canvas.focus();
  }

  #nudge(key, other) {
    const end = other ? "begin" : "end";
    const stepS = 1 / this.frozen.traces.rateHz;
    if (key === "ArrowLeft") this.calipers[`${end}S`] -= stepS;
    if (key === "ArrowRight") this.calipers[`${end}S`] += stepS;
    if (key === "ArrowUp") this.calipers[`${end}Mv`] += 0.02;
    if (key === "ArrowDown") this.calipers[`${end}Mv`] -= 0.02;
    this.stale = true;
    this.#sayLook();
  }

  #pointer() {
    const spot = (event) => {
      const box = this.canvas.getBoundingClientRect();
      const ratio = this.canvas.width / box.width;
      return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      const [x, y] = spot(event);
      if (!this.frozen) this.#freeze();
      const area = this.areas?.find((each) => y >= each.top && y < each.bottom && x >= each.left && x <= each.right);
      if (!area || !this.frozen) return;
      this.canvas.setPointerCapture(event.pointerId);
      const at = { s: this.#instant(area, x), mv: this.#millivolts(area, y) };
      const near = (s) => this.calipers?.lead === area.lead && Math.abs(s - at.s) * this.pxPerS < 24;
      if (this.calipers && near(this.calipers.beginS)) this.grip = "begin";
      else if (this.calipers && near(this.calipers.endS)) this.grip = "end";
      else {
        this.grip = "end";
        this.calipers = { lead: area.lead, beginS: at.s, endS: at.s, beginMv: at.mv, endMv: at.mv };
      }
      this.gripArea = area;
      this.stale = true;
      this.#sayLook();
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.grip || !this.calipers || !this.canvas.hasPointerCapture(event.pointerId)) return;
      const [x, y] = spot(event);
      this.calipers[`${this.grip}S`] = this.#instant(this.gripArea, x);
      this.calipers[`${this.grip}Mv`] = this.#millivolts(this.gripArea, y);
      this.stale = true;
      this.#sayLook();
    });
    this.canvas.addEventListener("pointerup", () => { this.grip = null; });
  }

  // ---- where things are; a frozen picture runs from left to right

  #instant(area, x) {
    return this.frozen.edge / this.frozen.traces.rateHz - (area.right - x) / this.pxPerS;
  }

  #millivolts(area, y) {
    return (area.baseline - y) / this.pxPerMv;
  }

  // ---- what is said

  #sayLook() {
    const look = this.look;
    say(this.scaleWords, `${look.mmPerS} mm/s  ${look.mmPerMv} mm/mV`);
    for (const [button, on] of [[this.sweepButton, look.sweep], [this.bandButton, look.band],
      [this.freezeButton, this.frozen !== null], [this.calipersButton, this.calipers !== null]]) {
      set(button, "aria-pressed", String(on));
    }
    this.frozenWords.hidden = this.frozen === null;
    if (this.frozen) {
      const measured = this.calipers ? `: ${calipers.words(this.calipers)} ${calipers.where(this.#measuredLead())}` : "";
      say(this.frozenWords, `frozen at ${this.frozen.at.toLocaleTimeString()}${measured}`);
    }
  }

  #measuredLead() {
    return this.calipers.lead === RHYTHM ? { ...this.calipers, lead: "I" } : this.calipers;
  }

  tell(statuses, cameS, nowS, connected) {
    const status = statuses.find((each) => each.bed === this.bed);
    this.numbers.hidden = status === undefined;
    if (status === undefined) {
      this.#tellNone(connected ? "there is no such bed" : "no connection");
      return;
    }
    this.status = status;
    const age = words.ageS(status, cameS, nowS);
    const old = !connected || (status.state !== "paused" && !(age <= words.OLD_S));
    say(this.name, status.name);
    say(this.bpm, old ? words.UNKNOWN : words.bpm(status));
    mark(this.bpm, "wrong", status.alarms.some((alarm) => !alarm.technical));
    say(this.limits, words.limits(status));
    const quiet = words.silenced(status);
    crossBell(this.bell, words.sound(status) !== "", words.sound(status) || "alarms are on");
    say(this.sound, words.sound(status));
    showAlarms(this.alarm, status);
    this.silenceButton.hidden = status.alarms.length === 0 || quiet || !this.doing.allowed().includes("silence");
    this.#facts(status, age, old);
    this.curtain.hidden = !old || this.frozen !== null;
    const reason = status.epoch === 0 ? status.news || words.state(status) : `data old: ${words.duration(age)}`;
    say(this.curtain.firstElementChild, connected ? reason : "data old: no connection");
    set(this.canvas, "aria-label", `Twelve leads of ${words.spoken(status, old, age)}. Lead I measured, eleven reconstructed.`);
  }

  #tellNone(why) {
    this.alarm.hidden = this.silenceButton.hidden = true;
    this.curtain.hidden = this.frozen !== null;
    say(this.curtain.firstElementChild, why);
    set(this.canvas, "aria-label", why);
  }

  #facts(status, age, old) {
    const fact = (name, text, wrong = false) => {
      say(this.facts.get(name), text);
      mark(this.facts.get(name), "wrong", wrong);
    };
    const [quality, wrong] = words.quality(status);
    fact("State", words.state(status), ["stale", "reconnecting"].includes(status.state) || words.untrusted(status));
    fact("Lead I", quality, wrong);
    fact("Sample age", status.state === "paused" ? "paused" : words.duration(age), old);
    fact("Lost", String(status.lost), status.lost > 0);
    fact("Recording", status.recording ? "on" : "off");
    const stream = status.stream;
    if (stream === null) return;
    const model = [stream.model, status.recalibrate ? "recalibrate" : "", stream.caution];
    fact("Model", model.filter(Boolean).join(", "), status.recalibrate);
    fact("Source", stream.source + (stream.device ? `, ${stream.device}` : ""));
    fact("Latency", `${stream.algorithmic_ms.toFixed(0)} ms by the algorithm`);
    say(this.measuredWords, stream.is_lead_i ? "Lead I: measured" : `${stream.lead}: measured, not Lead I`);
  }

  // ---- the picture

  paint(allTraces, lead, nowS) {
    const traces = allTraces.get(this.bed);
    if (this.traces !== traces) [this.traces, this.stale] = [traces, true];
    const canvas = this.canvas;
    if (fit(canvas)) this.stale = true;
    const context = canvas.getContext("2d", { alpha: false });
    if (this.stale) this.#prepare(context);
    if (traces && traces.rateHz) {
      const edge = Math.floor(traces.edgeAt(nowS));
      if (traces.epoch !== this.epoch) [this.epoch, this.stale] = [traces.epoch, true];
      if (this.frozen) {
        if (this.stale) this.#whole(context, this.frozen.traces, this.frozen.edge);
      } else if (!this.look.sweep) this.#whole(context, traces, edge);
      else this.#sweep(context, traces, edge);
    } else if (this.stale) context.drawImage(this.paper, 0, 0);
    this.stale = false;
  }

  #prepare(context) {
    const { width, height } = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    const pxPerMm = this.look.pxPerMm * ratio;
    this.layout = this.look.layout || layoutFor(width / ratio, height / ratio);
    this.scale = { pxPerMm, mmPerS: this.look.mmPerS, mmPerMv: this.look.mmPerMv };
    this.pxPerS = pxPerMm * this.look.mmPerS;
    this.pxPerMv = pxPerMm * this.look.mmPerMv;
    this.areas = layOut(this.layout, width, height, this.scale);
    this.paper = new OffscreenCanvas(width, height);
    drawPaper(this.paper.getContext("2d", { alpha: false }), width, height, this.areas, this.scale, this.colours);
    this.drawn = NaN;
  }

  /** Everything, the edge at the right. */
  #whole(context, traces, edge) {
    context.drawImage(this.paper, 0, 0);
    for (const area of this.areas) {
      const perSample = this.pxPerS / traces.rateHz;
      const first = edge - (area.right - area.left) / perSample;
      this.#trace(context, traces, area, first, edge, (index) => area.right - (edge - index) * perSample);
    }
    this.#names(context);
    if (this.calipers) this.#drawCalipers(context);
  }

  /** What is new since the last picture, behind a bar that runs. */
  #sweep(context, traces, edge) {
    if (Number.isNaN(this.drawn) || this.stale || edge < this.drawn) {
      context.drawImage(this.paper, 0, 0);
      this.drawn = -Infinity;
    }
    if (edge === this.drawn) return;
    const perSample = this.pxPerS / traces.rateHz;
    for (const area of this.areas) {
      const span = Math.max(1, Math.floor((area.right - area.left) / perSample));
      const gap = Math.round(GAP_S * traces.rateHz);
      const first = Math.max(this.drawn - seam(perSample), edge - span + gap);
      for (const [from, to, before] of sweepPieces(first, edge, span)) {
        const x = (index) => area.left + (index - from + from % span) * perSample;
        const left = Math.floor(x(from));
        this.#restore(context, area, left, x(to + (to === edge ? gap : 0)));
        this.#trace(context, traces, area, from - before, to, x, [left, area.right]);
      }
      const over = edge % span + gap - span;
      if (over > 0) this.#restore(context, area, area.left, area.left + over * perSample);
    }
    this.drawn = edge;
    this.#names(context);
  }

  #restore(context, area, left, right) {
    const wide = Math.min(Math.ceil(right), area.right) - left;
    const tall = area.bottom - area.top;
    if (wide > 0) context.drawImage(this.paper, left, area.top, wide, tall, left, area.top, wide, tall);
  }

  #trace(context, traces, area, first, stop, x, clip = [area.left, area.right]) {
    const rhythm = area.lead === RHYTHM;
    const row = rhythm ? MEASURED : LEADS.indexOf(area.lead);
    const measured = rhythm || row === 0;
    const ratio = window.devicePixelRatio || 1;
    const y = (uv) => area.baseline - uv / 1000 * this.pxPerMv;
    context.save();
    context.beginPath();
    context.rect(clip[0], area.top, clip[1] - clip[0], area.bottom - area.top);
    context.clip();
    context.lineJoin = "round";
    if (this.look.band && !measured) drawBand(context, traces, row, first, stop, x, y, this.colours.ribbon);
    drawRow(context, traces, row, first, stop, x, y, {
      stroke: measured ? this.colours.measured : this.colours.reconstructed,
      faint: this.colours.settling,
      width: (measured ? 2 : 1.2) * ratio,
    });
    context.restore();
  }

  /** Beside each trace: its lead, and whether it was measured. */
  #names(context) {
    const ratio = window.devicePixelRatio || 1;
    const stream = this.status?.stream;
    const isLeadI = stream?.is_lead_i ?? true;
    context.textBaseline = "top";
    for (const area of this.areas) {
      const rhythm = area.lead === RHYTHM;
      const measured = rhythm || area.lead === "I";
      const name = rhythm ? (isLeadI ? "I" : stream.lead) : area.lead;
      let about = measured ? "measured" : "reconstructed";
      if (rhythm) about = `as measured ${stream?.band ?? ""}`;
      else if (!isLeadI) about = measured ? `measured: ${stream.lead}, not Lead I` : "reconstructed, input is not Lead I";
      context.font = `bold ${14 * ratio}px sans-serif`;
      const wide = context.measureText(name).width;
      context.font = `${11 * ratio}px sans-serif`;
      const aside = context.measureText(about).width;
      const left = area.left + 2 * ratio, top = area.top + 2 * ratio;
      context.fillStyle = this.colours.paper;
      context.fillRect(left - ratio, top, Math.min(wide + aside + 10 * ratio, area.right - left), 15 * ratio);
      context.font = `bold ${14 * ratio}px sans-serif`;
      context.fillStyle = measured ? this.colours.measured : this.colours.ink;
      context.fillText(name, left, top);
      context.font = `${11 * ratio}px sans-serif`;
      context.fillStyle = measured ? this.colours.measured : this.colours.reconstructed;
      context.fillText(about, left + wide + 6 * ratio, top + 2 * ratio, Math.max(10, area.right - left - wide - 6 * ratio));
    }
  }

  #drawCalipers(context) {
    const area = this.areas.find((each) => each.lead === this.calipers.lead);
    if (!area) return;
    const ratio = window.devicePixelRatio || 1;
    const edgeS = this.frozen.edge / this.frozen.traces.rateHz;
    const x = (s) => area.right - (edgeS - s) * this.pxPerS;
    const y = (mv) => area.baseline - mv * this.pxPerMv;
    const { beginS, endS, beginMv, endMv } = this.calipers;
    context.strokeStyle = context.fillStyle = this.colours.warning;
    context.lineWidth = 1.5 * ratio;
    for (const [s, mv] of [[beginS, beginMv], [endS, endMv]]) {
      context.beginPath();
      context.moveTo(x(s), area.top);
      context.lineTo(x(s), area.bottom);
      context.moveTo(x(s) - 9 * ratio, y(mv));
      context.lineTo(x(s) + 9 * ratio, y(mv));
      context.stroke();
      context.beginPath();
      context.arc(x(s), y(mv), 5 * ratio, 0, 7);
      context.fill();
    }
  }
}
