// One tour through a server on the real TypeScript SDK, either generation.
//
//   NODE_PATH=.../node_modules node tour.cjs SESSION
//
// SESSION is JSON: {"name": client name, "sdk": 1 or 2, "mode": with 2, as in typescript.cjs,
//   "url": address of an HTTP server | "command": [command, arguments..] of a stdio server,
//   "steps": [[step, ...], ..]}; steps:
//   ["tools"] ["prompts"] ["resources"] ["templates"]   list
//   ["settle"]   ask for prompts until there are some: the servers behind a gateway are connected then
//   ["call", tool, arguments, {"progress": true, "cancel": ms}?]
//   ["prompt", name, arguments] ["read", uri] ["complete", ref, argument]
// Prints one JSON line: for each step {"result": ..} or {"error": {code, message, data}}, and {"progress":
// [[progress, total], ..]} where it was asked for. A call that was cancelled is {"cancelled": true}.
"use strict";

const { name, sdk = 1, mode = "legacy", url, command, steps } = JSON.parse(process.argv[2]);

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
  if (url) {
    const { StreamableHTTPClientTransport } = require(
      sdk === 2 ? "@modelcontextprotocol/client" : "@modelcontextprotocol/sdk/client/streamableHttp.js",
    );
    return new StreamableHTTPClientTransport(new URL(url));
  }
  const { StdioClientTransport } = require(
    sdk === 2 ? "@modelcontextprotocol/client/stdio" : "@modelcontextprotocol/sdk/client/stdio.js",
  );
  const [program, ...args] = command;
  return new StdioClientTransport({ command: program, args });
}

async function call(host, tool, input, { progress, cancel } = {}) {
  const outcome = {};
  const options = {};
  if (progress) {
    outcome.progress = [];
    options.onprogress = (step) => outcome.progress.push([step.progress, step.total ?? null]);
  }
  if (cancel) {
    const controller = new AbortController();
    options.signal = controller.signal;
    setTimeout(() => controller.abort("enough"), cancel);
  }
  const params = { name: tool, arguments: input };
  try {
    const result = sdk === 2 ? host.callTool(params, options) : host.callTool(params, undefined, options);
    outcome.result = await result;
  } catch (error) {
    if (!options.signal?.aborted) throw error;
    outcome.cancelled = true;
    // The notification leaves before the connection is closed.
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return outcome;
}

async function settle(host) {
  for (let asked = 0; asked < 200; asked++) {
    if ((await host.listPrompts()).prompts.length > 0) return {};
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new TypeError("there are still no prompts");
}

async function take(host, [step, ...args]) {
  switch (step) {
    case "settle": return settle(host);
    case "tools": return { result: await host.listTools() };
    case "prompts": return { result: await host.listPrompts() };
    case "resources": return { result: await host.listResources() };
    case "templates": return { result: await host.listResourceTemplates() };
    case "call": return call(host, ...args);
    case "prompt": return { result: await host.getPrompt({ name: args[0], arguments: args[1] }) };
    case "read": return { result: await host.readResource({ uri: args[0] }) };
    case "complete": return { result: await host.complete({ ref: args[0], argument: args[1] }) };
    default: throw new TypeError(`no such step: ${step}`);
  }
}

async function main() {
  const host = client();
  await host.connect(transport());
  const outcomes = [];
  for (const step of steps) {
    try {
      outcomes.push(await take(host, step));
    } catch (error) {
      if (typeof error.code !== "number") throw error;
      const { code, message, data } = error;
      outcomes.push({ error: { code, message, data } });
    }
  }
  await host.close();
  console.log(JSON.stringify(outcomes));
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
