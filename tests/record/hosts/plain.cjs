// A host without a framework, on the client of `mcpproxy record`: what it does is its first argument.
"use strict";

const { createInterface } = require("node:readline");
const { record } = require("@mcpproxy/tap/record");

const [mode, endpoint] = process.argv.slice(2);
const recorder = record({ product: "notes-mcp", version: "1.4.0", endpoint });
const session = recorder.session({ local: true });

function whole() {
  session.clientSeen("claude-code", "2.0.1");
  session.serverConnected();
  session.discovery({ returned: 5, indexed: 40 });
  session.call({ ok: true });
}

function calls(many) {
  for (let made = 0; made < many; made += 1) session.call({ ok: true });
}

const modes = {
  session() {
    whole();
    session.end();
    recorder.close();
    session.call({ ok: true });
  },
  // Values that no host should give, and a session of another machine.
  strange() {
    whole();
    session.clientSeen(undefined);
    session.clientSeen("\ud800 caf\u00e9 \n".repeat(1000));
    session.discovery();
    session.discovery({ returned: -1, indexed: "many" });
    session.call();
    const remote = recorder.session();
    remote.clientSeen("remote");
    remote.serverConnected();
    remote.call({ ok: true });
    recorder.close();
    recorder.close();
  },
  // Waits, then makes this many calls, looks after the process's events, makes them again, and says what was dropped.
  wait(many) {
    whole();
    console.log("ready");
    const input = createInterface({ input: process.stdin });
    input.once("line", () => {
      input.close();
      process.stdin.destroy();
      calls(many);
      setTimeout(() => {
        calls(many);
        console.log(recorder.dropped);
      }, 200);
    });
  },
};

modes[mode](Number(process.argv[4]));
