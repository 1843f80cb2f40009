// SPDX-License-Identifier: GPL-3.0-or-later
// The page: who may look, the connection, and which view is shown.

import { element, mark, say } from "./dom.js";
import { BedView } from "./bed.js";
import { HistoryView } from "./history.js";
import { ask, Link, logIn } from "./link.js";
import { Tiles } from "./tiles.js";
import { Traces } from "./traces.js";
import { blocks, isOurs } from "./wire.js";
import * as words from "./words.js";

const SILENT_S = 2; // without a word of the server for so long, what is seen is old

const byId = (id) => document.getElementById(id);
const now = () => performance.now() / 1000;

const ward = {
  statuses: [],
  cameS: -Infinity,
  heardS: -Infinity,
  traces: new Map(),
  leads: [],
  allowed: [],
  leftOut: 0,
  view: null,
  bed: null,
  lead: localStorage.getItem("lead") ?? "II",
  spoken: "",
};

/** Figures for tests and measurements: how long samples took to the screen, and how often it was painted. */
window.wardFigures = { painted: 0, toPixelMs: [], message: 0 };

// ---- who may look, and the connection

const link = new Link({
  opened: () => {
    byId("login").hidden = true;
    say(byId("refused"), "");
    wish();
  },
  hear,
  unknown: () => {
    byId("login").hidden = false;
    byId("token").focus();
  },
});

/** Look, with the token if the address has one: it was opened, or pasted into this tab. */
async function begin() {
  const said = new URLSearchParams(location.hash.slice(1));
  if (said.has("token")) {
    const bed = said.get("bed");
    history.replaceState(null, "", location.pathname + (bed ? `#bed-${bed}` : "")); // no token in the address bar
    route();
    say(byId("refused"), await logIn(said.get("token")));
  }
  link.connect();
}

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = byId("token");
  const why = await logIn(field.value.trim().replace(/^.*#token=/, "").replace(/&.*$/, ""));
  say(byId("refused"), why);
  if (why === "") {
    field.value = "";
    link.connect();
  }
});

function wish() {
  link.say({ lead: ward.lead, bed: ward.bed });
}

function hear(data) {
  const nowS = now();
  ward.heardS = nowS;
  window.wardFigures.message++;
  if (typeof data !== "string") {
    if (!isOurs(data)) {
      location.reload();
      return;
    }
    for (const block of blocks(data)) {
      let traces = ward.traces.get(block.bed);
      if (traces === undefined) ward.traces.set(block.bed, (traces = new Traces()));
      traces.add(block, nowS);
    }
    return;
  }
  const said = JSON.parse(data);
  if (said.kind === "left out") {
    ward.leftOut = said.ticks;
    return;
  }
  ward.statuses = said.beds;
  ward.cameS = nowS;
  ward.allowed = said.allowed;
  if (ward.leads.length === 0) offerLeads(said.leads);
  tell();
  speak();
}

// ---- what is shown

function connected(nowS) {
  return nowS - ward.heardS < SILENT_S;
}

function tell() {
  const nowS = now();
  const linked = connected(nowS);
  const summary = byId("link");
  const alarming = ward.statuses.filter(words.alarming).length;
  const count = `${ward.statuses.length} ${ward.statuses.length === 1 ? "bed" : "beds"}`;
  const behind = ward.leftOut ? `, this browser was too slow ${ward.leftOut} times` : "";
  say(summary, linked ? `${count}, ${alarming || "none"} with alarms${behind}` : link.refused || "no connection: data old");
  mark(summary, "wrong", !linked || alarming > 0);
  say(byId("clock"), new Date().toLocaleTimeString());
  ward.view?.tell(ward.statuses, ward.cameS, nowS, linked, byId("urgent-first").checked, ward.traces);
}

/** Say alarms as they rise and end, once, to a screen reader. */
function speak() {
  const standing = ward.statuses.filter((status) => status.alarms.length)
    .map((status) => `${status.name}: ${words.alarms(status)}`).join(". ");
  if (standing !== ward.spoken) {
    ward.spoken = standing;
    say(byId("alarms"), standing || "no alarms");
  }
}

function offerLeads(leads) {
  ward.leads = leads;
  const select = byId("lead");
  select.replaceChildren(...leads.map((lead) => element("option", { value: lead, text: lead })));
  if (!leads.includes(ward.lead)) ward.lead = "II";
  select.value = ward.lead;
}

function show(bed, history) {
  ward.view?.end();
  ward.bed = bed;
  ward.traces.clear();
  for (const control of document.querySelectorAll(".of-tiles")) control.hidden = history || bed !== null;
  ward.view = history
    ? new HistoryView(byId("stage"), bed, () => { location.hash = bed === null ? "" : `bed-${bed}`; })
    : bed === null ? new Tiles(byId("stage"), (number) => { location.hash = `bed-${number}`; })
    : new BedView(byId("stage"), bed, {
      back: () => { location.hash = ""; },
      history: () => { location.hash = `bed-${bed}-trend`; },
      allowed: () => ward.allowed,
      silence: () => ask(`beds/${bed}/silence`, { method: "POST" }).catch(() => null),
    });
  wish();
  tell();
}

function route() {
  const found = /^#bed-(\d+)(-trend)?$/.exec(location.hash);
  const bed = found ? Number(found[1]) : null;
  const history = found ? found[2] !== undefined : location.hash === "#alarms";
  if (ward.view === null || bed !== ward.bed || history !== ward.history) {
    const from = ward.bed;
    ward.history = history;
    show(bed, history);
    if (bed === null && from !== null) document.querySelector(`[data-bed="${from}"] .open`)?.focus();
  }
}

byId("lead").addEventListener("change", (event) => {
  ward.lead = event.target.value;
  localStorage.setItem("lead", ward.lead);
  ward.traces.clear();
  wish();
});
byId("urgent-first").checked = localStorage.getItem("urgent-first") === "yes";
byId("urgent-first").addEventListener("change", (event) => {
  localStorage.setItem("urgent-first", event.target.checked ? "yes" : "no");
  tell();
});

function dress(look) {
  document.documentElement.dataset.look = look;
  say(byId("look"), look === "dark" ? "Light" : "Dark");
  localStorage.setItem("look", look);
  ward.view?.restyle();
}

byId("look").addEventListener("click", () => dress(document.documentElement.dataset.look === "dark" ? "light" : "dark"));
window.addEventListener("hashchange", () => { if (location.hash.startsWith("#token=")) begin(); else route(); });
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which view is shown
  byId("stage").focus();
});

// ---- each picture

function frame() {
  const nowS = now();
  ward.view?.paint(ward.traces, Math.max(0, ward.leads.indexOf(ward.lead)), nowS);
  const figures = window.wardFigures;
  figures.painted++;
  for (const traces of ward.traces.values()) {
    // Of samples that were not there at the last picture: from when they came to the program until they are drawn.
    if (traces.cameMs && traces.cameMs !== traces.timedMs) {
      traces.timedMs = traces.cameMs;
      const waits = Math.max(0, traces.stop - traces.edge) / traces.rateHz * 1000;
      figures.toPixelMs.push(Date.now() - traces.cameMs + waits);
      if (figures.toPixelMs.length > 20000) figures.toPixelMs.shift();
    }
  }
  requestAnimationFrame(frame);
}

dress(localStorage.getItem("look") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
route();
begin();
setInterval(tell, 250);
requestAnimationFrame(frame);
