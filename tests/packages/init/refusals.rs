//! What `init` cannot do, it refuses in one line that says what to do instead, and leaves every file alone.

use super::*;

/// A package that `init` would take, and nothing more.
const NPM: &str = r#"{ "name": "notes-mcp", "version": "1.0.0", "bin": "index.mjs" }"#;
const PYPI: &str = "[project]\nname = 'notes-mcp'\nversion = '1.0.0'\n\
    [project.scripts]\nnotes-mcp = 'notes_mcp:main'\n";
const ENDPOINT: [&str; 2] = ["--endpoint", "https://t.example.org"];

/// The files beside the manifest (npm: `package.json`, PyPI: `pyproject.toml` and a package `notes_mcp`), the
/// arguments after `--yes`, the exit code, and what the line says.
#[track_caller]
fn refused(language: Language, beside: &[(&str, &str)], words: &[&str], code: i32, parts: &[&str]) {
    let Some(packed) = Packed::without_binary() else { return };
    let folder = tempfile::tempdir().expect("a directory");
    if language == Language::Pypi {
        write(&folder.path().join("src/notes_mcp/__init__.py"), "");
    }
    for (name, text) in beside {
        write(&folder.path().join(name), text);
    }
    let before = files(folder.path());
    let words = [&["--yes"], words].concat();
    let output = packed.init(language, folder.path(), &words).output().expect("it starts");
    says_only(&output, code, parts);
    assert_eq!(files(folder.path()), before);
}

fn npm(manifest: &str, parts: &[&str]) {
    refused(Language::Npm, &[("package.json", manifest)], &ENDPOINT, 1, parts);
}

fn pypi(manifest: &str, parts: &[&str]) {
    refused(Language::Pypi, &[("pyproject.toml", manifest)], &ENDPOINT, 1, parts);
}

#[test]
fn a_folder_of_the_other_language_or_of_none_is_named() {
    refused(Language::Npm, &[], &ENDPOINT, 1, &["no package.json", "in the folder of your server"]);
    refused(
        Language::Pypi,
        &[],
        &ENDPOINT,
        1,
        &["no pyproject.toml", "in the folder of your server"],
    );
    let toml = [("pyproject.toml", PYPI)];
    refused(Language::Npm, &toml, &ENDPOINT, 1, &["run `python -m mcpproxy_tap init`"]);
    let json = [("package.json", NPM)];
    refused(Language::Pypi, &json, &ENDPOINT, 1, &["run `npx @mcpproxy/tap init`"]);
    let setup = [("setup.py", "")];
    refused(Language::Pypi, &setup, &ENDPOINT, 1, &["setup.py", "into [project]"]);
}

