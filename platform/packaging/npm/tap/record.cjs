"use strict";
// The client of `mcpproxy record`: counts for a host that no launcher can wrap, such as a server over HTTP.
//
// One rule: the host comes first. It never waits, and nothing here throws, ends it or keeps it running. An event is
// written at once, kept while the pipe is full, or dropped. See docs/record.md.

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const { binary, debug } = require("./binary.cjs");
const { objection } = require("./objection.cjs");

/** Bytes kept while the pipe is full. */
const MOST_KEPT = 64 * 1024;
/** Milliseconds until a full pipe is tried again. */
const PAUSE = 50;
/** A longer name of a client is none that counts. */
const LONGEST_NAME = 128;

class Recorder {
  /** How many events were dropped. */
  dropped = 0;
  #child;
  #kept = "";
  #isClosed = false;
  #sessions = 0;
  #timer;

  constructor(options) {
    const objecting = objection(process.env);
    const { path, reason } = objecting ? { reason: `${objecting} objects` } : binary();
    if (!path) return void debug(`nothing is recorded: ${reason}`);
    const lose = (error) => {
      if (error) debug(`nothing is recorded any more: ${error.code ?? error.message}`);
      this.#child &&= null;
    };
    try {
      const child = spawn(path, words(options ?? {}), { stdio: ["pipe", "ignore", "inherit"], windowsHide: true });
      child.on("error", lose);
      child.on("exit", () => lose());
      child.stdin.on("error", lose);
      child.unref();
      child.stdin.unref?.();
      this.#child = child;
    } catch (error) {
      debug(`nothing is recorded: ${error.message}`);
    }
  }

  /** A session of a client with this host. */
  session(options) {
    const name = String((this.#sessions += 1));
    const local = options?.local === true ? true : undefined;
    return new Session((event, members) => this.#say({ event, session: name, local, ...members }));
  }

  /** The host ends as it was meant to. Nothing is recorded after this. */
  close() {
    this.#say({ event: "end" });
    this.#isClosed = true;
    if (!this.#kept) this.#child?.stdin.end();
  }

  /** `undefined`: there never was a program; `null`: it has ended. */
  #say(event) {
    if (this.#child === undefined || this.#isClosed) return;
    const line = `${JSON.stringify(event)}\n`;
    const isFull = this.#kept.length + line.length > MOST_KEPT;
    if (this.#child === null || isFull) return void (this.dropped += 1);
    this.#kept += line;
    if (!this.#timer) this.#write();
  }

  #write() {
    this.#timer = undefined;
    if (!this.#child) return;
    try {
      this.#kept = this.#kept.slice(put(this.#child.stdin, this.#kept));
    } catch {
      // It has closed its input: its end is on the way.
      return void (this.#child = null);
    }
    if (this.#kept) this.#timer = setTimeout(() => this.#write(), PAUSE).unref();
    else if (this.#isClosed) this.#child.stdin.end();
  }
}

/** How many bytes of a text the pipe takes now. All of a text is ASCII. */
function put(stdin, text) {
  const fd = stdin._handle?.fd;
  if (!(fd >= 0)) {
    // Windows, and what is not Node.js: the stream keeps one text, and is given no other meanwhile.
    if (stdin.writableLength > 0) return 0;
    stdin.write(text);
    return text.length;
  }
  // Past the stream, which would keep the host running until the other end reads.
  try {
    return fs.writeSync(fd, text);
  } catch (error) {
    if (error.code === "EAGAIN") return 0;
    throw error;
  }
}

class Session {
  #say;
  constructor(say) {
    this.#say = say;
  }

  /** The client introduced itself by `clientInfo`. Its version stays here. */
  clientSeen(name, _version) {
    const text = typeof name === "string" ? name.trim().slice(0, LONGEST_NAME) : "";
    this.#say("client_seen", { client: text.replace(/[^ -~]/g, "?") });
  }

  /** The server answered it for the first time. */
  serverConnected() {
    this.#say("server_connected");
  }

  /** A tool that finds tools was called. */
  discovery(counts) {
    this.#say("discovery", { returned: count(counts?.returned), indexed: count(counts?.indexed) });
  }

  /** Any other tool was called, and returned a result or not. */
  call(outcome) {
    this.#say("call", { ok: outcome?.ok === true });
  }

  end() {
    this.#say("end");
  }
}

const count = (value) => (Number.isSafeInteger(value) && value >= 0 ? value : undefined);

function words({ product, version, endpoint, requireVisibleNotice, countRemote }) {
  const told = [["product", product], ["product-version", version], ["endpoint", endpoint]];
  const given = told.filter(([, value]) => value !== undefined).map(([name, value]) => `--${name}=${value}`);
  const switches = [requireVisibleNotice && "--require-visible-notice", countRemote && "--count-remote"];
  return ["record", ...given, ...switches.filter(Boolean)];
}

module.exports = { record: (options) => new Recorder(options) };
