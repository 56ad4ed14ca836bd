// The command `init`: the server in the current folder gets a launcher that counts its installs.
//
// One rule: it shows what it would change before it writes, and what it cannot do it refuses in one line
// that says what to do instead.
"use strict";

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { parseArgs } = require("node:util");

const { binary } = require("./binary.cjs");
const {
  MADE,
  MANIFEST,
  PACKAGE,
  PAGE,
  Refusal,
  commandOf,
  manifest,
  ownVersion,
  read,
  readPackage,
  serverOf,
} = require("./init-package.cjs");
const { diff } = require("./init-text.cjs");

const USAGE = `Usage: mcpproxy-tap init --endpoint URL [options]

In the folder of an MCP server: writes a launcher that counts installs, points package.json to it,
and explains in TELEMETRY.md what is sent. Shows the difference first and asks.

  --endpoint URL    where heartbeats go: the address of your collector
  --product NAME    what is counted (default: the name in package.json)
  --bin NAME        which command, where package.json has several
  --alias FLAG      a name of your own for the switch --mcpproxy-telemetry, such as --telemetry
  --dry-run         show the difference and write nothing
  --yes             write without asking
`;

const OPTIONS = {
  endpoint: { type: "string" },
  product: { type: "string" },
  bin: { type: "string" },
  alias: { type: "string" },
  "dry-run": { type: "boolean" },
  yes: { type: "boolean" },
  help: { type: "boolean", short: "h" },
};

const SWITCH = "--mcpproxy-telemetry";
const DOCS = "https://github.com/mcpproxy/mcpproxy/blob/main/docs/packages.md";
const PAGE_MADE = "<!-- Made by mcpproxy ";

/** Runs the command; the exit code. */
async function main(argv, folder = process.cwd()) {
  try {
    return await init(options(argv), folder);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`mcpproxy-tap init: ${error.message}\n`);
    return error.code;
  }
}

function options(argv) {
  try {
    // The value of --alias begins with dashes itself.
    const args = argv.flatMap((word, at) => {
      if (argv[at - 1] === "--alias") return [];
      return word === "--alias" && at + 1 < argv.length ? [`--alias=${argv[at + 1]}`] : [word];
    });
    return parseArgs({ args, options: OPTIONS, strict: true }).values;
  } catch (error) {
    throw new Refusal(`${error.message.split("\n")[0].split(". To ")[0]}: see --help`, 2);
  }
}

