//! The classification rules, row by row: every variable, every path, every text, and what only looks like one.
#![cfg(all(feature = "detect-container", feature = "detect-display", feature = "detect-tty"))]

use mcpproxy::environment::{Classification, RecordedEvidence, Rule, classify, names};
use serde_json::{Value, json};

const CI: &str = "GITHUB_ACTIONS GITLAB_CI HUDSON_URL CIRCLECI BUILDKITE TF_BUILD TRAVIS DRONE \
    BITBUCKET_BUILD_NUMBER BITBUCKET_COMMIT TEAMCITY_VERSION APPVEYOR GITEA_ACTIONS CODEBUILD_BUILD_ARN \
    CODEBUILD_BUILD_ID bamboo_planKey BITRISE_IO BUDDY_WORKSPACE_ID CIRRUS_CI CF_BUILD_ID CM_BUILD_ID \
    CF_PAGES WORKERS_CI AGOLA_GIT_REF AC_APPCIRCLE DSARI EARTHLY_CI EAS_BUILD GERRIT_PROJECT \
    GO_PIPELINE_LABEL BUILDER_OUTPUT HARNESS_BUILD_ID LAYERCI MAGNUM NEVERCODE PROW_JOB_ID SAILCI \
    SCREWDRIVER SEMAPHORE STRIDER VELA APPCENTER_BUILD_ID CI_XCODE_PROJECT XCS JB_SPACE_API_URL \
    SYSTEM_TEAMFOUNDATIONCOLLECTIONURI NOW_BUILDER";
const CLOUD_STRONG: &str = "CODESPACES GITPOD_WORKSPACE_ID GITPOD_ENVIRONMENT_ID REPL_ID STACKBLITZ_ENV \
    DAYTONA_WS_ID CODER_AGENT_TOKEN CODER_WORKSPACE_NAME CODESANDBOX_HOST CODESANDBOX_SSE MONOSPACE_ENV \
    CLOUD_SHELL ACC_CLOUD GOOGLE_CLOUD_WORKSTATIONS C9_PID COLAB_RELEASE_TAG";
const CLOUD_WEAK: &str = "DEVPOD DEVCONTAINER REMOTE_CONTAINERS";
const CONTAINER: &str = "KUBERNETES_SERVICE_HOST ECS_CONTAINER_METADATA_URI ECS_CONTAINER_METADATA_URI_V4 \
    K_SERVICE CLOUD_RUN_JOB CONTAINER_APP_NAME";
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn judge(recording: &Value) -> Classification {
    classify(&RecordedEvidence::from_json(recording.to_string().as_bytes()).unwrap())
}

/// On Linux without anything else.
fn linux(mut recording: Value) -> Classification {
    recording["os"] = "linux".into();
    judge(&recording)
}

fn env(name: &str, value: &str) -> Value {
    json!({"env": {name: value}})
}

/// Asserts rule, the markers that are set (one letter each, in the order of the contract) and evidence.
#[track_caller]
fn expect(verdict: &Classification, rule: Rule, markers: &str, evidence: &[&str]) {
    let m = verdict.markers;
    let set: String = [
        ("C", m.has_ci_env),
        ("I", m.has_cloud_ide_env),
        ("c", m.is_container),
        ("t", m.has_tty),
        ("d", m.has_display),
    ]
    .iter()
    .filter_map(|(letter, set)| set.then_some(*letter))
    .collect();
    assert_eq!((verdict.rule, set.as_str()), (rule, markers), "{verdict:?}");
    assert_eq!(verdict.env_kind, rule.env_kind());
    assert_eq!(verdict.evidence, evidence);
}

#[test]
fn every_provider_variable_is_ci_whatever_its_value() {
    for name in CI.split_whitespace() {
        for value in ["1", "true", "false", "0", "x y", " "] {
            expect(&linux(env(name, value)), Rule::Ci, "C", &[&format!("env:{name}")]);
            expect(&judge(&env(name, value)), Rule::Ci, "C", &[&format!("env:{name}")]);
        }
        expect(&linux(env(name, "")), Rule::Headless, "", &[]);
        // Weak workspace markers yield to it, strong ones do not.
        for weak in CLOUD_WEAK.split_whitespace() {
            let both = json!({"env": {name: "1", weak: "1"}});
            assert_eq!(linux(both).rule, Rule::Ci, "{name} {weak}");
        }
        for strong in CLOUD_STRONG.split_whitespace() {
            let both = json!({"env": {name: "1", strong: "1"}});
            assert_eq!(linux(both).rule, Rule::CloudIde, "{name} {strong}");
        }
    }
}

