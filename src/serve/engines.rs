//! What a container engine said before it ended: the one place where the words of a process decide.
//!
//! One rule: only lines that the engine itself writes, or the shell in the container, count; what a server in it
//! writes may hold anything. The engines are written in one language and know no translations.

use crate::diagnostics::Code;

/// The exit codes of an engine that could not do what it was asked: 126 where it may not ask its daemon.
const OWN_ERRORS: [i32; 2] = [125, 126];
/// The exit codes of a program in a container that cannot be run, and of a shell that finds no program.
const NOT_RUN: [i32; 2] = [126, 127];

/// How the engines begin a line of their own.
const OWN_LINES: [&str; 6] = [
    "docker: ",
    "Error: ",
    "Error response from daemon: ",
    "Cannot connect to ",
    "error during connect: ",
    "permission denied while trying to connect to ",
];

const DAEMON_DOWN: [&str; 3] =
    ["Cannot connect to the Docker daemon", "Cannot connect to Podman", "error during connect: "];
const NO_PERMISSION: [&str; 2] = [
    "permission denied while trying to connect to the Docker daemon socket",
    "permission denied while trying to connect to the docker API",
];
/// Podman says that it does not reach its daemon, and in another line why.
const NO_CONNECTION: &str = "unable to connect to Podman socket";
const FORBIDDEN: &str = "connect: permission denied";
const PULL_FAILED: [&str; 9] = [
    "pull access denied",
    "manifest unknown",
    "manifest for ",
    "repository does not exist",
    "initializing source ",
    "short-name resolution",
    "did not resolve to an alias",
    "failed to resolve reference",
    "Error response from daemon: Get \"https://",
];
const NO_PROGRAM: [&str; 2] = ["executable file not found", "no such file or directory"];

/// What a shell does by itself, or bash does and others do not: nothing that an image lacks.
const OF_SHELLS: [&str; 8] =
    ["source", "pushd", "popd", "shopt", "declare", "[[", "function", "typeset"];

/// The code of an engine that ended with `exit` before anything answered, by its last `lines` on standard error.
pub fn code<'l>(lines: impl Iterator<Item = &'l str>, exit: Option<i32>) -> Option<Code> {
    let lines: Vec<&str> = lines.collect();
    let own: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| OWN_LINES.iter().any(|beginning| line.starts_with(beginning)))
        .collect();
    let says = |words: &[&str]| own.iter().any(|line| words.iter().any(|word| line.contains(word)));
    let may_not_ask =
        || own.iter().any(|line| line.contains(NO_CONNECTION) && line.ends_with(FORBIDDEN));
    let is_own = exit.is_none_or(|code| OWN_ERRORS.contains(&code));
    match exit {
        _ if is_own && (says(&NO_PERMISSION) || may_not_ask()) => Some(Code::ContainerNoPermission),
        _ if is_own && says(&DAEMON_DOWN) => Some(Code::ContainerDaemonDown),
        _ if is_own && says(&PULL_FAILED) => Some(Code::ContainerPullFailed),
        Some(code) if NOT_RUN.contains(&code) && says(&NO_PROGRAM) => {
            Some(Code::ContainerMissingTool)
        }
        Some(125) => None,
        _ if lines.iter().any(|line| misses_program(line)) => Some(Code::ContainerMissingTool),
        _ => None,
    }
}

