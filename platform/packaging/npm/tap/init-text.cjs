// The text that `init` works on: JSON edited in place, and unified diffs.
//
// One rule: pure, and no byte changes but those of the edits.
"use strict";

/** The object or array at `text[start..end]`: its members with their keys (none in an array) and values. */
function scan(text, start = 0) {
  let at = start;
  const blanks = () => {
    while (/\s/.test(text[at] ?? "")) at += 1;
  };
  const string = () => {
    const from = at;
    for (at += 1; text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1;
    at += 1;
    return JSON.parse(text.slice(from, at));
  };
  // `text` is valid JSON: `JSON.parse` took it before.
  const value = () => {
    blanks();
    const node = { start: at, members: [] };
    const open = text[at];
    if (open === '"') {
      string();
    } else if (open === "{" || open === "[") {
      for (at += 1, blanks(); text[at] !== "}" && text[at] !== "]"; blanks()) {
        const member = { start: at };
        if (open === "{") {
          member.key = string();
          member.afterKey = at;
          blanks();
          at += 1;
        }
        member.value = value();
        member.end = at;
        node.members.push(member);
        blanks();
        if (text[at] === ",") at += 1;
      }
      at += 1;
    } else {
      while (/[\w.+-]/.test(text[at] ?? "")) at += 1;
    }
    node.end = at;
    return node;
  };
  return value();
}

/** A JSON file that is edited in place: line ends, indentation, order and everything else stay. */
class JsonText {
  constructor(text) {
    this.text = text;
    this.edits = [];
    this.root = scan(text);
    this.newline = text.includes("\r\n") ? "\r\n" : "\n";
  }

  /** The member of an object; of two with one name the last, as in `JSON.parse`. */
  member(node, key) {
    return node?.members.filter((member) => member.key === key).pop();
  }

  replace(node, value) {
    this.edits.push({ start: node.start, end: node.end, text: JSON.stringify(value) });
  }

  /** Adds `member` (JSON text) to an object or array, before the member `before` or at the end. */
  add(node, member, before) {
    const { text } = this;
    const [first, second] = node.members;
    if (!first) {
      const outer = /^[ \t]*/.exec(text.slice(text.lastIndexOf("\n", node.start) + 1))[0];
      const inner = `${this.newline}${outer}${this.unit()}`;
      const [open, close] = [text[node.start], text[node.end - 1]];
      const laidOut = `${open}${inner}${member}${this.newline}${outer}${close}`;
      const filled = this.isLaidOut() ? laidOut : open + member + close;
      this.edits.push({ start: node.start, end: node.end, text: filled });
      return;
    }
    const lead = text.slice(node.start + 1, first.start);
    const alone = lead.includes("\n") ? `,${lead}` : ", ";
    const between = second ? text.slice(first.end, second.start) : alone;
    const [at, added] = before
      ? [before.start, member + between]
      : [node.members.at(-1).end, between + member];
    this.edits.push({ start: at, end: at, text: added });
  }

  /** `"key": value`, with the colon as the file writes it; deeper values are laid out as the file is. */
  pair(key, value) {
    const [first] = this.root.members;
    const colon = first && this.text.slice(first.afterKey, first.value.start);
    const unit = this.unit();
    const text = JSON.stringify(value, null, this.isLaidOut() ? unit : "").replaceAll("\n", `${this.newline}${unit}`);
    return `${JSON.stringify(key)}${colon === ":" ? ":" : ": "}${text}`;
  }

  /** What stands before the first member. */
  lead() {
    const [first] = this.root.members;
    return first ? this.text.slice(this.root.start + 1, first.start) : "";
  }

  /** Whether each member has a line of its own. */
  isLaidOut() {
    return this.lead().includes("\n");
  }

  /** One step of indentation. */
  unit() {
    return this.isLaidOut() ? this.lead().slice(this.lead().lastIndexOf("\n") + 1) : "  ";
  }

  /** The edited text. */
  edited() {
    const edits = [...this.edits].sort((a, b) => b.start - a.start);
    return edits.reduce(
      (text, edit) => text.slice(0, edit.start) + edit.text + text.slice(edit.end),
      this.text,
    );
  }
}

const CONTEXT = 3;

/** The lines of a text with their ends. */
const lines = (text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** Which lines stay, go and come: `[" " | "-" | "+", line]`, by the longest common subsequence. */
function compared(before, after) {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  const [old, fresh] = [before.slice(head), after.slice(head)];
  const longest = Array.from({ length: old.length + 1 }, () => new Uint32Array(fresh.length + 1));
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      const skipped = Math.max(longest[i + 1][j], longest[i][j + 1]);
      longest[i][j] = old[i] === fresh[j] ? longest[i + 1][j + 1] + 1 : skipped;
    }
  }
  const script = before.slice(0, head).map((line) => [" ", line]);
  let [i, j] = [0, 0];
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      script.push([" ", old[i]]);
      [i, j] = [i + 1, j + 1];
    } else if (i < old.length && (j === fresh.length || longest[i + 1][j] >= longest[i][j + 1])) {
      script.push(["-", old[i]]);
      i += 1;
    } else {
      script.push(["+", fresh[j]]);
      j += 1;
    }
  }
  return script;
}

/** The unified diff of a file, as `git apply` takes it; `before` is undefined for a new file. */
function diff(name, before, after) {
  const script = compared(lines(before ?? ""), lines(after));
  const changed = script.flatMap(([sign], index) => (sign === " " ? [] : [index]));
  if (changed.length === 0) return "";
  let out = `--- ${before === undefined ? "/dev/null" : `a/${name}`}\n+++ b/${name}\n`;
  let from = 0;
  while (from < changed.length) {
    let to = from;
    while (to + 1 < changed.length && changed[to + 1] - changed[to] <= 2 * CONTEXT + 1) to += 1;
    const start = Math.max(0, changed[from] - CONTEXT);
    const hunk = script.slice(start, changed[to] + CONTEXT + 1);
    const count = (signs, part) => part.filter(([sign]) => signs.includes(sign)).length;
    const range = (signs) => {
      const length = count(signs, hunk);
      const first = count(signs, script.slice(0, start)) + (length > 0 ? 1 : 0);
      return length === 1 ? `${first}` : `${first},${length}`;
    };
    out += `@@ -${range(" -")} +${range(" +")} @@\n`;
    for (const [sign, line] of hunk) {
      out += line.endsWith("\n") ? sign + line : `${sign}${line}\n\\ No newline at end of file\n`;
    }
    from = to + 1;
  }
  return out;
}

module.exports = { JsonText, diff };