#[test]
fn generic_ci_variables_can_say_no() {
    for name in ["CI", "CONTINUOUS_INTEGRATION"] {
        for value in ["true", "1", "yes", "woodpecker", "False positive", "00", "nope"] {
            expect(&linux(env(name, value)), Rule::Ci, "C", &[&format!("env:{name}")]);
        }
        for value in ["", "false", "0", "no", "off", "FALSE", "No", "oFF", " false\n"] {
            expect(&linux(env(name, value)), Rule::Headless, "", &[]);
        }
    }
}

#[test]
fn pairs_count_only_together() {
    for (set, evidence) in [
        (&["TASK_ID", "RUN_ID"][..], &["env:TASK_ID", "env:RUN_ID"][..]),
        (&["JENKINS_URL", "BUILD_ID"], &["env:JENKINS_URL", "env:BUILD_ID"]),
        (&["JENKINS_URL", "JENKINS_HOME"], &["env:JENKINS_URL", "env:JENKINS_HOME"]),
        (
            &["JENKINS_URL", "BUILD_ID", "JENKINS_HOME"],
            &["env:JENKINS_URL", "env:BUILD_ID", "env:JENKINS_HOME"],
        ),
    ] {
        let variables: serde_json::Map<_, _> =
            set.iter().map(|name| ((*name).to_owned(), json!("1"))).collect();
        expect(&linux(json!({"env": &variables})), Rule::Ci, "C", evidence);
        // They name one provider: a weak workspace marker yields.
        let mut with_weak = variables.clone();
        with_weak.insert("DEVPOD".into(), json!("1"));
        assert_eq!(linux(json!({"env": with_weak})).rule, Rule::Ci);
        let mut half = variables.clone();
        half.insert(set[0].into(), json!(""));
        expect(&linux(json!({"env": half})), Rule::Headless, "", &[]);
    }
    for alone in ["TASK_ID", "RUN_ID", "JENKINS_URL", "JENKINS_HOME", "BUILD_ID"] {
        expect(&linux(env(alone, "1")), Rule::Headless, "", &[]);
    }
    let mixed = json!({"env": {"TASK_ID": "1", "BUILD_ID": "1", "JENKINS_HOME": "1"}});
    expect(&linux(mixed), Rule::Headless, "", &[]);
}

#[test]
fn build_numbers_are_not_ci() {
    for name in ["BUILD_ID", "BUILD_NUMBER", "NETLIFY_LOCAL", "VERCEL", "ci", "Ci"] {
        expect(&linux(env(name, "true")), Rule::Headless, "", &[]);
    }
}

#[test]
fn every_workspace_variable_is_a_cloud_ide() {
    for name in CLOUD_STRONG.split_whitespace().chain(CLOUD_WEAK.split_whitespace()) {
        let evidence = format!("env:{name}");
        for value in ["1", "false", "x"] {
            expect(&linux(env(name, value)), Rule::CloudIde, "I", &[&evidence]);
        }
        expect(&linux(env(name, "")), Rule::Headless, "", &[]);
        let everything =
            json!({"env": {name: "1", "CI": "true"}, "paths": ["/.dockerenv"], "tty": true});
        let is_strong = CLOUD_STRONG.split_whitespace().any(|strong| strong == name);
        expect(
            &linux(everything),
            if is_strong { Rule::CloudIde } else { Rule::Ci },
            "CIct",
            &[&evidence, "env:CI", "path:/.dockerenv", "tty"],
        );
    }
}

#[test]
fn the_lists_are_those_of_the_specification() {
    let lists = [CI, CLOUD_STRONG, CLOUD_WEAK, CONTAINER];
    let mut specified: Vec<&str> = lists.iter().flat_map(|list| list.split_whitespace()).collect();
    specified.extend(["CI", "CONTINUOUS_INTEGRATION", "TASK_ID", "RUN_ID"]);
    specified.extend(["JENKINS_URL", "BUILD_ID", "JENKINS_HOME", "container"]);
    specified.extend(["DISTROBOX_ENTER_PATH", "WSL_DISTRO_NAME", "DISPLAY", "WAYLAND_DISPLAY"]);
    // Those of later versions: `environment_marks`.
    let ours: Vec<&str> = names::all().collect();
    for name in specified {
        assert!(ours.contains(&name), "{name}");
    }
}

