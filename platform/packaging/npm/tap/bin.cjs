#!/usr/bin/env node
"use strict";
// The command `mcpproxy-tap`: `init` for maintainers, everything else handed over to the binary.

const { spawn } = require("node:child_process");
const { constants } = require("node:os");
const { binary, say } = require("./binary.cjs");

function main(args) {
  if (args[0] === "init") return require("./init.cjs").init(args.slice(1));
  const { path, reason } = binary();
  if (path === undefined) {
    say(reason);
    process.exitCode = 1;
    return;
  }
  if (process.execve && process.platform !== "win32") process.execve(path, [path, ...args], process.env);
  const child = spawn(path, args, { stdio: "inherit" });
  const forward = (signal) => child.kill(signal);
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, forward);
  // A terminal gives these to the child as well; it decides.
  for (const signal of ["SIGINT", "SIGQUIT"]) process.on(signal, () => {});
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

main(process.argv.slice(2));
