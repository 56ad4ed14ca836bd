//! Who a user id is to us, and whether a group is this user's own.
//!
//! One rule: the files of the system are read, within bounds, and no name service is asked: that could wait.

use super::host::{read_bounded, user_id};
use crate::files::Owner;
use std::path::Path;

/// The largest user or group file that is read.
const MOST_BYTES: usize = 4 << 20;
/// Owners that have no number in this user namespace are shown as this one.
const OVERFLOW: u32 = 65_534;

/// Who the user is that a file belongs to.
pub fn owner(uid: u32) -> Owner {
    match uid {
        0 => Owner::Trusted,
        _ if Some(uid) == user_id() => Owner::Trusted,
        OVERFLOW if is_in_namespace() => Owner::Unknown,
        _ => Owner::Other,
    }
}

/// Whether some users of the machine have no number here. The whole range is mapped outside of namespaces.
fn is_in_namespace() -> bool {
    let map = read_bounded(Path::new("/proc/self/uid_map"), MOST_BYTES).unwrap_or_default();
    let words: Vec<&str> =
        std::str::from_utf8(&map).unwrap_or_default().split_whitespace().collect();
    !words.is_empty() && words != ["0", "0", "4294967295"]
}

/// Whether only this user and root are in the group: many systems give every user such a group, and let it
/// write.
pub fn is_private(gid: u32) -> bool {
    let Some(uid) = user_id() else { return false };
    let text = |path: &str| {
        let bytes = read_bounded(Path::new(path), MOST_BYTES).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    is_private_in(gid, (uid, group_id()), &text("/etc/passwd"), &text("/etc/group"))
}

fn group_id() -> u32 {
    // SAFETY: getegid takes nothing, cannot fail and touches no memory of ours.
    unsafe { libc::getegid() }
}

/// As [`is_private`], of these files. A group that they do not list is private if it has the number of its user,
/// and is the one that this process runs with: that is how private groups are made.
fn is_private_in(gid: u32, (uid, own_gid): (u32, u32), passwd: &str, group: &str) -> bool {
    let users: Vec<(&str, u32, u32)> = passwd.lines().filter_map(user).collect();
    let is_us = |name: &str| {
        name == "root" || users.iter().any(|(other, id, _)| *other == name && *id == uid)
    };
    let of_others = users.iter().any(|(_, id, primary)| *primary == gid && *id != uid && *id != 0);
    let listed = group.lines().filter_map(members).find(|(_, id, _)| *id == gid);
    let has_others = listed
        .is_some_and(|(_, _, all)| all.split(',').any(|name| !name.is_empty() && !is_us(name)));
    let is_named_as_us = listed.is_some_and(|(name, ..)| is_us(name));
    // Who is in root's group without being root was made so by root.
    let is_own = gid == 0 || is_named_as_us || (gid == uid && gid == own_gid);
    is_own && !has_others && (gid == 0 || !of_others)
}

/// Name, number and primary group of a line of the user file.
fn user(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    Some((name, fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Name, number and members of a line of the group file.
fn members(line: &str) -> Option<(&str, u32, &str)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    Some((name, fields.nth(1)?.parse().ok()?, fields.next().unwrap_or_default().trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_when_no_other_is_in_it() {
        let passwd = "root:x:0:0::/root:/bin/sh\nsync:x:4:65534::/bin:/bin/sync\nann:x:1000:1000:,,:/home/ann:/bin/sh\n\
                      bob:x:1001:100::/home/bob:/bin/sh\neve:x:1002:100::/home/eve:/bin/sh\n";
        let group = "root:x:0:\nusers:x:100:\nann:x:1000:\nbob:x:1005:bob\nteam:x:2000:ann,bob\nsolo:x:2001:ann\n";
        let ann = |gid| is_private_in(gid, (1000, 1000), passwd, group);
        assert!(ann(1000) && ann(0));
        for gid in [100, 2000, 2001, 4321] {
            assert!(!ann(gid), "{gid}");
        }
        let bob = |gid| is_private_in(gid, (1001, 100), passwd, group);
        assert!(bob(1005) && !bob(100) && !bob(1001));
        // With somebody else in it, it is not.
        let shared = group.replace("ann:x:1000:", "ann:x:1000:ann,eve");
        assert!(!is_private_in(1000, (1000, 1000), passwd, &shared));
        let primary = passwd.replace("eve:x:1002:100", "eve:x:1002:1000");
        assert!(!is_private_in(1000, (1000, 1000), &primary, group));
        assert!(!is_private_in(0, (1000, 1000), passwd, "root:x:0:eve"));
        // In an image without such files.
        assert!(
            is_private_in(1000, (1000, 1000), "", "") && !is_private_in(2000, (1000, 1000), "", "")
        );
        assert!(!is_private_in(1000, (1000, 50), "", ""));
    }

    #[test]
    fn root_and_we_are_trusted() {
        assert_eq!(owner(0), Owner::Trusted);
        assert_eq!(owner(user_id().unwrap_or_default()), Owner::Trusted);
        let other = [12_345, 12_346].into_iter().find(|uid| Some(*uid) != user_id());
        assert_eq!(owner(other.unwrap_or_default()), Owner::Other);
    }
}
