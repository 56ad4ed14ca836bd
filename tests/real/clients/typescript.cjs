// A client on the real TypeScript SDK, either generation.
//
//   NODE_PATH=.../node_modules node typescript.cjs SESSION COMMAND [ARG...]
//
// SESSION is JSON: {"name": client name, "calls": [[tool, arguments], ...],
//   "sdk": 1 for `@modelcontextprotocol/sdk` (handshake era, the default), 2 for `@modelcontextprotocol/client`,
//   "mode": with 2, "legacy", "auto" (asks the server in a process of its own) or {"pin": protocol version},
//   "until": a file whose appearance ends the session (at the latest after two minutes)}.
// Starts COMMAND as the SDK does by default: with HOME LOGNAME PATH SHELL TERM USER and nothing else.
// Lists the tools, makes the calls, closes, and prints one JSON line with what came back.
"use strict";

const { existsSync } = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");

const [session, command, ...args] = process.argv.slice(2);
const { name, calls = [], sdk = 1, mode = "legacy", until } = JSON.parse(session);

function client() {
  const info = { name, version: "1.0.0" };
  if (sdk === 2) {
    const { Client } = require("@modelcontextprotocol/client");
    return new Client(info, { versionNegotiation: { mode } });
  }
  const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
  return new Client(info);
}

function transport() {
  const { StdioClientTransport } = require(
    sdk === 2 ? "@modelcontextprotocol/client/stdio" : "@modelcontextprotocol/sdk/client/stdio.js",
  );
  return new StdioClientTransport({ command, args });
}

async function main() {
  const host = client();
  await host.connect(transport());
  const { tools } = await host.listTools();
  const results = [];
  for (const [tool, input] of calls) {
    results.push(await host.callTool({ name: tool, arguments: input }));
  }
  for (let waited = 0; until && !existsSync(until) && waited < 120_000; waited += 20) {
    await sleep(20);
  }
  await host.close();
  console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), results }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
