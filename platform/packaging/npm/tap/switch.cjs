"use strict";
// The switch of a server that is shipped with telemetry: `notes-mcp --mcpproxy-telemetry off`.
//
// One rule: it is the binary that answers, in the product's name; its streams and its exit code are ours.

const { spawnSync } = require("node:child_process");
const { constants } = require("node:os");
const { binary, say } = require("./binary.cjs");

/** The first argument by which a user of any server asks about its telemetry, and the commands behind it. */
const SWITCH = "--mcpproxy-telemetry";
const VERBS = { status: "status", on: "enable", off: "disable", show: "show-payload", forget: "forget" };

/** Answers, and gives the exit code. */
function answer(verb, product) {
  if (!Object.hasOwn(VERBS, verb ?? "")) {
    say(`usage: ${SWITCH} ${Object.keys(VERBS).join("|")}`);
    return 2;
  }
  const { path, reason } = binary();
  if (path === undefined) {
    say(`nothing is sent: ${reason}; DO_NOT_TRACK=1 in the environment says no everywhere`);
    return 1;
  }
  const words = ["telemetry", VERBS[verb], ...(product === undefined ? [] : ["--product", String(product)])];
  const { status, signal } = spawnSync(path, words, { stdio: "inherit" });
  return status ?? 128 + (constants.signals[signal] ?? 0);
}

module.exports = { SWITCH, answer };
