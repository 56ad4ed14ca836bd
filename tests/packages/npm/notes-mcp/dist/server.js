// A server of one tool on the TypeScript SDK; it speaks to clients of both eras.
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

serveStdio(() => {
  const server = new McpServer({ name: "notes-mcp", version: "1.4.0" });
  const add = { description: "Keeps a note", inputSchema: z.object({ text: z.string() }) };
  server.registerTool("add_note", add, async ({ text }) => ({
    content: [{ type: "text", text: `noted: ${text}` }],
  }));
  return server;
});
