// A maintainer's package as `init` finds it: its commands, the server behind them, and what changes in package.json.
//
// One rule: nothing is written here, and what cannot be told for certain is refused, with what to do instead.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const { JsonText } = require("./init-text.cjs");

const PACKAGE = "@mcpproxy/tap";
const MADE = "// Made by `npx @mcpproxy/tap init`.";
const PAGE = "TELEMETRY.md";
const MANIFEST = "package.json";
const LAUNCHER = /^(\.\/)?mcpproxy-launcher\.[cm]js$/;

/** Why nothing is done; its exit code. */
class Refusal extends Error {
  constructor(message, code = 1) {
    super(message);
    this.code = code;
  }
}

/** package.json, as text and as data. */
function readPackage(folder) {
  const bytes = read(path.join(folder, MANIFEST));
  if (bytes === undefined) {
    const python = fs.existsSync(path.join(folder, "pyproject.toml"));
    const hint = python ? "run `python -m mcpproxy_tap init`" : "run this in the folder of your server";
    throw new Refusal(`there is no ${MANIFEST} here: ${hint}`);
  }
  const whole = bytes.toString("utf8");
  if (!Buffer.from(whole).equals(bytes)) throw new Refusal(`${MANIFEST} is not UTF-8: save it as UTF-8`);
  const bom = whole.startsWith("\ufeff") ? "\ufeff" : "";
  const text = whole.slice(bom.length);
  let data;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new Refusal(`${MANIFEST} is not valid JSON: ${error.message.split("\n")[0]}`);
  }
  if (!isObject(data)) throw new Refusal(`${MANIFEST} holds no JSON object: run \`npm init\` first`);
  if (typeof data.name !== "string") throw new Refusal(`${MANIFEST} has no name: add "name"`);
  if (typeof data.version !== "string") {
    throw new Refusal(`${MANIFEST} has no version: add "version", the launcher reads it there`);
  }
  const { bin, dependencies } = data;
  const isBin = typeof bin === "string" || (isObject(bin) && Object.values(bin).every((file) => typeof file === "string"));
  if (bin !== undefined && !isBin) {
    throw new Refusal(`"bin" in ${MANIFEST} is neither a file nor commands with a file each: write it in such a form`);
  }
  if (dependencies !== undefined && !isObject(dependencies)) {
    throw new Refusal(`"dependencies" in ${MANIFEST} is no object: write it as one`);
  }
  return { folder, data, bom, text: whole, json: new JsonText(text) };
}

