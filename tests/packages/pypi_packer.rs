//! `scripts/pypi-packages`, and what is in the files that it makes.

use crate::pypi::{Site, VERSION, command, output, packed, packer, run, source, this_target};
use crate::session::{Home, MCPPROXY};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// What a wheel says of itself, read by Python's own modules.
fn look_into(wheel: &Path) -> Value {
    let look = r#"
import base64, csv, hashlib, io, json, sys, zipfile
from email.parser import Parser
wheel = zipfile.ZipFile(sys.argv[1])
read = lambda end: next(wheel.read(n).decode() for n in wheel.namelist() if n.endswith(end))
def is_right(name, digest, size):
    data = wheel.read(name)
    made = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return (digest == "sha256=" + made and size == str(len(data))) or (digest == size == "" and name.endswith("/RECORD"))
record = list(csv.reader(io.StringIO(read("dist-info/RECORD"))))
print(json.dumps({
    "names": wheel.namelist(),
    "recorded": [name for name, *_ in record],
    "wrong": [row for row in record if not is_right(*row)],
    "modes": {i.filename: oct(i.external_attr >> 16) for i in wheel.infolist()},
    "wheel": Parser().parsestr(read("dist-info/WHEEL")).items(),
    "metadata": Parser().parsestr(read("dist-info/METADATA")).items(),
}))"#;
    let said = output(Command::new("python3").args(["-c", look]).arg(wheel));
    serde_json::from_str(&said).expect("JSON")
}

fn values<'a>(headers: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = headers.as_array().expect("a list").iter();
    headers.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().expect("text")).collect()
}

#[test]
fn the_wheel_holds_what_it_records_and_its_binary_can_be_executed() {
    let Some(packed) = packed() else { return };
    let name = packed.wheel.file_name().and_then(OsStr::to_str).expect("a name");
    let wheel = look_into(&packed.wheel);
    assert_eq!(wheel["wrong"], json!([]));
    assert_eq!(wheel["names"], wheel["recorded"]);
    for (file, mode) in wheel["modes"].as_object().expect("modes") {
        let wanted = if file == "mcpproxy_tap/bin/mcpproxy" { "0o100755" } else { "0o100644" };
        assert_eq!(mode, wanted, "{file}");
    }
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let systems = ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "musllinux_1_1_x86_64"];
        let tags = systems.map(|system| format!("py3-none-{system}"));
        assert_eq!(values(&wheel["wheel"], "Tag"), tags);
        assert_eq!(name, format!("mcpproxy_tap-{VERSION}-py3-none-{}.whl", systems.join(".")));
    }
    assert_eq!(values(&wheel["wheel"], "Root-Is-Purelib"), ["false"]);
    let metadata = &wheel["metadata"];
    assert_eq!(values(metadata, "Name"), ["mcpproxy-tap"]);
    assert_eq!(values(metadata, "Version"), [VERSION]);
    assert_eq!(values(metadata, "License-Expression"), ["MIT OR Apache-2.0"]);
    assert_eq!(values(metadata, "Requires-Python"), [">=3.9"]);
    assert!(values(metadata, "Requires-Dist").is_empty(), "no dependency");
    assert!(values(metadata, "Classifier").contains(&"Typing :: Typed"));
    assert!(values(metadata, "Project-URL").len() >= 4);
    for file in values(metadata, "License-File") {
        let wanted = format!("mcpproxy_tap-{VERSION}.dist-info/licenses/{file}");
        assert!(wheel["names"].as_array().expect("names").contains(&json!(wanted)), "{wanted}");
    }
    let names = wheel["names"].to_string();
    for part in ["mcpproxy_tap/py.typed", "dist-info/entry_points.txt"] {
        assert!(names.contains(part), "{part}: {names}");
    }
}

#[test]
fn the_same_files_make_the_same_bytes() {
    let Some(packed) = packed() else { return };
    let place = tempfile::tempdir().expect("a temporary directory");
    // Its head is enough of a binary to be packed.
    let mut binary = std::fs::read(&packed.binary).expect("the binary");
    binary.truncate(100_000);
    let head = place.path().join("head");
    std::fs::write(&head, binary).expect("written");
    let binary = format!("{}={}", this_target(), head.display());
    let made = ["one", "two"].map(|name| {
        let out = place.path().join(name);
        let args = ["--version", "v1.2.3", "--out", out.to_str().expect("UTF-8"), &binary];
        let made = packer(&args.map(OsStr::new));
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).expect("UTF-8")
    });
    let [first, second] = made.each_ref().map(|made| made.lines().map(std::fs::read));
    for (one, two) in first.zip(second) {
        assert!(one.expect("made") == two.expect("made"), "{made:?}");
    }
}