#[test]
fn a_package_json_without_what_is_needed_is_refused() {
    npm(r#"{ "name": "x", }"#, &["package.json is not valid JSON"]);
    npm("[]", &["no JSON object"]);
    npm(r#"{ "version": "1.0.0", "bin": "x.js" }"#, &["no name"]);
    npm(r#"{ "name": "x", "bin": "x.js" }"#, &["no version", r#"add "version""#]);
    npm(r#"{ "name": "x", "version": "1.0.0" }"#, &["no command", r#"add "bin""#]);
    let workspace = r#"{ "name": "x", "version": "1.0.0", "workspaces": ["packages/*"] }"#;
    npm(workspace, &["root of a workspace", "in the folder of the server"]);
    let several = r#"{ "name": "x", "version": "1.0.0", "bin": { "one": "a.js", "two": "b.js" } }"#;
    npm(several, &["several commands", "--bin NAME", "one, two"]);
    let published = r#"{ "name": "x", "version": "1.0.0", "bin": "a.js", "publishConfig": { "directory": "dist" } }"#;
    npm(published, &["publishConfig", "in what is published"]);
    npm(&NPM.replace("index.mjs", "src/index.ts"), &["src/index.ts", "no JavaScript"]);
    npm(
        &NPM.replace("index.mjs", "../index.js"),
        &["../index.js", "no JavaScript of this package"],
    );
    for bin in ["null", "5", r#"["a.js"]"#, r#"{ "x": null }"#] {
        let odd = format!(r#"{{ "name": "x", "version": "1.0.0", "main": "a.js", "bin": {bin} }}"#);
        npm(&odd, &[r#""bin" in package.json is neither a file nor commands"#]);
    }
    for dependencies in ["null", "[]", r#""x""#] {
        let odd = NPM.replace('}', &format!(r#", "dependencies": {dependencies} }}"#));
        npm(&odd, &[r#""dependencies" in package.json is no object"#]);
    }
    let development = r#"{ "name": "x", "version": "1.0.0", "bin": "a.js", "devDependencies": { "@mcpproxy/tap": "1.0.0" } }"#;
    npm(development, &["no plain dependency", "npm uninstall @mcpproxy/tap"]);
}

#[test]
fn a_pyproject_without_what_is_needed_is_refused() {
    pypi("[project\n", &["line 1", "put that line right"]);
    pypi("[project]\nname = 'x'\nname = 'y'\n", &["line 3"]);
    pypi("[build-system]\nrequires = []\n", &["no name", "add [project]"]);
    pypi("[tool.uv.workspace]\n", &["root of a workspace", "in the folder of the server"]);
    pypi("[project]\nname = 'x'\n", &["[project] has no version", "add one"]);
    pypi("[project]\nname = 'x'\nversion = '1'\n", &["no command", "[project.scripts]"]);
    pypi("[tool.poetry]\nname = 'x'\nversion = '1'\n", &["no command", "[tool.poetry.scripts]"]);
    let dynamic = PYPI.replace("version = '1.0.0'", "version = '1'\ndynamic = ['dependencies']");
    pypi(&dynamic, &["are dynamic", "move them into [project]"]);
    pypi(&format!("{PYPI}other = 'notes_mcp:other'\n"), &["several commands", "notes-mcp, other"]);
    pypi(&PYPI.replace("notes_mcp:main", "notes_mcp"), &["package.module:function"]);
    pypi(&PYPI.replace("notes_mcp:main", "elsewhere:main"), &["no module elsewhere in src or ."]);
    let marked =
        PYPI.replace("version", "dependencies = ['mcpproxy-tap>1; os_name == \"nt\"']\nversion");
    pypi(&marked, &["line 3", "write that line plainly", "run init again"]);
    let inline = "project = { name = 'x', version = '1', scripts = { x = 'notes_mcp:main' } }\n";
    pypi(inline, &["line 1", "a table of its own", "run init again"]);
    let single =
        [("pyproject.toml", &*PYPI.replace("notes_mcp:main", "notes:main")), ("notes.py", "")];
    refused(Language::Pypi, &single, &ENDPOINT, 1, &["single file", "notes/__init__.py"]);
}

#[test]
fn files_that_are_not_of_init_are_never_written_over() {
    for language in Language::ALL {
        let (manifest, launcher) = match language {
            Language::Npm => (("package.json", NPM), "mcpproxy-launcher.mjs"),
            Language::Pypi => (("pyproject.toml", PYPI), "src/notes_mcp/_mcpproxy_launcher.py"),
        };
        let page = [manifest, ("TELEMETRY.md", "# Ours\n")];
        refused(language, &page, &ENDPOINT, 1, &["TELEMETRY.md is there", "rename it"]);
        let own = [manifest, (launcher, "// Ours\n")];
        refused(language, &own, &ENDPOINT, 1, &[launcher, "is not init's", "move it away"]);
    }
    let lost = NPM.replace("index.mjs", "mcpproxy-launcher.mjs");
    npm(&lost, &["mcpproxy-launcher.mjs is not as init wrote it", "name the server again"]);
    let lost = PYPI.replace("notes_mcp:main", "notes_mcp._mcpproxy_launcher:main");
    pypi(&lost, &["_mcpproxy_launcher.py is not as init wrote it", "name the server again"]);
    let shell = [("package.json", NPM), ("index.mjs", "#!/usr/bin/env bun\n")];
    refused(Language::Npm, &shell, &ENDPOINT, 1, &["is not started by Node", "env bun"]);
}

/// The one that the first run made starts another command.
#[test]
fn a_second_command_of_one_package_needs_a_launcher_of_its_own() {
    let Some(packed) = Packed::without_binary() else { return };
    let json = r#"{ "name": "x", "version": "1.0.0", "bin": { "one": "a.js", "two": "b.js" } }"#;
    let toml = format!("{PYPI}two = 'notes_mcp:other'\n");
    let manifests = [(Language::Npm, json, "one"), (Language::Pypi, toml.as_str(), "notes-mcp")];
    for (language, manifest, first) in manifests {
        let folder = tempfile::tempdir().expect("a directory");
        write(&folder.path().join("src/notes_mcp/__init__.py"), "");
        write(&folder.path().join(language.manifest()), manifest);
        let run = |bin: &str| {
            let words = [&ENDPOINT[..], &["--yes", "--bin", bin]].concat();
            packed.init(language, folder.path(), &words).output().expect("it starts")
        };
        assert_eq!(run(first).status.code(), Some(0));
        let once = files(folder.path());
        says_only(&run("two"), 1, &["starts another command already", "by hand"]);
        says_only(&run("three"), 1, &["no command three", "two"]);
        assert_eq!(files(folder.path()), once);
    }
}

#[test]
fn arguments_that_cannot_be_meant_are_usage() {
    for language in Language::ALL {
        let manifest = match language {
            Language::Npm => ("package.json", NPM),
            Language::Pypi => ("pyproject.toml", PYPI),
        };
        let usage =
            |words: &[&str], parts: &[&str]| refused(language, &[manifest], words, 2, parts);
        usage(&[], &["--endpoint URL is missing", "https://t.example.org"]);
        usage(&["--endpoint", "http://t.example.org"], &["plain http", "https://"]);
        usage(&["--nonsense"], &["--nonsense", "--help"]);
        usage(&["elsewhere"], &["elsewhere", "--help"]);
        usage(&["--endpoint"], &["--endpoint", "--help"]);
        usage(&with(&["--product", "mcpproxy-notes"]), &["mcpproxy-notes", "--product NAME"]);
        usage(&with(&["--alias", "telemetry"]), &["--alias", "--telemetry"]);
        usage(&with(&["--alias", "--help"]), &["--alias", "--telemetry"]);
        usage(&with(&["--alias=--a b"]), &["--alias", "--telemetry"]);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let Some(packed) = Packed::without_binary() else { return };
    for language in Language::ALL {
        let folder = tempfile::tempdir().expect("a directory");
        write(&folder.path().join("src/notes_mcp/__init__.py"), "");
        let manifest = if language == Language::Npm { NPM } else { PYPI };
        write(&folder.path().join(language.manifest()), manifest);
        // Also for root, which every permission lets pass.
        std::fs::create_dir(folder.path().join("TELEMETRY.md")).expect("made");
        let words = [&ENDPOINT[..], &["--yes"]].concat();
        let output = packed.init(language, folder.path(), &words).output().expect("it starts");
        says_only(&output, 1, &["TELEMETRY.md cannot be read", "run init again"]);
    }
}

/// These arguments behind an endpoint.
fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&ENDPOINT[..], more].concat()
}
