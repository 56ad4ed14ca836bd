"use strict";
// Which program started this process, where the system tells.
//
// One rule: what cannot be seen is not guessed: then the launcher tells the server in a variable.

const fs = require("node:fs");

/** Whether `program` started this process. */
function isParent(program) {
  try {
    const [asked, parent] = [program, `/proc/${process.ppid}/exe`].map((file) => fs.statSync(file));
    return asked.dev === parent.dev && asked.ino === parent.ino;
  } catch {
    return false;
  }
}

/** Whether a process sees which program its parent is: on Linux, where no sandbox hides it. */
function seesParent() {
  // The parent of the first process of a container is 0, which has no entry.
  return fs.existsSync(`/proc/${process.ppid || "self"}/exe`);
}

module.exports = { isParent, seesParent };
