// SPDX-License-Identifier: GPL-3.0-or-later
// The last day: the list of alarms, of all beds or of one, and a bed's trend.

import { element, say } from "./dom.js";
import { ask } from "./link.js";
import { fit, palette } from "./trace_painter.js";

const AGAIN_MS = 10000;
const DAY_S = 24 * 3600;
const MOST_BPM = 220;
const LEAST_BPM = 20;
const BREAK_S = 25; // points further apart have nothing between them

const WHAT = { rises: "rises", ends: "ends", silenced: "silenced" };

async function kept(address) {
  const answer = await ask(address);
  return answer.ok ? answer.json() : null;
}

function csv(address, text) {
  return element("a", { href: address, download: true, text });
}

/** All alarms of the last day, or those of one bed with its trend. */
export class HistoryView {
  /** bed is a number, or null for all; back shows what was seen before. */
  constructor(stage, bed, back) {
    this.bed = bed;
    this.base = bed === null ? "" : `beds/${bed}/`;
    this.title = element("h2", { text: bed === null ? "Alarms of the last 24 h" : "The last 24 h" });
    this.note = element("p", { role: "status" });
    this.rows = element("tbody");
    this.canvas = element("canvas", { role: "img", "aria-label": "heart rate of the last 24 hours" });
    const head = element("tr", {}, ...["Time", "Bed", "Alarm", "", "Why"].map((text) => element("th", { scope: "col", text })));
    stage.replaceChildren(element("div", { class: "history" },
      element("div", { class: "row" }, element("button", { type: "button", text: "Back", onclick: back }), this.title,
        csv(`${this.base}alarms.csv`, "alarms as CSV"),
        ...(bed === null ? [] : [csv(`${this.base}trend.csv`, "trend as CSV")])),
      ...(bed === null ? [] : [element("div", { class: "trend" }, this.canvas)]),
      this.note, element("table", {}, element("thead", {}, head), this.rows)));
    this.key = (event) => { if (event.key === "Escape") back(); };
    document.addEventListener("keydown", this.key);
    this.points = [];
    this.colours = palette();
    this.again = true;
    this.load();
    this.timer = setInterval(() => this.load(), AGAIN_MS);
  }

  end() {
    clearInterval(this.timer);
    document.removeEventListener("keydown", this.key);
  }

  restyle() {
    this.colours = palette();
    this.again = true;
  }

  async load() {
    const [alarms, trend] = await Promise.all([
      kept(`${this.base}alarms.json`), this.bed === null ? null : kept(`${this.base}trend.json`),
    ]).catch(() => [null, null]);
    if (alarms === null) {
      say(this.note, "nothing is kept here, or the connection is lost");
      return;
    }
    say(this.note, alarms.alarms.length ? "" : "no alarm in the last 24 h");
    this.rows.replaceChildren(...alarms.alarms.map((each) => element("tr", { class: each.what },
      element("td", { text: new Date(1000 * each.at_s).toLocaleString() }), element("td", { text: each.bed }),
      element("td", { text: each.kind }), element("td", { text: WHAT[each.what] ?? each.what }),
      element("td", { text: each.why }))));
    this.points = trend?.points ?? [];
    this.again = true;
  }

  tell(statuses) {
    this.status = statuses.find((each) => each.bed === this.bed);
    if (this.status) say(this.title, `${this.status.name}: the last 24 h`);
  }

  paint() {
    if (this.bed === null || (!fit(this.canvas) && !this.again)) return;
    this.again = false;
    const context = this.canvas.getContext("2d", { alpha: false });
    const { width, height } = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    const nowS = Date.now() / 1000;
    const x = (s) => (1 - (nowS - s) / DAY_S) * width;
    const y = (bpm) => height - (Math.min(Math.max(bpm, LEAST_BPM), MOST_BPM) - LEAST_BPM) / (MOST_BPM - LEAST_BPM) * height;
    context.fillStyle = this.colours.paper;
    context.fillRect(0, 0, width, height);
    context.font = `${11 * ratio}px sans-serif`;
    context.textBaseline = "bottom";
    for (let bpm = 40; bpm <= 200; bpm += 40) {
      context.fillStyle = this.colours["grid-5-mm"];
      context.fillRect(0, Math.round(y(bpm)), width, 1);
      context.fillStyle = this.colours["soft-ink"];
      context.fillText(`${bpm} bpm`, 3 * ratio, y(bpm));
    }
    for (let hours = 3; hours < 24; hours += 3) {
      context.fillStyle = this.colours["grid-5-mm"];
      context.fillRect(Math.round(x(nowS - 3600 * hours)), 0, 1, height);
      context.fillStyle = this.colours["soft-ink"];
      context.fillText(`\u2212${hours} h`, x(nowS - 3600 * hours) + 3 * ratio, height);
    }
    this.#points(context, x, y, ratio);
  }

  #points(context, x, y, ratio) {
    const { height } = context.canvas;
    const least = Math.max(1, (x(10) - x(0)));
    let before = null;
    context.strokeStyle = this.colours.ink;
    context.lineWidth = 1.4 * ratio;
    context.beginPath();
    for (const [atS, bpm, quality, lost] of this.points) {
      if (lost > 0 || quality === null) { // along the foot: losses, and what could not be judged
        context.fillStyle = this.colours.warning;
        context.fillRect(x(atS) - least, height - 5 * ratio, least, 5 * ratio);
      } else if (quality !== "") {
        context.fillStyle = this.colours.settling;
        context.fillRect(x(atS) - least, height - 5 * ratio, least, 5 * ratio);
      }
      if (bpm === null) {
        before = null;
        continue;
      }
      if (before !== null && atS - before < BREAK_S) context.lineTo(x(atS), y(bpm));
      else context.moveTo(x(atS), y(bpm));
      before = atS;
    }
    context.stroke();
    if (this.status) {
      context.strokeStyle = this.colours.warning;
      context.lineWidth = ratio;
      context.setLineDash([6 * ratio, 4 * ratio]);
      for (const bpm of [this.status.low_bpm, this.status.high_bpm]) {
        context.beginPath();
        context.moveTo(0, y(bpm));
        context.lineTo(context.canvas.width, y(bpm));
        context.stroke();
      }
      context.setLineDash([]);
    }
  }
}