/// Whether a shell says that it finds a program: `sh: 1: git: not found`, `bash: line 1: git: command not found`.
fn misses_program(line: &str) -> bool {
    let mut parts = line.split(": ");
    let shell = parts.next().and_then(|shell| shell.rsplit('/').next());
    if !matches!(shell, Some("sh" | "bash" | "ash" | "dash")) {
        return false;
    }
    let place = |part: &str| {
        part.strip_prefix("line ").unwrap_or(part).bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut rest = parts.skip_while(|part| place(part));
    match (rest.next(), rest.next(), rest.next()) {
        (Some(program), Some("not found" | "command not found"), None) => {
            !OF_SHELLS.contains(&program)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, exit: i32) -> Option<Code> {
        code(text.lines(), Some(exit))
    }

    #[test]
    fn what_the_engines_say_has_its_code() {
        // Client 28.2.2, run here; `tests/real/engines.rs` runs the client of this system again.
        let down = "docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon \
                    running?\n\nRun 'docker run --help' for more information";
        assert_eq!(said(down, 125), Some(Code::ContainerDaemonDown));
        let forbidden = "docker: permission denied while trying to connect to the Docker daemon socket at \
                         unix:///var/run/docker.sock: Head \"http://%2Fvar%2Frun%2Fdocker.sock/_ping\": dial unix \
                         /var/run/docker.sock: connect: permission denied";
        assert_eq!(said(forbidden, 126), Some(Code::ContainerNoPermission));
        assert_eq!(said(forbidden, 1), None, "the exit code is the program's");
        // Podman 4.3.1, run here.
        let of_podman = |why: &str| {
            format!(
                "Cannot connect to Podman. Please verify your connection to the Linux system using `podman system \
                 connection list`, or try `podman machine init` and `podman machine start` to manage a new Linux \
                 VM\nError: unable to connect to Podman socket: Get \"http://d/v4.3.1/libpod/_ping\": dial unix \
                 /x/podman.sock: connect: {why}"
            )
        };
        let missing = of_podman("no such file or directory");
        assert_eq!(said(&missing, 125), Some(Code::ContainerDaemonDown));
        assert_eq!(said(&of_podman("permission denied"), 125), Some(Code::ContainerNoPermission));
        for (text, exit, code) in [
            // github.com/sixeyed/docker-on-windows/issues/13 (2020), the program's name as on other systems
            (
                "Unable to find image 'x/y:z' locally\ndocker: Error response from daemon: manifest for x/y:z not \
                 found: manifest unknown: manifest unknown.\nSee 'docker run --help'.",
                125,
                Code::ContainerPullFailed,
            ),
            // github.com/containers/podman/issues/22291 (Podman 4.9)
            (
                "Trying to pull docker.io/registry/repo/archlinux:latest...\nError: initializing source \
                 docker://registry/repo/archlinux:latest: reading manifest latest in docker.io/registry/repo/archlinux: \
                 requested access to the resource is denied",
                125,
                Code::ContainerPullFailed,
            ),
            // github.com/containers/podman/issues/22578 (Podman 4.9.4)
            (
                "Error: short-name resolution enforced but cannot prompt without a TTY",
                125,
                Code::ContainerPullFailed,
            ),
            // github.com/moby/moby/issues/37713 (Docker 18.06)
            (
                "docker: Error response from daemon: OCI runtime create failed: container_linux.go:348: starting \
                 container process caused \"exec: \\\"/registry\\\": executable file not found in $PATH\": unknown.",
                127,
                Code::ContainerMissingTool,
            ),
            (
                "docker: Error response from daemon: Get \"https://r/v2/\": net/http: TLS handshake timeout.",
                125,
                Code::ContainerPullFailed,
            ),
            ("sh: 1: git: not found", 127, Code::ContainerMissingTool),
            ("/bin/sh: git: not found", 1, Code::ContainerMissingTool),
            ("bash: line 1: uvx: command not found", 127, Code::ContainerMissingTool),
        ] {
            assert_eq!(said(text, exit), Some(code), "{text}");
        }
    }

    #[test]
    fn what_others_say_in_a_container_has_no_code() {
        for (text, exit) in [
            ("sh: 1: source: not found", 127),
            ("git: fatal: could not read from remote", 128),
            // A server's own words, even about its engine.
            ("/usr/bin/docker: line 3: /data/run.sh: Permission denied", 126),
            ("server: docker: Cannot connect to the Docker daemon", 1),
            ("the file git: not found", 1),
            ("", 125),
            ("docker: invalid reference format", 125),
        ] {
            assert_eq!(said(text, exit), None, "{text}");
        }
    }
}
