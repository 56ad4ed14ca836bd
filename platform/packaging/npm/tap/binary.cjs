"use strict";
// Finds the `mcpproxy` binary of this system.
//
// One rule: a binary is there only if it starts. A file without an execute bit, one of another system or one that a
// sandbox forbids counts as missing, and the reason is known. Nothing is downloaded, repaired or thrown.

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");

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
    path = require.resolve(`@mcpproxy/tap-${system}/bin/${file}`);
  } catch {
    return { path: undefined, reason: `the package @mcpproxy/tap-${system} is not installed` };
  }
  const reason = whyNot(path);
  return reason ? { path: undefined, reason: `${path} cannot be started: ${reason}` } : { path, reason };
}

// A trial, because no look at the file tells what a system allows; and `process.execve` aborts when it fails.
function whyNot(path) {
  try {
    const { error, signal, status } = spawnSync(path, ["--version"], { timeout: PATIENCE, windowsHide: true });
    if (error) return error.code ?? error.message;
    return status === 0 ? undefined : `it ends with ${signal ?? status}`;
  } catch (error) {
    return error.code ?? error.message;
  }
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
