// A server's own names in front of a gateway: clients call `tool`, the gateway hears `call_tool` with `server:tool`.
//
//   node names.mjs GATEWAY SERVER     says where it listens and runs until its standard input ends
//
// Names are all that is translated. Everything else passes as it is: methods, headers (but for the one that repeats a
// name), results, events, status codes. `tools/list` has what `retrieve_tools` says of the server's tools, then the
// gateway's own tools.
import http from "node:http";
import { pathToFileURL } from "node:url";

const OWN = ["retrieve_tools", "call_tool", "telemetry_status"];
/// One of these words is in every tool of the suite.
const WORDS =
  "test tests tool add numbers echo json schema valid invalid lookup user profile headers hyphenated simple call";
const MODERN = "2026-07-28";

const decoded = (value) => {
  const [, packed] = /^=\?base64\?(.*)\?=$/.exec(value) ?? [];
  return packed === undefined ? value : Buffer.from(packed, "base64").toString();
};

/// What the gateway says of the tools of `server`, under their own names.
async function tools(gateway, server) {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": { name: "names", version: "1" },
  };
  const params = { name: "retrieve_tools", arguments: { query: WORDS, limit: 100 }, _meta };
  const answer = await fetch(gateway, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": MODERN,
      "mcp-method": "tools/call",
      "mcp-name": "retrieve_tools",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
  });
  const text = await answer.text();
  const data = text.startsWith("{") ? text : text.split("\n").findLast((line) => line.startsWith("data: {")).slice(6);
  const { result } = JSON.parse(data);
  const { tools: found, total_indexed_tools: all } = result.structuredContent;
  if (found.length !== all) throw new Error(`${found.length} of ${all} tools were found: ${text}`);
  // In the order of their names: what fits a query best is nothing the server says.
  const own = found.map(({ score, server: _, note, ...tool }) => ({ ...tool, name: tool.name.slice(server.length + 1) }));
  return own.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/// The request as the gateway hears it.
function asked(message, headers, server) {
  const { method, params } = message;
  const renamed = (name, to, changed) => {
    if (headers["mcp-name"] !== undefined && decoded(headers["mcp-name"]) === name) headers["mcp-name"] = to;
    return { ...message, params: { ...params, ...changed } };
  };
  if (method === "tools/call" && typeof params?.name === "string" && !OWN.includes(params.name)) {
    const wrapped = { name: `${server}:${params.name}`, arguments: params.arguments };
    return renamed(params.name, "call_tool", { name: "call_tool", arguments: wrapped });
  }
  if (method === "prompts/get" && typeof params?.name === "string") {
    const full = `${server}:${params.name}`;
    return renamed(params.name, full, { name: full });
  }
  if (method === "completion/complete" && params?.ref?.type === "ref/prompt") {
    return { ...message, params: { ...params, ref: { ...params.ref, name: `${server}:${params.ref.name}` } } };
  }
  return message;
}

/// The answer to `request` as the client hears it.
async function answered(message, request, gateway, server) {
  if (message.id !== request?.id || !message.result) return message;
  const { result } = message;
  if (request.method === "tools/list") {
    return { ...message, result: { ...result, tools: [...(await tools(gateway, server)), ...result.tools] } };
  }
  if (request.method === "prompts/list") {
    const own = (name) => (name.startsWith(`${server}:`) ? name.slice(server.length + 1) : name);
    const prompts = result.prompts.map((prompt) => ({ ...prompt, name: own(prompt.name) }));
    return { ...message, result: { ...result, prompts } };
  }
  return message;
}

/// Hands on an answer, whole or event by event.
async function handOn(from, to, translated) {
  const { connection, "content-length": length, "transfer-encoding": encoding, ...headers } = from.headers;
  const kind = from.headers["content-type"] ?? "";
  to.writeHead(from.statusCode, headers);
  to.flushHeaders();
  if (kind.startsWith("text/event-stream")) {
    from.setEncoding("utf8");
    let waiting = "";
    for await (const part of from) {
      const events = (waiting + part).split("\n\n");
      waiting = events.pop();
      for (const event of events) {
        const lines = event.split("\n");
        const at = lines.findIndex((line) => /^data: ?\{/.test(line));
        if (at >= 0) lines[at] = `data: ${await translated(lines[at].slice(5))}`;
        to.write(`${lines.join("\n")}\n\n`);
      }
    }
    return to.end(waiting);
  }
  const parts = [];
  for await (const part of from) parts.push(part);
  const body = Buffer.concat(parts);
  to.end(kind.startsWith("application/json") ? await translated(body.toString()) : body);
}

/// Listens on a free loopback port; the address, and how it is closed.
export async function translate(gateway, server) {
  const there = new URL(gateway);
  const listener = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    let body = Buffer.concat(parts);
    const headers = { ...request.headers };
    delete headers["content-length"];
    delete headers["transfer-encoding"];
    // The gateway's own address, and no other, is what a client that comes here means.
    const { port } = listener.address();
    for (const name of ["host", "origin"]) headers[name] &&= headers[name].replace(`:${port}`, `:${there.port}`);
    let message;
    try {
      message = JSON.parse(body.toString());
      if (message?.method) body = Buffer.from(JSON.stringify(asked(message, headers, server)));
    } catch {
      // The gateway says what it thinks of that.
    }
    if (body.length > 0 || request.method === "POST") headers["content-length"] = body.length;
    const { hostname: host, port: to } = there;
    const path = request.url;
    const forward = http.request({ host, port: to, path, method: request.method, headers, agent: false });
    const failed = (error) => {
      if (!response.headersSent) response.writeHead(502, { "content-type": "text/plain" });
      response.end(String(error));
    };
    const translated = async (text) => {
      const said = JSON.parse(text);
      const heard = await answered(said, message, gateway, server);
      return heard === said ? text : JSON.stringify(heard);
    };
    forward.on("error", failed);
    forward.on("response", (answer) => {
      // A client that goes away goes away there as well.
      response.on("close", () => forward.destroy());
      handOn(answer, response, translated).catch(failed);
    });
    response.on("close", () => response.writableFinished || forward.destroy());
    forward.end(body);
  });
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${listener.address().port}${there.pathname}`;
  const close = () => {
    listener.close();
    listener.closeAllConnections();
  };
  return { url, close };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { url, close } = await translate(process.argv[2], process.argv[3]);
  console.log(url);
  process.stdin.resume().on("end", close);
}
