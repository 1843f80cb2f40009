// SPDX-License-Identifier: GPL-3.0-or-later
// Who may look, and the connection to the server: made again when it ends, and when nothing comes through it.

const AGAIN_MS = [250, 500, 1000, 2000];
const GONE_MS = 5000; // the server says something twice a second: after so long without a word the network has gone

/** An answer of the server; rejects if none comes. */
export function ask(address, options = {}) {
  return fetch(address, { ...options, signal: AbortSignal.timeout(GONE_MS) });
}

/** Exchange a token for a cookie; why it was not, or nothing. */
export async function logIn(token) {
  try {
    const answer = await ask("login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    return answer.ok ? "" : "That is not the token: each start of the program has its own.";
  } catch {
    return "There is no answer: does the program still run?";
  }
}

export class Link {
  /** doing: {opened, hear(data), unknown: the server lives and does not know this browser} */
  constructor(doing) {
    this.doing = doing;
    this.socket = null;
    this.failures = 0;
    this.refused = ""; // why no more may look, if that is so
    setInterval(() => {
      if (this.socket !== null && performance.now() - this.heardMs > GONE_MS) this.#ended(true);
    }, 1000);
  }

  connect() {
    this.#drop();
    const address = new URL("live", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.hash = "";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heardMs = performance.now();
    let opened = false;
    const hears = (name, act) => socket.addEventListener(name, (event) => {
      if (this.socket === socket) act(event);
    });
    hears("open", () => {
      opened = true;
      this.failures = 0;
      this.refused = "";
      this.doing.opened();
    });
    hears("message", (event) => {
      this.heardMs = performance.now();
      this.doing.hear(event.data);
    });
    hears("close", () => this.#ended(opened));
  }

  say(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  #drop() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null; // what it still has to say counts no more
    socket?.close();
  }

  async #ended(opened) {
    this.#drop();
    const answer = opened ? null : await ask("me").catch(() => null);
    if (this.socket !== null) return; // logged in meanwhile
    if (answer?.status === 401) {
      this.doing.unknown();
      return;
    }
    this.refused = answer === null || answer.ok ? "" : (await answer.json()).refused;
    this.timer = setTimeout(() => this.connect(), AGAIN_MS[Math.min(this.failures++, AGAIN_MS.length - 1)]);
  }
}
