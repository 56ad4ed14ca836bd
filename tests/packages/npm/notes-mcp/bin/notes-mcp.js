#!/usr/bin/env node
import { createRequire } from "node:module";
import { tap } from "@mcpproxy/tap";

const { name, version } = createRequire(import.meta.url)("../package.json");
const endpoint = process.env.NOTES_ENDPOINT ?? "https://t.example.org";

await tap(new URL("../dist/server.js", import.meta.url), { product: name, version, endpoint });