async function init(given, folder) {
  if (given.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const package_ = readPackage(folder);
  const command = commandOf(package_, given.bin);
  const server = serverOf(package_, command);
  const facts = await factsOf(given, package_, server);
  const files = [
    { name: server.launcher, after: launcher(facts, server), mode: 0o755 },
    { name: PAGE, after: page(facts, package_, command) },
    { name: MANIFEST, before: package_.text, after: manifest(package_, command, server) },
  ].map((file) => compare(folder, file));
  return write(folder, files.filter((file) => file.diff !== ""), given, package_);
}

/** Product, endpoint and alias: as they were given, else as an earlier run wrote them. */
async function factsOf(given, { data }, { facts }) {
  const product = productName(given.product ?? facts.product ?? data.name ?? "");
  let endpoint = given.endpoint ?? facts.endpoint;
  if (endpoint === undefined && process.stdin.isTTY && !given.yes && !given["dry-run"]) {
    endpoint = await ask("Where do heartbeats go? The address of your collector: ");
  }
  if (!endpoint) {
    throw new Refusal("--endpoint URL is missing: the address of your collector, such as https://t.example.org", 2);
  }
  const url = endpointUrl(endpoint.trim());
  const alias = given.alias ?? facts.alias;
  if (alias !== undefined && (!/^--[a-z][a-z0-9-]*$/i.test(alias) || /^--(help|version)$/i.test(alias))) {
    throw new Refusal("--alias must be an option that your server does not have, such as --telemetry", 2);
  }
  return { product, endpoint: endpoint.trim(), host: url.host, alias: alias === SWITCH ? undefined : alias };
}

/** The name that is counted, as `mcpproxy` spells it. */
function productName(text) {
  const name = text.trim().toLowerCase().replace(/^@([^/]+)\/([^/]+)$/, "$1.$2");
  const isForm = /^[a-z0-9][a-z0-9._-]{0,63}$/.test(name) && !name.includes("..") && !name.endsWith(".");
  const isDevice = /^(con|prn|aux|nul|(com|lpt)[1-9])(\.|$)/.test(name);
  if (!isForm || isDevice || /^mcpproxy($|-)/.test(name) || gateRefuses(name)) {
    const named = JSON.stringify(text);
    throw new Refusal(`${named} cannot be counted under this name: add --product NAME, such as notes-mcp`, 2);
  }
  return name;
}

function endpointUrl(endpoint) {
  let url;
  try {
    url = /^https?:\/\/[^/]/i.test(endpoint) ? new URL(endpoint) : undefined;
  } catch {
    // Below it is refused like any other text.
  }
  if (!url || /[?#\\\s]|[^\x21-\x7e]/.test(endpoint) || url.username || url.password || url.port === "0") {
    throw new Refusal("the endpoint is no address such as https://t.example.org, without user, query and blanks", 2);
  }
  const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url.protocol === "http:" && !loopback) {
    throw new Refusal("plain http goes to this machine only: give an https:// endpoint", 2);
  }
  return url;
}

/** The gate's own word on a name, where the binary is: it knows what looks like a key or an address. */
function gateRefuses(name) {
  const { path: program } = binary();
  if (!program) return false;
  const run = (words, input) => spawnSync(program, ["telemetry", ...words], { encoding: "utf8", input }).stdout;
  try {
    const payload = JSON.parse(run(["show-payload"], ""));
    payload.product = { name, version: "1.0.0" };
    const verdict = JSON.parse(run(["verify", "-"], `${JSON.stringify(payload)}\n`));
    return !verdict.ok && verdict.field.startsWith("/product");
  } catch {
    return false; // It answers otherwise, and then it will say so when the server starts.
  }
}

function launcher({ product, endpoint, alias }, { file, isModule, shebang }) {
  const text = JSON.stringify;
  const server = text(`./${isModule ? encodeURI(file).replace(/[?#]/g, encodeURIComponent) : file}`);
  const facts = [
    `  product: ${text(product)},`,
    "  version,",
    `  endpoint: ${text(endpoint)},`,
    "});",
  ];
  const rename = alias && [`if (process.argv[2] === ${text(alias)}) process.argv[2] = ${text(SWITCH)};`];
  const head = [
    shebang,
    MADE,
    "// Starts the server through mcpproxy, which counts installs: TELEMETRY.md says what is sent. Where that",
    "// cannot be, the server runs as if this file were it.",
  ];
  const body = isModule
    ? [
        'import { createRequire } from "node:module";',
        `import { tap } from "${PACKAGE}";`,
        "",
        `const { version } = createRequire(import.meta.url)("./${MANIFEST}");`,
        ...(rename || []),
        `await tap(new URL(${server}, import.meta.url), {`,
      ]
    : [
        '"use strict";',
        `const { tap } = require("${PACKAGE}");`,
        "",
        `const { version } = require("./${MANIFEST}");`,
        ...(rename || []),
        `tap(require.resolve(${server}), {`,
      ];
  return [...head, ...body, ...facts, ""].join("\n");
}

function page({ product, endpoint, host, alias }, { data }, { names, only }) {
  const direct = only || names.some((name) => data.name === name || data.name?.endsWith(`/${name}`));
  const start = direct ? `npx -y ${data.name}` : `npx -y -p ${data.name} ${names[0]}`;
  const command = `${start} ${alias ?? SWITCH}`;
  const values = { product, endpoint, host, command, version: ownVersion() };
  const template = fs.readFileSync(path.join(__dirname, `${PAGE}.in`), "utf8");
  return template.replace(/\{\{(\w+)\}\}/g, (_, name) => values[name]);
}

/** What a file holds now, and how it would change. A checkout may have changed its line ends. */
function compare(folder, { name, after, mode, before }) {
  const there = read(path.join(folder, name))?.toString("utf8");
  if (name === PAGE && there !== undefined && !there.replace("\ufeff", "").startsWith(PAGE_MADE)) {
    throw new Refusal(`${PAGE} is there and is not init's: rename it, and add what it says to the new one`);
  }
  const same = there !== undefined && name !== MANIFEST && there.replaceAll("\r\n", "\n") === after;
  return { name, after, mode, before: before ?? there, diff: same ? "" : diff(name, there, after) };
}

async function write(folder, files, given, { data }) {
  if (files.length === 0) {
    say(`nothing to change: ${data.name} starts through its launcher`);
    return 0;
  }
  for (const file of files) process.stdout.write(file.diff);
  if (given["dry-run"]) return 0;
  if (!given.yes && !process.stdin.isTTY) {
    say("nothing is written: add --yes");
    return 1;
  }
  if (!given.yes && !/^y(es)?$/i.test(await ask("Write this? [y/N] "))) {
    say("nothing is written");
    return 1;
  }
  for (const { name, before } of files) {
    if (read(path.join(folder, name))?.toString("utf8") !== before) {
      throw new Refusal(`${name} changed meanwhile: run init again`);
    }
  }
  for (const { name, after, mode } of files) put(path.join(folder, name), after, mode);
  say(`wrote ${files.map(({ name }) => name).join(", ")}`);
  say(`next: \`${installer(folder)} install\`, then start your server once; ${DOCS} has the rest`);
  return 0;
}

/** The package manager whose lock file is there. */
function installer(folder) {
  const locks = { "pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lock": "bun", "bun.lockb": "bun" };
  const found = Object.keys(locks).find((lock) => fs.existsSync(path.join(folder, lock)));
  return found ? locks[found] : "npm";
}

/** In place, so that links and modes stay. */
function put(file, text, mode) {
  try {
    fs.writeFileSync(file, text, { mode });
  } catch (error) {
    throw new Refusal(`${path.basename(file)} cannot be written (${error.code}): put that right and run init again`);
  }
}

/** Asks a person; the end of input is an empty answer. */
function ask(question) {
  return new Promise((resolve) => {
    const terminal = readline.createInterface({ input: process.stdin, output: process.stderr });
    terminal.on("close", () => resolve(""));
    terminal.question(question, (answer) => {
      resolve(answer.trim());
      terminal.close();
    });
  });
}

const say = (line) => process.stderr.write(`mcpproxy-tap init: ${line}\n`);

module.exports = {
  init: async (args) => {
    process.exitCode = await main(args);
  },
};
