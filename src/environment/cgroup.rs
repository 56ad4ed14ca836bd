//! Reading the text of `/proc/self/cgroup`: the one question is which path segments it names.

/// The paths of a cgroup text (`hierarchy:controllers:path`, one per line).
fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .map(|path| path.strip_suffix(" (deleted)").unwrap_or(path))
}

/// Each segment of each path, with the segment below it.
pub(super) fn segments(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    paths(text).flat_map(|path| {
        let mut rest = path.split('/').filter(|segment| !segment.is_empty()).peekable();
        std::iter::from_fn(move || rest.next().map(|segment| (segment, rest.peek().copied())))
    })
}
