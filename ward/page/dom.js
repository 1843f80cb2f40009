// SPDX-License-Identifier: GPL-3.0-or-later
// Elements by their tag; all text is set as text, never as markup.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** Set an element's text if it differs: a screen reader hears each change. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export function mark(target, name, on) {
  if (target.classList.contains(name) !== on) target.classList.toggle(name, on);
}

export function set(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

const SVG = "http://www.w3.org/2000/svg";

/** A bell; crossed while nothing sounds. */
export function bell() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "bell");
  svg.setAttribute("role", "img");
  for (const d of ["M4 14h12l-1.6-2.4V8a4.4 4.4 0 0 0-8.8 0v3.6z M8.5 16.5a1.6 1.6 0 0 0 3 0", "M3 2l15 16"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

export function crossBell(svg, crossed, why) {
  svg.lastElementChild.style.display = crossed ? "" : "none";
  mark(svg, "crossed", crossed);
  set(svg, "aria-label", why);
}

/** Show the alarms that stand in a banner, each in its colour, the most urgent first; its mark counts its priority. */
export function showAlarms(banner, status) {
  const count = status.alarms.length + status.bedside.length;
  while (banner.children.length > count) banner.lastElementChild.remove();
  while (banner.children.length < count) banner.append(element("span"));
  status.alarms.forEach((alarm, place) => {
    const sign = banner.children[place];
    const rank = alarm.technical ? "technical" : ["", "low", "medium", "high"][alarm.priority];
    const name = `sign ${rank}${alarm.silenced ? " silenced" : ""}`;
    if (sign.className !== name) sign.className = name;
    say(sign, `${"!".repeat(alarm.priority)} ${alarm.text}`);
  });
  status.bedside.forEach((text, place) => {
    const sign = banner.children[status.alarms.length + place];
    if (sign.className !== "sign bedside") sign.className = "sign bedside";
    say(sign, `at the bedside: ${text}`);
    sign.title = text;
  });
  banner.hidden = count === 0;
}