/** The commands (of `bin`) that are led to the launcher, and the file they start now. */
function commandOf({ folder, data }, wanted) {
  const own = data.name.replace(/^@[^/]*\//, "");
  const bins = Object.entries(typeof data.bin === "string" ? { [own]: data.bin } : (data.bin ?? {}));
  const targets = new Set(bins.map(([, target]) => target));
  const names = bins.map(([name]) => name).join(", ");
  if (data.publishConfig?.bin || data.publishConfig?.directory) {
    throw new Refusal("publishConfig has a `bin` or `directory` of its own: run init in what is published");
  }
  if (wanted !== undefined && !bins.some(([name]) => name === wanted)) {
    throw new Refusal(`package.json has no command ${wanted}: --bin can be ${names || "left away"}`);
  }
  // An earlier run has chosen, or there is nothing to choose from.
  const ours = bins.filter(([, target]) => LAUNCHER.test(target));
  const all = ours.length > 0 ? ours : bins;
  if (wanted === undefined && all === bins && targets.size > 1) {
    throw new Refusal(`package.json has several commands: add --bin NAME, one of ${names}`);
  }
  if (bins.length > 0) {
    const chosen = wanted === undefined ? all : bins.filter(([name]) => name === wanted);
    return { names: chosen.map(([name]) => name), target: String(chosen[0][1]), only: bins.length === 1 };
  }
  if (data.workspaces || fs.existsSync(path.join(folder, "pnpm-workspace.yaml"))) {
    throw new Refusal("this is the root of a workspace and has no `bin`: run init in the folder of the server");
  }
  if (typeof data.main !== "string") {
    throw new Refusal('package.json has no command: add "bin", with the file that starts the server');
  }
  return { names: [own], target: data.main, only: true, added: true };
}

/** The server's own file, the launcher's name, and what an earlier run wrote. */
function serverOf({ folder, data }, { target }) {
  let file = path.posix.normalize(target.replaceAll("\\", "/")).replace(/^\//, "");
  if (LAUNCHER.test(file)) return known(file, read(path.join(folder, file)) ?? "");
  if (!fs.existsSync(path.join(folder, file)) && !path.posix.extname(file)) file += ".js";
  const extension = path.posix.extname(file);
  if (![".js", ".mjs", ".cjs", ""].includes(extension) || file.startsWith("../")) {
    throw new Refusal(`${target} is no JavaScript of this package: let \`bin\` name the file that is published`);
  }
  const shebang = /^#!.*/.exec(read(path.join(folder, file))?.toString("latin1") ?? "")?.[0];
  if (shebang && !/\bnode\b/.test(shebang)) {
    throw new Refusal(`${target} is not started by Node (${shebang}): the launcher can start Node servers only`);
  }
  const isModule = extension === ".mjs" || (extension !== ".cjs" && data.type === "module");
  const name = `mcpproxy-launcher.${isModule ? "mjs" : "cjs"}`;
  const inTheWay = read(path.join(folder, name));
  if (inTheWay !== undefined) {
    const other = inTheWay.includes(MADE) ? "starts another command already" : "is not init's";
    throw new Refusal(`${name} is there and ${other}: move it away, or write the launcher by hand`);
  }
  return { file, isModule, launcher: name, shebang: shebang ?? "#!/usr/bin/env node", facts: {} };
}

/** What a launcher of an earlier run says. */
function known(name, bytes) {
  const text = bytes.toString("utf8");
  const isModule = name.endsWith(".mjs");
  const said = (pattern) => {
    const found = pattern.exec(text);
    return found ? JSON.parse(found[1]) : undefined;
  };
  const file = said(/^(?:await )?tap\((?:new URL|require\.resolve)\((".*?")[,)]/m);
  if (!text.includes(MADE) || !file) {
    throw new Refusal(`${name} is not as init wrote it: change it by hand, or let \`bin\` name the server again`);
  }
  return {
    file: (isModule ? decodeURIComponent(file) : file).replace(/^\.\//, ""),
    isModule,
    launcher: name,
    shebang: text.split(/\r?\n/, 1)[0],
    facts: {
      product: said(/^ *product: (".*"),\r?$/m),
      endpoint: said(/^ *endpoint: (".*"),\r?$/m),
      alias: said(/^if \(process\.argv\[2\] === (".*?")\)/m),
    },
  };
}

const ownVersion = () => require("./package.json").version;

/** package.json with the dependency, the commands, and both files in its `files`. */
function manifest({ bom, data, json }, { names, added }, { launcher: file }) {
  const { root } = json;
  const version = ownVersion();
  if (data.devDependencies?.[PACKAGE] || data.optionalDependencies?.[PACKAGE] || data.peerDependencies?.[PACKAGE]) {
    throw new Refusal(`${PACKAGE} is no plain dependency in package.json: \`npm uninstall ${PACKAGE}\` first`);
  }
  const dependencies = json.member(root, "dependencies")?.value;
  const entry = json.member(dependencies, PACKAGE)?.value;
  if (entry && data.dependencies[PACKAGE] !== version) {
    json.replace(entry, version);
  } else if (!entry && dependencies) {
    const next = dependencies.members.find((member) => member.key > PACKAGE);
    json.add(dependencies, json.pair(PACKAGE, version), next);
  } else if (!entry) {
    json.add(root, json.pair("dependencies", { [PACKAGE]: version }), json.member(root, "devDependencies"));
  }
  const bin = json.member(root, "bin")?.value;
  if (added && bin) json.replace(bin, file);
  else if (added) json.add(root, json.pair("bin", file), json.member(root, "main"));
  else if (typeof data.bin === "string") replaceText(json, bin, data.bin, file);
  else for (const name of names) replaceText(json, json.member(bin, name).value, data.bin[name], file);
  listFiles(json, data.files, [file, PAGE]);
  return bom + json.edited();
}

/** Keeps a leading `./`, as the file writes it. */
function replaceText(json, node, before, after) {
  const value = before.startsWith("./") ? `./${after}` : after;
  if (value !== before) json.replace(node, value);
}

function listFiles(json, listed, names) {
  if (!Array.isArray(listed)) return;
  const plain = (name) => String(name).replace(/^\.?\//, "");
  const has = new Set(listed.map(plain));
  const missing = names.filter((name) => !has.has(name));
  if (missing.length === 0 || ["", ".", "*", "**", "**/*"].some((all) => has.has(all))) return;
  const list = json.member(json.root, "files").value;
  // One insertion: two at one place would change their order.
  const texts = missing.map((name) => JSON.stringify(name));
  const laidOut = list.members.length > 0 && json.text.slice(list.start, list.members[0].start).includes("\n");
  const lead = laidOut ? json.text.slice(list.start + 1, list.members[0].start) : " ";
  json.add(list, texts.join(`,${lead}`));
}

/** The bytes of a file; undefined when there is none. */
function read(file) {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw new Refusal(`${path.basename(file)} cannot be read (${error.code}): put that right and run init again`);
  }
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

module.exports = { MADE, MANIFEST, PACKAGE, PAGE, Refusal, commandOf, manifest, ownVersion, read, readPackage, serverOf };