#[test]
fn the_packer_says_what_is_wrong_with_its_words() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let script = place.path().join("script");
    std::fs::write(&script, "#!/bin/sh\n").expect("written");
    let script = script.to_str().expect("UTF-8");
    let foreign = match this_target() {
        "aarch64-unknown-linux-musl" => "x86_64-unknown-linux-musl",
        _ => "aarch64-unknown-linux-musl",
    };
    for (args, part) in [
        (&["--version", "newest"][..], "v0.1.0-rc.1"),
        (&["x=y"], "x86_64-pc-windows-gnu"),
        (&["x86_64-unknown-linux-musl"], "TARGET=BINARY"),
        (&["x86_64-apple-darwin=/no/such/file"], "/no/such/file: No such file"),
        (&[&format!("x86_64-pc-windows-gnu={script}")], "is no program for x86_64-pc-windows-gnu"),
        (&[&format!("x86_64-unknown-linux-musl={script}")], "is no program for"),
        (&[&format!("{foreign}={MCPPROXY}")], "is no program for"),
    ] {
        let out = ["--out", place.path().to_str().expect("UTF-8")];
        let args: Vec<&OsStr> = args.iter().chain(&out).map(OsStr::new).collect();
        let made = packer(&args);
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(!made.status.success() && said.contains(part), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    }
}

#[test]
fn versions_are_written_as_pypi_writes_them() {
    let place = tempfile::tempdir().expect("a temporary directory");
    for (told, made) in [
        ("v0.1.0", "0.1.0"),
        ("0.1.0", "0.1.0"),
        ("v0.2.0-rc.1", "0.2.0rc1"),
        ("v0.2.0-beta.2", "0.2.0b2"),
        ("v0.2.0-alpha", "0.2.0a0"),
        ("v0.2.0-dev", "0.2.0.dev0"),
        ("0.2.0rc1", "0.2.0rc1"),
        ("0.2.0.dev3", "0.2.0.dev3"),
    ] {
        let out = place.path().as_os_str();
        let said = packer(&["--version".as_ref(), told.as_ref(), "--out".as_ref(), out]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.trim().ends_with(&format!("/mcpproxy_tap-{made}.tar.gz")), "{told}: {said}");
    }
}

/// What pip does on a system that there is no wheel for.
#[test]
fn the_sdist_installs_without_a_binary_and_takes_one_that_is_brought() {
    let Some(packed) = packed() else { return };
    let python = packed.tool("python");
    let site = Site::of(packed, &packed.parts().python(), &[&packed.sdist, &packed.notes]);
    let home = Home::without_data_dir();
    let script = site.bin("notes-facts");
    let ending = run(command(&home, &[script.as_os_str(), "echo".as_ref()]), "one\n");
    assert_eq!((&*ending.stdout, &*ending.stderr), ("one\n", ""));
    assert!(!site.binary().exists() && !home.data_dir().exists());

    let built = tempfile::tempdir().expect("a temporary directory");
    let build = |binary: Option<&Path>| {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "wheel", "--verbose", "--no-deps", "--no-index", "--no-cache-dir"]);
        pip.arg("--wheel-dir").arg(built.path()).arg(&packed.sdist);
        pip.envs(binary.map(|binary| ("MCPPROXY_BINARY", binary)));
        let made = pip.output().expect("pip starts");
        (
            made.status.success(),
            String::from_utf8_lossy(&[made.stdout, made.stderr].concat()).into_owned(),
        )
    };
    let (is_made, said) = build(None);
    assert!(is_made && said.contains("To bring one: MCPPROXY_BINARY="), "{said}");
    let pure = built.path().join(format!("mcpproxy_tap-{VERSION}-py3-none-any.whl"));
    assert_eq!(values(&look_into(&pure)["wheel"], "Root-Is-Purelib"), ["true"]);
    let (is_made, said) = build(Some(Path::new("/no/such/file")));
    assert!(!is_made && said.contains("names no file: /no/such/file"), "{said}");

    std::fs::remove_file(&pure).expect("made");
    let (is_made, said) = build(Some(&packed.binary));
    assert!(is_made, "{said}");
    let wheel = std::fs::read_dir(built.path()).expect("a directory").next().expect("a wheel");
    let site = Site::of(
        packed,
        &packed.parts().python(),
        &[&wheel.expect("an entry").path(), &packed.notes],
    );
    let ending =
        run(command(&home, &[site.bin("notes-facts").as_os_str(), "echo".as_ref()]), "one\n");
    assert_eq!(&*ending.stdout, "one\n");
    assert!(crate::pypi::is_counted(&home));
}

#[test]
fn the_package_is_typed() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let place = tempfile::tempdir().expect("a temporary directory");
    let right = "import mcpproxy_tap\nmcpproxy_tap.run('a.b', product='a', version='1', endpoint='https://t.example.org')\n";
    let check = |files: &[&Path]| {
        let mut mypy = Command::new(packed.tool("python"));
        mypy.args(["-m", "mypy", "--strict", "--cache-dir=/dev/null", "--python-version=3.10"]);
        mypy.arg("--python-executable")
            .arg(site.bin("python"))
            .args(files)
            .current_dir(place.path());
        let said = mypy.output().expect("mypy starts");
        (said.status.success(), String::from_utf8_lossy(&said.stdout).into_owned())
    };
    let (good, bad) = (place.path().join("good.py"), place.path().join("bad.py"));
    std::fs::write(&good, right).expect("written");
    std::fs::write(&bad, right.replace("version='1', ", "version=1, ")).expect("written");
    // And all that `run` needs, as the checker follows it.
    let package = source("platform/packaging/pypi/mcpproxy_tap/__init__.py");
    for files in [&[&*good][..], &[&*package]] {
        let (is_right, said) = check(files);
        assert!(is_right, "{said}");
    }
    let (is_right, said) = check(&[&bad]);
    assert!(!is_right && said.contains("\"version\""), "{said}");
}