#[test]
fn every_container_variable_is_a_container() {
    for name in CONTAINER.split_whitespace() {
        expect(&linux(env(name, "x")), Rule::Container, "c", &[&format!("env:{name}")]);
        if name != "KUBERNETES_SERVICE_HOST" {
            expect(&judge(&env(name, "x")), Rule::Container, "c", &[&format!("env:{name}")]);
        }
        expect(&linux(env(name, "")), Rule::Headless, "", &[]);
    }
}

#[test]
fn container_files_prove_a_container_by_being_there() {
    for path in ["/.dockerenv", "/run/.containerenv"] {
        let evidence = format!("path:{path}");
        expect(&linux(json!({"paths": [path]})), Rule::Container, "c", &[&evidence]);
        expect(&linux(json!({"files": {path: ""}})), Rule::Container, "c", &[&evidence]);
    }
    for path in ["/var/lib/docker", "/home/u/.dockerenv", "/.dockerenv/", "/run/docker.sock"] {
        expect(&linux(json!({"paths": [path]})), Rule::Headless, "", &[]);
    }
}

#[test]
fn the_container_interface_counts_only_when_it_names_a_container() {
    for name in ["docker", "podman", "oci", "lxc", "lxc-libvirt", "systemd-nspawn", "rkt"] {
        expect(&linux(env("container", name)), Rule::Container, "c", &["env:container"]);
        for file in ["/run/systemd/container", "/run/host/container-manager"] {
            for text in [name.to_owned(), format!("{name}\n"), format!(" {name} \n\n")] {
                let evidence = format!("file:{file}");
                let verdict = linux(json!({"files": {file: text}}));
                expect(&verdict, Rule::Container, "c", &[&evidence]);
            }
        }
    }
    for name in ["flatpak", "pressure-vessel", "", "dockerish", "not docker", "none"] {
        expect(&linux(env("container", name)), Rule::Headless, "", &[]);
        for file in ["/run/systemd/container", "/run/host/container-manager"] {
            expect(&linux(json!({"files": {file: name}})), Rule::Headless, "", &[]);
            expect(&linux(json!({"paths": [file]})), Rule::Headless, "", &[]);
        }
    }
}

#[test]
fn cgroup_segments_of_containers() {
    for path in [
        format!("/system.slice/docker-{ID}.scope"),
        format!("/docker/{ID}"),
        format!("/docker/{ID}/init.scope"),
        format!("/docker/{ID} (deleted)"),
        format!("/../docker-{}.scope", ID.to_uppercase()),
        "/kubepods".into(),
        "/kubepods/besteffort/pod1/abc".into(),
        "/kubepods.slice/kubepods-burstable.slice".into(),
        format!("/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{ID}"),
        format!("/system.slice/cri-containerd-{ID}.scope"),
        format!("/machine.slice/crio-{ID}.scope"),
        format!("/machine.slice/libpod-{ID}.scope/container"),
        format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"),
        "/lxc/web".into(),
        "/lxc/web/init.scope".into(),
        "/lxc.payload.web".into(),
        "/lxc.payload/web".into(),
    ] {
        for text in [
            format!("0::{path}\n"),
            format!("12:cpu,cpuacct:{path}\n0::/\n"),
            format!("1:name=systemd:/\n0::{path}"),
        ] {
            expect(&linux(json!({"cgroup": text})), Rule::Container, "c", &["cgroup"]);
        }
    }
}

#[test]
fn a_host_that_runs_containers_is_not_one() {
    for path in [
        "/",
        "",
        "/system.slice/docker.service",
        "/system.slice/docker-abc.scope",
        "/system.slice/containerd.service",
        "/docker",
        "/docker/buildx",
        "/lxc",
        "/lxc.monitor.web",
        "/system.slice/lxc.service",
        "/system.slice/crio.service",
        "/system.slice/my-kubepods.service",
        "/user.slice/user-1000.slice/user@1000.service/app.slice/app-docker-desktop.scope",
        &format!("/system.slice/xdocker-{ID}.scope"),
        &format!("/system.slice/docker-{ID}.service"),
        &format!("/system.slice/docker-{ID}0.scope"),
        &format!("/mydocker/{ID}"),
        &format!("/docker/{}", "z".repeat(64)),
        &format!("/docker/{}\u{e9}", "a".repeat(62)),
    ] {
        expect(&linux(json!({"cgroup": format!("0::{path}\n")})), Rule::Headless, "", &[]);
    }
    for text in ["", "\n\n", "kubepods", "0::", ":::", "kubepods:kubepods"] {
        expect(&linux(json!({"cgroup": text})), Rule::Headless, "", &[]);
    }
}

