// A server of both eras as one that knows the handshake alone: `server/discover` is a method it has never heard of.
// Everything else passes as it is.
//
//   node older.mjs SERVER     says where it listens and runs until its standard input ends
import http from "node:http";

const there = new URL(process.argv[2]);

const listener = http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  const { id, method } = request.method === "POST" ? JSON.parse(body.toString()) : {};
  if (method === "server/discover") {
    response.writeHead(400, { "content-type": "application/json" });
    return response.end(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } }));
  }
  const { hostname: host, port } = there;
  const headers = { ...request.headers, host: there.host };
  const options = { host, port, path: request.url, method: request.method, headers, agent: false };
  const forward = http.request(options, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    response.flushHeaders();
    answer.pipe(response);
  });
  forward.on("error", () => response.destroy());
  response.on("close", () => forward.destroy());
  forward.end(body);
});

listener.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${listener.address().port}${there.pathname}`));
process.stdin.resume().on("end", () => {
  listener.close();
  listener.closeAllConnections();
});
