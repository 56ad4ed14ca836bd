//! The container probe (`detect-container`).
//!
//! One rule: a marker belongs to the inside of a container. A host that runs containers is none, and
//! what cannot be read proves nothing.

use super::marks::{self, class};
use super::seen::Seen;
use super::{Container, Evidence, Found, cgroup};
use std::borrow::Cow;

/// systemd's container interface, a variable and two files with the same values. Flatpak and Steam's pressure-vessel
/// use it for sandboxes around desktop applications: those are not containers.
const MANAGER: &[u8] = b"container";
const MANAGER_FILES: &[&str] = &["/run/systemd/container", "/run/host/container-manager"];
const CONTAINER_PATHS: &[&str] = &["/.dockerenv", "/run/.containerenv", "/.singularity.d"];
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

/// File systems of images: layers, and what the container writes above them.
const LAYERED: &[&str] = &["overlay", "fuse.fuse-overlayfs"];

/// Systems that people sit at have such a root as well: live ones (Debian, Fedora, Ubuntu, Arch, Manjaro), those that
/// forget what was written (overlayroot), images of ostree, routers. Each path stands in the options of the mount, or exists.
const LAYERED_DESKTOPS: &[&str] = &[
    "/run/live",
    "/lib/live/mount",
    "/run/initramfs/live",
    "/run/rootfsbase",
    "/run/overlayfs",
    "/run/archiso",
    "/run/miso",
    "/cow/upper",
    "/cdrom/casper",
    "/rofs",
    "/media/root-ro",
    "/overlay/upper",
    "/run/ostree",
    "/run/ostree-booted",
];

/// Looks for markers, cheapest first; what costs a read of `/proc` is asked only when nothing
/// cheaper has proved a container.
pub(super) fn probe(evidence: &dyn Evidence, seen: &Seen, found: &mut Found) -> Container {
    let mut inside = seen.has(class::CONTAINER);
    let mut toolbox = seen.has(class::TOOLBOX);
    let mut guest = false;
    for path in CONTAINER_PATHS {
        inside |= found.path(evidence, path);
    }
    toolbox |= found.path(evidence, TOOLBOX_PATH);
    for path in MANAGER_FILES {
        let text = evidence.file(path);
        let named = text.zip(marks::find(MANAGER)).map(|(text, name)| marks::judge(name, &text).0);
        inside |= named == Some(class::CONTAINER);
        guest |= named == Some(class::GUEST);
        if matches!(named, Some(class::CONTAINER | class::GUEST)) {
            found.push("file:", path);
        }
    }
    let cheap = inside || toolbox;
    let proved = cheap
        || found.note("cgroup", evidence.cgroup().is_some_and(|text| in_container_scope(&text)))
        || found.note(
            "mountinfo",
            evidence.mountinfo().is_some_and(|text| is_containers(evidence, &text)),
        );
    Container { is_container: proved, toolbox, guest }
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

/// The mounts of a container: `id parent major:minor root mount-point .. - type source options`, separated by single
/// spaces.
fn is_containers(evidence: &dyn Evidence, text: &str) -> bool {
    let mut root_line = None;
    for line in text.lines() {
        let mut fields = line.split(' ').skip(3);
        let (Some(root), Some(mount_point)) = (fields.next(), fields.next()) else { continue };
        if mount_point == "/" {
            // A later mount hides an earlier one.
            root_line = Some(line);
        }
        if is_bound(root, mount_point) {
            return true;
        }
    }
    let layered = root_line
        .and_then(|line| line.split_once(" - "))
        .filter(|(_, source)| LAYERED.contains(&source.split(' ').next().unwrap_or_default()));
    layered.is_some_and(|(_, source)| {
        !LAYERED_DESKTOPS.iter().any(|path| source.contains(path) || evidence.path_exists(path))
    })
}

/// Whether a runtime has bound its own file over one of the image's.
fn is_bound(root: &str, mount_point: &str) -> bool {
    BOUND_FILES.contains(&unescape(mount_point).as_ref()) && {
        let root = unescape(root);
        RUNTIME_DIRECTORIES.iter().any(|directory| root.contains(directory))
    }
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
