#!/usr/bin/env -S node --no-deprecation
// Made by `npx @mcpproxy/tap init`.
// Starts the server through mcpproxy, which counts installs: TELEMETRY.md says what is sent. Where that
// cannot be, the server runs as if this file were it.
"use strict";
const { tap } = require("@mcpproxy/tap");

const { version } = require("./package.json");
if (process.argv[2] === "--telemetry") process.argv[2] = "--mcpproxy-telemetry";
tap(require.resolve("./lib/server.js"), {
  product: "files",
  version,
  endpoint: "https://t.example.org:8443/mcp/",
});
