// A registry for npm packages on loopback. Everybody may read and publish; it asks no other registry.
//
//   node registry.cjs VERDACCIO STORAGE
//
// VERDACCIO is the folder of that package. Prints its address, and ends when standard input does.
"use strict";

const path = require("node:path");

const [verdaccio, storage] = process.argv.slice(2);
const { runServer } = require(verdaccio);

async function main() {
  const everybody = { access: "$all", publish: "$all", unpublish: "$all" };
  const app = await runServer({
    storage,
    configPath: path.join(storage, "config.yaml"),
    self_path: path.join(storage, "config.yaml"),
    auth: { htpasswd: { file: path.join(storage, "htpasswd") } },
    packages: { "@*/*": everybody, "**": everybody },
    max_body_size: "400mb",
    web: { enable: false },
    log: { type: "stderr", format: "pretty", level: "fatal" },
  });
  app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${app.address().port}`));
}

process.stdin.resume().on("end", () => process.exit(0));
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
