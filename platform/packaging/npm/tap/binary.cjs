"use strict";
// Finds the `mcpproxy` binary of this system.
//
// One rule: a binary is there only if it starts. A file without an execute bit, one of another system or one that a
// sandbox forbids counts as missing, and the reason is known. Nothing is downloaded, repaired or thrown.

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");

/** How a program for Linux names its processor. */
const MACHINES = { x64: 0x3e, arm64: 0xb7 };

/** Longer than the start of a small static program ever takes: one that hangs counts as missing. */
const PATIENCE = 5000;

/**
 * @returns {{ path: string, reason: undefined } | { path: undefined, reason: string }}
 */
function binary() {
  const system = `${process.platform}-${process.arch}`;
  const file = process.platform === "win32" ? "mcpproxy.exe" : "mcpproxy";
  let path;
  try {
    // An archive of Electron holds no programs; they lie beside it.
    path = require.resolve(`@mcpproxy/tap-${system}/bin/${file}`).replace(/\.asar(?=[\\/])/, ".asar.unpacked");
  } catch {
    return { path: undefined, reason: `the package @mcpproxy/tap-${system} is not installed` };
  }
  const reason = whyNot(path);
  return reason ? { path: undefined, reason: `${path} cannot be started: ${reason}` } : { path, reason };
}

// A trial, because no look at the file tells what a system allows; and `process.execve` aborts when it fails.
function whyNot(path) {
  try {
    if (!isProgram(path)) return "it is no program for this system";
    const options = { encoding: "utf8", timeout: PATIENCE, windowsHide: true };
    const { error, signal, status, stdout } = spawnSync(path, ["--version"], options);
    if (error) return error.code ?? error.message;
    return status === 0 && stdout.startsWith("mcpproxy ") ? undefined : `it ends with ${signal ?? status}`;
  } catch (error) {
    return error.code ?? error.message;
  }
}

// What is no program must not be tried: the C library hands it to a shell, as a script.
function isProgram(path) {
  const head = Buffer.alloc(20);
  const file = fs.openSync(path, "r");
  try {
    fs.readSync(file, head, 0, head.length, 0);
  } finally {
    fs.closeSync(file);
  }
  const magic = head.readUInt32BE(0);
  if (process.platform === "linux") return magic === 0x7f454c46 && head.readUInt16LE(18) === MACHINES[process.arch];
  if (process.platform === "darwin") return magic === 0xcffaedfe;
  return head.toString("latin1", 0, 2) === "MZ";
}

/** One line on standard error, for those who ask for it. `console` would change the stream that the server gets. */
function debug(line) {
  if (!process.env.MCPPROXY_DEBUG) return;
  say(line);
}

function say(line) {
  try {
    fs.writeSync(2, `mcpproxy: ${line}\n`);
  } catch {
    // A closed or full standard error is no reason to fail.
  }
}

module.exports = { binary, debug, say };
