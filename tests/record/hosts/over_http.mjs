// An MCP server over streamable HTTP on the TypeScript SDK, counted by `mcpproxy record`. Prints its address.
//
//   node over_http.mjs ENDPOINT
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { record } from "@mcpproxy/tap/record";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const recorder = record({ product: "notes-mcp", version: "1.4.0", endpoint: process.argv[2] });
const transports = new Map();
const TOOLS = ["add_note", "list_notes", "find_note"];

async function open(request) {
  const session = recorder.session({ local: /^(::ffff:)?127\./.test(request.socket.remoteAddress) });
  const server = new McpServer({ name: "notes-mcp", version: "1.4.0" });
  server.server.oninitialized = () => {
    session.clientSeen(server.server.getClientVersion()?.name);
    session.serverConnected();
  };
  server.registerTool("retrieve_tools", {}, () => {
    session.discovery({ returned: 1, indexed: TOOLS.length });
    return { content: [{ type: "text", text: TOOLS[0] }] };
  });
  server.registerTool("add_note", {}, () => {
    session.call({ ok: true });
    return { content: [{ type: "text", text: "noted" }] };
  });
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => transports.set(id, transport),
  });
  transport.onclose = () => session.end();
  await server.connect(transport);
  return transport;
}

const http = createServer(async (request, response) => {
  const transport = transports.get(request.headers["mcp-session-id"]) ?? (await open(request));
  await transport.handleRequest(request, response);
});
http.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}/mcp`));
process.stdin.on("end", () => {
  recorder.close();
  process.exit();
});
process.stdin.resume();