/// A machine with one more mount than its root.
fn mount(root: &str, mount_point: &str) -> Value {
    let line = format!("725 711 8:1 {root} {mount_point} rw,relatime - ext4 /dev/sda1 rw\n");
    json!({"mountinfo": format!("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n{line}")})
}

#[test]
fn files_that_a_runtime_bound_over_the_images_own() {
    for mount_point in ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"] {
        for root in [
            format!("/var/lib/docker/containers/{ID}/hosts"),
            format!("/docker/containers/{ID}/hosts"),
            "/var/lib/my\\040disk/docker/containers/x/hosts".into(),
            "/containers/storage/overlay-containers/x/userdata/hosts".into(),
            "/var/lib/kubelet/pods/x/etc-hosts".into(),
            "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/x/resolv.conf".into(),
            "/var/lib/nerdctl/1935db59/etchosts/default/x/hosts".into(),
            "/var/lib/buildkit/executor/hosts".into(),
            "/docker/containers/x/hosts//deleted".into(),
        ] {
            expect(&linux(mount(&root, mount_point)), Rule::Container, "c", &["mountinfo"]);
        }
    }
    // However the kernel may spell it.
    let escaped = mount("/var/lib/docker\\057containers/x/hosts", "/etc\\057\\150osts");
    expect(&linux(escaped), Rule::Container, "c", &["mountinfo"]);
}

#[test]
fn other_mounts_prove_nothing() {
    for (root, mount_point) in [
        ("/", "/etc/hosts"),
        ("/etc/hosts", "/etc/hosts"),
        ("/var/lib/docker", "/etc/hosts"),
        ("/var/lib/docker/containers", "/etc/hosts"),
        ("/home/u/my-docker/containers/hosts", "/etc/hosts"),
        ("/home/u/containerd-notes/hosts", "/etc/hosts"),
        // A backslash in a name, not an escape of an escape.
        ("/docker\\134057containers/hosts", "/etc/hosts"),
        ("/var/lib/docker/containers/x/hosts", "/etc/hosts\\040old"),
        ("/var/lib/docker/containers/x/hosts", "/etc/hosts/"),
        ("/var/lib/docker/containers/x/hosts", "/mnt/etc/hosts"),
        ("/var/lib/docker/containers/x/mounts/shm", "/var/lib/docker/containers/x/mounts/shm"),
        ("/", "/var/lib/docker/containers/x"),
    ] {
        expect(&linux(mount(root, mount_point)), Rule::Headless, "", &[]);
    }
    // The fields count, not the line: here the words stand in the source and the options.
    let line = "1 2 0:1 / /mnt rw - fuse /docker/containers/x/hosts rw,x=/etc/hosts";
    for text in [line, "", "\n", "1 2 3", "1 2 0:1 /docker/containers/x", "\\", "1 2 3 \\ \\04"] {
        expect(&linux(json!({"mountinfo": text})), Rule::Headless, "", &[]);
    }
}

#[test]
fn toolboxes_are_peoples_desktops() {
    let distrobox = env("DISTROBOX_ENTER_PATH", "/usr/bin/distrobox-enter");
    for (recording, evidence) in [
        (json!({"paths": ["/run/.toolboxenv"]}), &["path:/run/.toolboxenv"][..]),
        (distrobox, &["env:DISTROBOX_ENTER_PATH"]),
        (
            json!({"paths": ["/run/.containerenv", "/run/.toolboxenv"], "env": {"container": "oci"}}),
            &["env:container", "path:/run/.containerenv", "path:/run/.toolboxenv"],
        ),
    ] {
        expect(&linux(recording.clone()), Rule::DesktopLinux, "c", evidence);
        let mut ci = recording.clone();
        ci["env"]["CI"] = "1".into();
        assert_eq!(linux(ci).rule, Rule::Ci);
        expect(&judge(&recording), Rule::None, "c", evidence);
    }
    expect(&linux(env("DISTROBOX_ENTER_PATH", "")), Rule::Headless, "", &[]);
}

