// A client of the conformance suite behind a gateway: the suite's server is the gateway's only server, and the client
// asks the gateway, by the server's own names.
//
//   node behind.mjs MCPPROXY CLIENT [ARGUMENTS] URL
//
// Ends as the client ends. What the gateway says of the server is on standard error.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { translate } from "./names.mjs";

const [mcpproxy, program, ...args] = process.argv.slice(2);
const upstream = args.pop();
const home = mkdtempSync(join(process.env.HOME, "gateway-"));
const config = { telemetry: { endpoint: "http://127.0.0.1:9" }, mcpServers: { suite: { url: upstream } } };
writeFileSync(join(home, "mcp_config.json"), JSON.stringify(config), { mode: 0o600 });

const env = { ...process.env, MCPPROXY_HOME: home };
const gateway = spawn(mcpproxy, ["serve", "--listen", "127.0.0.1:0"], { env, stdio: ["ignore", "pipe", "inherit"] });
const ended = once(gateway, "exit");
// However this ends, the gateway does not outlive it.
process.on("exit", () => gateway.kill("SIGTERM"));
process.on("SIGTERM", () => process.exit(1));
const said = {};
for await (const line of createInterface({ input: gateway.stdout })) {
  const [, what, value] = /^([^:]+):\s+(\S+)$/.exec(line) ?? [];
  said[what] = value;
  if (said["MCP over HTTP"] && said["Status page"]) break;
}
gateway.stdout.resume();

const page = new URL(said["Status page"]);
const key = page.hash.replace("#key=", "");
const status = async () => {
  const answer = await fetch(new URL("/api/v1/status", page), { headers: { "x-api-key": key } });
  return (await answer.json()).data.servers[0];
};
let server = await status();
while (server.state === "connecting") {
  await pause(20);
  server = await status();
}
console.error(`${server.state}: ${server.detail ?? ""}`);

const { url, close } = await translate(said["MCP over HTTP"], "suite");
const client = spawn(program, [...args, url], { stdio: "inherit" });
const [code] = await once(client, "exit");
close();
gateway.kill("SIGTERM");
await ended;
process.exit(code ?? 1);
