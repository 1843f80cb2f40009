// SPDX-License-Identifier: GPL-3.0-or-later
// All beds at once.

import { bell, crossBell, element, mark, say, set, showAlarms } from "./dom.js";
import { drawRow, fit, palette, seam, sweepPieces } from "./trace_painter.js";
import * as words from "./words.js";

const WIDEST_S = 10;
const PX_PER_MM = 96 / 25.4;
const MM_PER_S = 25;
const GAP_S = 0.25; // the bar that runs ahead of a sweep

class Tile {
  constructor(status, open) {
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.open = element("button", { class: "open", type: "button", onclick: () => open(status.bed) });
    this.state = element("span", { class: "state" });
    this.alarm = element("div", { class: "alarm", hidden: true });
    this.curtain = element("div", { class: "curtain", hidden: true }, element("span"));
    this.bpm = element("div", { class: "bpm" });
    this.limits = element("span", { class: "limits" });
    this.bell = bell();
    this.sound = element("span", { class: "sound" });
    this.quality = element("span");
    this.age = element("span");
    this.lost = element("span");
    this.news = element("span");
    this.root = element(
      "li", { class: "tile", "data-bed": status.bed },
      element("div", { class: "head" }, this.open, this.state), this.alarm,
      element("div", { class: "picture" }, this.canvas, this.curtain),
      element("div", { class: "numbers", "aria-hidden": "true" }, this.bpm, this.limits, " ", this.bell,
        element("div", {}, this.sound)),
      element("div", { class: "foot", "aria-hidden": "true" }, this.quality, this.age, this.lost, this.news),
    );
    this.root.addEventListener("click", () => open(status.bed));
    this.drawn = NaN;
    this.gain = 10;
  }

  /** Say how the bed stands. */
  tell(status, cameS, nowS, connected) {
    const age = words.ageS(status, cameS, nowS);
    const old = !connected || (status.state !== "paused" && !(age <= words.OLD_S));
    this.old = old;
    say(this.open, status.name);
    set(this.open, "aria-label", words.spoken(status, old, age));
    say(this.state, words.state(status));
    mark(this.state, "wrong", ["stale", "reconnecting"].includes(status.state) || words.untrusted(status));
    say(this.bpm, old ? words.UNKNOWN : words.bpm(status));
    say(this.limits, words.limits(status));
    const quiet = words.silenced(status);
    crossBell(this.bell, words.sound(status) !== "", words.sound(status) || "alarms are on");
    say(this.sound, words.sound(status));
    const [quality, wrong] = words.quality(status);
    say(this.quality, quality);
    mark(this.quality, "wrong", wrong);
    say(this.age, Number.isFinite(age) ? `${words.duration(age)} old` : "");
    say(this.lost, status.lost ? `lost ${status.lost}` : "");
    mark(this.lost, "wrong", status.lost > 0);
    say(this.news, status.stream && !status.stream.is_lead_i ? "input is not Lead I" : "");
    mark(this.news, "wrong", true);
    this.#alarm(status, quiet);
    const covered = old && status.epoch > 0 || status.epoch === 0;
    this.curtain.hidden = !covered;
    const reason = status.epoch === 0 ? status.news || words.state(status)
      : status.state === "ended" ? "ended: data old" : `data old: ${words.duration(age)}`;
    if (covered) {
      say(this.curtain.firstElementChild, connected ? reason : "data old: no connection");
      set(this.curtain.firstElementChild, "title", this.curtain.firstElementChild.textContent);
    }
  }

