#!/usr/bin/env node
// Made by `npx @mcpproxy/tap init`.
// Starts the server through mcpproxy, which counts installs: TELEMETRY.md says what is sent. Where that
// cannot be, the server runs as if this file were it.
import { createRequire } from "node:module";
import { tap } from "@mcpproxy/tap";

const { version } = createRequire(import.meta.url)("./package.json");
await tap(new URL("./index.js", import.meta.url), {
  product: "tiny-mcp",
  version,
  endpoint: "http://127.0.0.1:8787",
});
