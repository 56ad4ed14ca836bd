"use strict";
// The launcher: starts an MCP server behind `mcpproxy tap`.
//
// One rule: the server comes first. Whatever keeps the binary from running, the server runs in this process as if
// nothing were there. Nothing is ever written to standard output, which belongs to MCP.

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const Module = require("node:module");
const { constants } = require("node:os");
const path = require("node:path");
const { isatty } = require("node:tty");
const { fileURLToPath, pathToFileURL } = require("node:url");
const { isMainThread } = require("node:worker_threads");
const { binary, debug } = require("./binary.cjs");
const { objection } = require("./objection.cjs");
const { isParent, seesParent } = require("./parent.cjs");
const { SWITCH, answer } = require("./switch.cjs");

/** Where a process of Node.js can become another program. */
const canReplace = process.execve !== undefined && process.platform !== "win32";

/** Names the server to the process that is started for it, where that file may call `tap` and not see tap above it. */
const MARK = "MCPPROXY_TAPPED";

/** The servers that this process has started; shared with other copies of this package. */
const STARTED = Symbol.for("mcpproxy.tap.started");

/** What `mcpproxy tap` sends on. A terminal gives SIGINT and SIGQUIT to the server, too. */
const FORWARDED = ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"];
const OF_TERMINALS = ["SIGINT", "SIGQUIT"];

/**
 * Starts the server and counts it. Where the server runs in a process of its own, this never settles: nothing may
 * follow it. See index.d.ts.
 */
function tap(server, options) {
  const told = options ?? {};
  if (isMainThread && process.argv[2] === SWITCH) process.exit(answer(process.argv[3], told.product));
  const entry = entryFile();
  const file = fileOf(server, entry);
  const isEntry = entry !== undefined && realPath(file) === entry;
  const isTapped = entry !== undefined && process.env[MARK] === entry;
  if (isTapped) delete process.env[MARK];
  const name = file ?? String(server);
  const started = (globalThis[STARTED] ??= new Set());
  if (started.has(name)) return Promise.resolve();
  // Servers that start each other would do so without end.
  const isServer = isTapped || started.size > 0;
  started.add(name);
  // The rest of the entry is the server where it is one and the same file.
  const stay = () => (isEntry ? Promise.resolve() : runHere(file, server));
  if (isServer) return stay();
  let why;
  try {
    why = told.product ? reasonToStay(entry, file, isEntry) : "no product is named";
    const found = why === undefined ? binary() : undefined;
    if (found?.path !== undefined && isParent(found.path)) {
      why = "there is a tap in front of it already";
    } else if (found?.path !== undefined) {
      const server = [process.execPath, ...process.execArgv, file, ...process.argv.slice(2)];
      const args = ["tap", ...describe(told), "--", ...server];
      const env = isEntry || !seesParent() ? { ...process.env, [MARK]: realPath(file) } : process.env;
      if (!canReplace) return runBehind(found.path, args, env, stay);
      process.execve(found.path, [found.path, ...args], env);
    }
    why ??= found.reason;
  } catch (error) {
    why = error.message;
  }
  debug(`the server runs without tap: ${why}`);
  return stay();
}

/** Why the server runs in this process, or `undefined`. */
function reasonToStay(entry, file, isEntry) {
  if (!isMainThread) return "this is a worker thread";
  if (process.versions.electron) return "this is Electron";
  if (!/^node/i.test(path.basename(process.execPath))) return `${process.execPath} is not Node.js`;
  const objecting = objection(process.env);
  if (objecting) return `${objecting} objects`;
  if (entry === undefined) return "this process was not started from a file";
  if (file === undefined) return "the server is not a file";
  // tap passes on the three standard streams and no other descriptor.
  if (process.channel || process.env.LISTEN_FDS) return "the process that started this one talks to it over a channel";
  if (require("node:inspector").url()) return "a debugger listens";
  // Only an awaited `tap` holds up the rest of a file; without `execve` that rest would be a second server.
  if (isEntry && require.main !== undefined && !canReplace) return "the server's own CommonJS file calls tap";
  return undefined;
}

function describe({ product, version, endpoint, requireVisibleNotice, discoveryTools }) {
  const words = [];
  if (product !== undefined) words.push(`--product=${product}`);
  if (version !== undefined) words.push(`--product-version=${version}`);
  if (endpoint !== undefined) words.push(`--endpoint=${endpoint}`);
  if (requireVisibleNotice) words.push("--require-visible-notice");
  // The binary takes no tool without a name.
  for (const tool of discoveryTools ?? []) if (String(tool)) words.push(`--discovery-tool=${tool}`);
  return words;
}

/** The file that this process was started from: symbolic links and left out endings resolved. */
function entryFile() {
  if (process._eval !== undefined || !process.argv[1]) return undefined;
  try {
    return fs.realpathSync(require.resolve(path.resolve(process.argv[1])));
  } catch {
    return undefined;
  }
}

/** A path or a file URL as a path; `undefined` for what is no file. A relative path begins at the entry's folder. */
function fileOf(server, entry) {
  const name = String(server);
  const isUrl = /^[a-z][a-z0-9+.-]+:/i.test(name);
  try {
    if (isUrl) return fileURLToPath(name);
  } catch {
    return undefined;
  }
  return path.resolve(entry === undefined ? "" : path.dirname(entry), name);
}

function realPath(file) {
  try {
    return fs.realpathSync(require.resolve(file));
  } catch {
    return file;
  }
}

/** Runs the server as Node.js runs the file that it is started with, so that it finds itself the main module. */
function runHere(file, server) {
  if (file === undefined) return import(String(server));
  // Where code was given in place of a file, the arguments begin one word earlier.
  if (isMainThread) process.argv.splice(1, process._eval === undefined ? 1 : 0, file);
  if (!isMainThread || !Module.runMain || process.versions.bun) return import(pathToFileURL(file).href);
  Module.runMain(file);
  return Promise.resolve();
}

/** Runs it as a child that has our streams, gets our signals, and whose end is our end. */
function runBehind(program, args, env, stay) {
  return new Promise((resolve) => {
    let child;
    const forward = (signal) => {
      if (process.platform === "win32" || (OF_TERMINALS.includes(signal) && isFromTerminal())) return;
      child.kill(signal);
    };
    const release = () => FORWARDED.forEach((signal) => process.removeListener(signal, forward));
    const fail = (error) => {
      release();
      debug(`the server runs without tap: ${program}: ${error.message}`);
      resolve(stay());
    };
    // First, or a signal that comes now ends this process alone.
    FORWARDED.forEach((signal) => process.on(signal, forward));
    try {
      child = spawn(program, args, { env, stdio: "inherit", windowsHide: true });
    } catch (error) {
      return fail(error);
    }
    child.on("error", (error) => child.pid === undefined && fail(error));
    child.on("exit", (code, signal) => {
      release();
      if (signal === null) process.exit(code);
      process.kill(process.pid, signal);
      // Some signals do not end a process of Node.js: then the code says it, as a shell would.
      setTimeout(() => process.exit(128 + constants.signals[signal]), 500);
    });
  });
}

/** Whether a signal came from the keyboard: then the whole foreground group has it already. */
function isFromTerminal() {
  try {
    const stat = fs.readFileSync("/proc/self/stat", "utf8");
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return group === foreground;
  } catch {
    return isatty(0) || isatty(2);
  }
}

module.exports = { tap };