  #alarm(status, quiet) {
    showAlarms(this.alarm, status);
    mark(this.root, "alarming", status.alarms.length > 0 && !quiet);
  }

  /** Bring the picture up to the edge; only the columns that are new. */
  paint(traces, lead, colours, nowS, again) {
    const canvas = this.canvas;
    const context = canvas.getContext("2d", { alpha: false });
    const resized = fit(canvas);
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = canvas;
    if (resized || again || this.epoch !== traces?.epoch || this.lead !== lead) {
      context.fillStyle = colours.paper;
      context.fillRect(0, 0, width, height);
      this.drawn = NaN;
      this.epoch = traces?.epoch;
      this.lead = lead;
    }
    if (traces === undefined || traces.rateHz === 0) return;
    const shownS = Math.min(WIDEST_S, width / ratio / (PX_PER_MM * MM_PER_S));
    const span = Math.max(1, Math.round(shownS * traces.rateHz));
    const edge = Math.floor(traces.edgeAt(nowS));
    const gap = Math.round(GAP_S * traces.rateHz);
    if (edge === this.drawn) return;
    const perSample = width / span;
    const first = Math.max(Number.isNaN(this.drawn) ? -Infinity : this.drawn - seam(perSample), edge - span + gap);
    context.fillStyle = colours.paper;
    const rows = [[0, "measured", 1.5], [lead, lead === 0 ? "measured" : "reconstructed", 1.1]];
    for (const [from, to, before] of sweepPieces(first, edge, span)) {
      const x = (index) => (index - from + from % span) * perSample;
      const left = Math.floor(x(from));
      context.fillStyle = colours.paper;
      context.fillRect(left, 0, Math.ceil(x(to + (to === edge ? gap : 0))) - left, height);
      for (const [place, [row, name, line]] of rows.entries()) {
        const base = height * (place === 0 ? 0.3 : 0.8);
        const perUv = Math.min(PX_PER_MM * this.gain, height / ratio * 0.2) * ratio / 1000;
        context.save();
        context.beginPath();
        context.rect(left, place * height / 2, width - left, height / 2);
        context.clip();
        drawRow(context, traces, row, from - before, to, x, (uv) => base - uv * perUv,
          { stroke: colours[name], faint: colours.settling, width: line * ratio });
        context.restore();
      }
    }
    const over = edge % span + gap - span;
    if (over > 0) {
      context.fillStyle = colours.paper;
      context.fillRect(0, 0, Math.ceil(over * perSample), height);
    }
    this.drawn = edge;
  }
}

/** The grid of tiles. */
export class Tiles {
  constructor(stage, open) {
    this.list = element("ul", { class: "tiles", "aria-label": "Beds" });
    this.open = open;
    this.tiles = new Map();
    this.again = true;
    stage.replaceChildren(this.list);
    this.watch = new ResizeObserver(() => this.#columns());
    this.watch.observe(stage);
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.colours = palette();
  }

  end() {
    this.watch.disconnect();
  }

  restyle() {
    this.colours = palette();
    this.again = true;
  }

  tell(statuses, cameS, nowS, connected, urgentFirst, allTraces) {
    const known = new Set(statuses.map((status) => status.bed));
    for (const [bed, tile] of this.tiles) {
      if (!known.has(bed)) {
        tile.root.remove();
        this.tiles.delete(bed);
        allTraces.delete(bed);
      }
    }
    for (const status of statuses) {
      let tile = this.tiles.get(status.bed);
      if (tile === undefined) {
        tile = new Tile(status, this.open);
        this.tiles.set(status.bed, tile);
        this.list.append(tile.root);
        this.#columns();
      }
      tile.tell(status, cameS, nowS, connected);
    }
    this.#order(statuses, urgentFirst);
  }

  #order(statuses, urgentFirst) {
    const wanted = [...statuses];
    if (urgentFirst) {
      const weight = (status) => words.urgency(status, this.tiles.get(status.bed).old);
      wanted.sort((a, b) => weight(b) - weight(a) || a.bed - b.bed);
    }
    const held = document.activeElement;
    wanted.forEach((status, place) => {
      const root = this.tiles.get(status.bed).root;
      if (this.list.children[place] !== root) this.list.insertBefore(root, this.list.children[place] ?? null);
    });
    if (held !== document.activeElement && this.list.contains(held)) held.focus({ preventScroll: true });
  }

  /** As many columns as make the tiles a good shape. */
  #columns() {
    const { clientWidth: width, clientHeight: height } = this.list.parentElement;
    const count = Math.max(1, this.tiles.size);
    let best = 1, bestScore = -Infinity;
    for (let columns = 1; columns <= Math.min(count, 12); columns++) {
      const wide = width / columns;
      const tall = Math.max(118, height / Math.ceil(count / columns));
      const scrolls = tall * Math.ceil(count / columns) > height + 1;
      if (columns > 1 && wide < 240) break;
      const score = -Math.abs(Math.log(wide / tall / 2.6)) - (scrolls ? 1 : 0);
      if (score > bestScore) [best, bestScore] = [columns, score];
    }
    this.columns = best;
    this.list.style.setProperty("--columns", best);
  }

  #key(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    const step = steps[event.key];
    const tile = event.target.closest(".tile");
    if (step === undefined || tile === null) return;
    const all = [...this.list.children];
    all[all.indexOf(tile) + step]?.querySelector(".open").focus();
    event.preventDefault();
  }

  paint(allTraces, lead, nowS) {
    const again = this.again;
    this.again = false;
    for (const [bed, tile] of this.tiles) tile.paint(allTraces.get(bed), lead, this.colours, nowS, again);
  }
}
