// A client on the TypeScript SDK: connects over streamable HTTP, calls two tools, leaves.
//
//   node client.mjs URL
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const url = new URL(process.argv[2]);
for (let tries = 1; ; tries += 1) {
  const client = new Client({ name: "claude-code", version: "2.0.1" });
  try {
    await client.connect(new StreamableHTTPClientTransport(url));
    await client.callTool({ name: "retrieve_tools", arguments: {} });
    const { content } = await client.callTool({ name: "add_note", arguments: {} });
    console.log(content[0].text);
    await client.close();
    break;
  } catch (error) {
    // A server that says its address before it listens.
    if (error.cause?.code !== "ECONNREFUSED" || tries > 600) throw error;
    await sleep(100);
  }
}
process.exit();
