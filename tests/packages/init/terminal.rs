//! `init` on a terminal: it asks, and takes no answer but yes for one; Ctrl-C is no answer.

use super::*;
use std::process::Command;

/// Runs the words after it on a terminal of their own and types each line when its question stands there.
const TERMINAL: &str = r#"
import os, pty, sys
answers = [line.split("=", 1) for line in sys.argv[1].split(";")]
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
while True:
    try:
        got = os.read(terminal, 65536)
    except OSError:
        break
    if not got:
        break
    seen += got
    if answers and answers[0][0].encode() in seen:
        os.write(terminal, answers.pop(0)[1].encode() + b"\n")
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

fn typed(packed: &Packed, language: Language, folder: &Path, answers: &str) -> Output {
    let init = packed.init(language, folder, &[]);
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, answers]).arg(init.get_program()).args(init.get_args());
    packed.environment(&mut command, folder);
    command.current_dir(folder).env("TERM", "dumb").output().expect("it starts")
}

#[test]
fn a_terminal_is_asked_for_the_endpoint_and_then_whether_to_write() {
    let Some(packed) = Packed::without_binary() else { return };
    for language in Language::ALL {
        let folder = tempfile::tempdir().expect("a directory");
        let manifest = folder.path().join(language.manifest());
        match language {
            Language::Npm => write(
                &manifest,
                r#"{ "name": "notes-mcp", "version": "1.0.0", "bin": "index.mjs" }"#,
            ),
            Language::Pypi => {
                write(
                    &manifest,
                    "[project]\nname='notes-mcp'\nversion='1'\nscripts={x='notes:main'}\n",
                );
                write(&folder.path().join("notes/__init__.py"), "");
            }
        }
        let before = files(folder.path());
        for (answer, code) in [("n", 1), ("", 1), ("maybe", 1), ("\x03", 1), ("y", 0)] {
            assert_eq!(files(folder.path()), before, "{language:?}: {answer}");
            let answers = format!("collector: =https://t.example.org;[y/N] ={answer}");
            let output = typed(packed, language, folder.path(), &answers);
            let seen = stdout(&output);
            assert_eq!(output.status.code(), Some(code), "{language:?}: {answer:?}: {seen}");
            let shown = seen.find("+++ b/TELEMETRY.md").expect("the difference");
            assert!(shown < seen.find("Write this?").expect("the question"), "{seen}");
            assert_eq!(seen.contains("nothing is written"), code == 1, "{seen}");
        }
        assert!(files(folder.path()).contains_key(Path::new("TELEMETRY.md")), "{language:?}");
        assert!(
            typed(packed, language, folder.path(), "never=").status.success(),
            "it asks nothing"
        );
    }
}