#[test]
fn wsl_is_a_desktop() {
    for (recording, evidence) in [
        (env("WSL_DISTRO_NAME", "Ubuntu"), "env:WSL_DISTRO_NAME"),
        (env("container", "wsl"), "env:container"),
        (json!({"files": {"/run/systemd/container": "wsl\n"}}), "file:/run/systemd/container"),
        (json!({"osrelease": "4.4.0-19041-Microsoft"}), "osrelease"),
        (json!({"osrelease": "5.15.90.1-microsoft-standard-WSL2\n"}), "osrelease"),
    ] {
        expect(&linux(recording.clone()), Rule::DesktopLinux, "", &[evidence]);
        assert_eq!(judge(&recording).rule, Rule::None, "WSL is a Linux");
    }
    // Several of its signs at once are the rule on a real one.
    let both = json!({"env": {"WSL_DISTRO_NAME": "Ubuntu", "container": "wsl"}});
    assert_eq!(linux(both).rule, Rule::DesktopLinux);
    let kernel = json!({"env": {"container": "wsl"}, "osrelease": "5.15-microsoft"});
    assert_eq!(linux(kernel).rule, Rule::DesktopLinux);
    expect(&linux(json!({"osrelease": "6.8.0-1015-azure"})), Rule::Headless, "", &[]);
    expect(&linux(env("WSL_DISTRO_NAME", "")), Rule::Headless, "", &[]);
    let docker_on_wsl = json!({"osrelease": "5.15-microsoft", "paths": ["/.dockerenv"]});
    assert_eq!(linux(docker_on_wsl).rule, Rule::Container);
}

#[test]
fn displays_and_terminals_are_desktops() {
    for name in ["DISPLAY", "WAYLAND_DISPLAY"] {
        expect(&linux(env(name, ":0")), Rule::DesktopLinux, "d", &[&format!("env:{name}")]);
        expect(&linux(env(name, "")), Rule::Headless, "", &[]);
    }
    for path in [
        "/run/user/1000/wayland-0",
        "/run/user/0/wayland-my-seat",
        "/tmp/.X11-unix/X0",
        "/tmp/.X11-unix/X1024",
    ] {
        let verdict = linux(json!({"paths": [path]}));
        expect(&verdict, Rule::DesktopLinux, "d", &[&format!("path:{path}")]);
    }
    for path in [
        "/run/user/1000/wayland-0.lock",
        "/run/user/1000/bus",
        "/run/user/tim/wayland-0",
        "/run/user/1000/x/wayland-0",
        "/run/user/1000/wayland-0/x",
        "/run/user//wayland-0",
        "/run/user/1000/wayland",
        "/tmp/.X11-unix/X",
        "/tmp/.X11-unix/X0_",
        "/tmp/.X11-unix/X0/x",
        "/tmp/.X11-unix",
        "/x/tmp/.X11-unix/X0",
    ] {
        expect(&linux(json!({"paths": [path]})), Rule::Headless, "", &[]);
    }
    expect(&linux(json!({"tty": true})), Rule::DesktopLinux, "t", &["tty"]);
    expect(&linux(json!({"tty": false})), Rule::Headless, "", &[]);
    let all = json!({"tty": true, "env": {"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}});
    let evidence = ["env:DISPLAY", "env:WAYLAND_DISPLAY", "tty"];
    expect(&linux(all), Rule::DesktopLinux, "td", &evidence);
}

#[test]
fn what_is_left_depends_on_the_system() {
    for (os, bare, with_terminal) in [
        ("linux", Rule::Headless, Rule::DesktopLinux),
        ("darwin", Rule::DesktopOs, Rule::DesktopOs),
        ("windows", Rule::DesktopOs, Rule::DesktopOs),
        ("freebsd", Rule::None, Rule::None),
        ("Linux", Rule::None, Rule::None),
        ("", Rule::None, Rule::None),
    ] {
        assert_eq!(judge(&json!({"os": os})).rule, bare, "{os}");
        assert_eq!(judge(&json!({"os": os, "tty": true})).rule, with_terminal, "{os}");
        assert_eq!(judge(&json!({"os": os, "paths": ["/.dockerenv"]})).rule, Rule::Container);
        assert_eq!(judge(&json!({"os": os, "env": {"CI": "1"}})).rule, Rule::Ci);
        assert_eq!(judge(&json!({"os": os, "env": {"REPL_ID": "1"}})).rule, Rule::CloudIde);
    }
    expect(&judge(&json!({})), Rule::None, "", &[]);
    let desktop = json!({"tty": true, "env": {"DISPLAY": ":0"}});
    expect(&judge(&desktop), Rule::None, "td", &["env:DISPLAY", "tty"]);
}
