// A server that says how it was started, in one JSON line, and then does what it is told on standard input:
// a signal that it sends itself, or an exit code. It ends with code 0 when its input ends.
"use strict";

const { stdin } = process;
const { env, argv, execArgv } = process;
for (const name of ["SIGINT", "SIGHUP", "SIGUSR2"]) {
  if (argv.includes(name)) process.on(name, () => console.log(name));
}
console.log(JSON.stringify({
  argv, execArgv, env, cwd: process.cwd(), isMain: require.main === module, pid: process.pid, ppid: process.ppid,
}));
stdin.setEncoding("utf8").on("data", (word) => {
  word = word.trim();
  if (/^SIG/.test(word)) process.kill(process.pid, word);
  else process.exit(Number(word));
});
