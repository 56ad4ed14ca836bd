//! The container probe (`detect-container`).
//!
//! One rule: a marker belongs to the inside of a container. A host that runs containers is none, and
//! what cannot be read proves nothing.

use super::names::{CONTAINER, CONTAINER_SET, DISTROBOX};
use super::{Container, Evidence, Found, cgroup};
use std::borrow::Cow;

/// What systemd's container interface calls containers. Flatpak and Steam's pressure-vessel use the
/// same interface for sandboxes around desktop applications: those are not containers.
const MANAGERS: &[&str] =
    &["docker", "podman", "oci", "lxc", "lxc-libvirt", "systemd-nspawn", "rkt"];

const MANAGER_FILES: &[&str] = &["/run/systemd/container", "/run/host/container-manager"];
const CONTAINER_PATHS: &[&str] = &["/.dockerenv", "/run/.containerenv"];
const TOOLBOX_PATH: &str = "/run/.toolboxenv";

/// Files that every container runtime binds over the image's own.
const BOUND_FILES: &[&str] = &["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/// Where the runtimes keep them.
const RUNTIME_DIRECTORIES: &[&str] = &[
    "/docker/containers/",
    "/containers/storage/",
    "/kubelet/pods/",
    "/containerd/",
    "/nerdctl/",
    "/buildkit/",
];

/// Looks for markers, cheapest first; what costs a read of `/proc` is asked only when nothing
/// cheaper has proved a container.
pub(super) fn probe(evidence: &dyn Evidence, found: &mut Found) -> Container {
    let mut inside = found.variables(evidence, CONTAINER_SET);
    let mut wsl = false;
    match evidence.env(CONTAINER).as_deref().map(manager) {
        Some(Manager::Container) => {
            inside = true;
            found.variable(CONTAINER);
        }
        // `session::wsl` reports the variable.
        Some(Manager::Wsl) => wsl = true,
        Some(Manager::Other) | None => {}
    }
    let mut toolbox = found.variables(evidence, &[DISTROBOX]);
    for path in CONTAINER_PATHS {
        inside |= found.path(evidence, path);
    }
    toolbox |= found.path(evidence, TOOLBOX_PATH);
    for path in MANAGER_FILES {
        let named = evidence.file(path).as_deref().map(manager);
        inside |= named == Some(Manager::Container);
        wsl |= named == Some(Manager::Wsl);
        if matches!(named, Some(Manager::Container | Manager::Wsl)) {
            found.push(format!("file:{path}"));
        }
    }
    let cheap = inside || toolbox;
    let proved = cheap
        || found.note("cgroup", evidence.cgroup().is_some_and(|text| in_container_scope(&text)))
        || found.note("mountinfo", evidence.mountinfo().is_some_and(|text| has_bound_files(&text)));
    Container { is_container: proved, toolbox, wsl }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manager {
    Container,
    Wsl,
    Other,
}

/// The interface's files hold one line; what follows the first is not a name.
fn manager(text: &str) -> Manager {
    match text.lines().next().unwrap_or_default().trim() {
        "wsl" => Manager::Wsl,
        name if MANAGERS.contains(&name) => Manager::Container,
        _ => Manager::Other,
    }
}

/// Whether a path segment is a container's scope. Substrings are not enough: a host has
/// `system.slice/docker.service`.
fn in_container_scope(text: &str) -> bool {
    cgroup::segments(text).any(|(segment, below)| match segment {
        "docker" => below.is_some_and(is_container_id),
        "lxc" => below.is_some(),
        _ => {
            ["kubepods", "cri-containerd-", "crio-", "libpod-", "lxc.payload"]
                .iter()
                .any(|prefix| segment.starts_with(prefix))
                || segment
                    .strip_prefix("docker-")
                    .and_then(|rest| rest.strip_suffix(".scope"))
                    .is_some_and(is_container_id)
        }
    })
}

fn is_container_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a runtime has bound its own file over one of the image's: `id parent major:minor root
/// mount-point ..`, separated by single spaces.
fn has_bound_files(text: &str) -> bool {
    text.lines().any(|line| {
        let mut fields = line.split(' ').skip(3);
        let (Some(root), Some(mount_point)) = (fields.next(), fields.next()) else { return false };
        BOUND_FILES.contains(&unescape(mount_point).as_ref()) && {
            let root = unescape(root);
            RUNTIME_DIRECTORIES.iter().any(|directory| root.contains(directory))
        }
    })
}

/// The kernel writes white space and backslashes of mountinfo fields as three octal digits.
fn unescape(field: &str) -> Cow<'_, str> {
    if !field.contains('\\') {
        return Cow::Borrowed(field);
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        match (byte, after) {
            (b'\\', &[a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                bytes.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                rest = &after[3..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}
