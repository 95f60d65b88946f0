//! Where a process's control group is in the file system (cgroups(7), proc_pid_mountinfo(5)).

use std::path::{Component, Path, PathBuf};

use super::Version;

/// Levels of a path that are looked at, the deepest first. systemd and Kubernetes nest about six.
const MOST_LEVELS: usize = 16;

/// The directories of a group and those above it, the group's own first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) version: Version,
    pub(crate) levels: Vec<PathBuf>,
}

/// A line of `/proc/PID/cgroup`: in which group of which hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Membership<'a> {
    /// Comma-separated; empty for version 2.
    controllers: &'a str,
    path: &'a str,
}

fn memberships(text: &str) -> impl Iterator<Item = Membership<'_>> {
    text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        path.starts_with('/').then_some(Membership { controllers, path })
    })
}

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount<'a> {
    version: Version,
    /// Comma-separated options, among them the controllers of version 1.
    options: &'a str,
    /// The group that is seen at the mount point.
    root: String,
    point: String,
}

/// The control group mounts of a `mountinfo`.
fn mounts(text: &str) -> impl Iterator<Item = Mount<'_>> {
    text.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let version = match kind.next()? {
            "cgroup" => Version::V1,
            "cgroup2" => Version::V2,
            _ => return None,
        };
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (unescape(mount.next()?), unescape(mount.next()?));
        Some(Mount { version, options: kind.nth(1)?, root, point })
    })
}

/// Mounts write space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

fn lists(list: &str, name: &str) -> bool {
    list.split(',').any(|item| item == name)
}

/// The place of this process's group for a controller. A controller that version 1 has, version 2 has not.
pub(crate) fn locate(controller: &str, cgroup: &str, mountinfo: &str, sys: &Path) -> Option<Place> {
    let first = memberships(cgroup).find(|membership| lists(membership.controllers, controller));
    let (version, membership) = match first {
        Some(membership) => (Version::V1, membership),
        None => (Version::V2, memberships(cgroup).find(|membership| membership.controllers.is_empty())?),
    };
    let mount = mounts(mountinfo).find(|mount| {
        mount.version == version && (version == Version::V2 || lists(mount.options, controller))
    });
    let (root, point) = match &mount {
        Some(mount) => (mount.root.as_str(), below(sys, &mount.point)?),
        None => ("/", usual(version, controller, sys)?),
    };
    Some(Place { version, levels: levels(&point, root, membership.path)? })
}

/// The mount point below the root that was set instead of `/sys`. Elsewhere no group is mounted today; where
/// one is, it is looked at on the real machine only.
fn below(sys: &Path, point: &str) -> Option<PathBuf> {
    if Path::new(point).components().any(|component| component == Component::ParentDir) {
        return None;
    }
    match Path::new(point).strip_prefix("/sys") {
        Ok(rest) => Some(sys.join(rest)),
        Err(_) => (sys == Path::new("/sys")).then(|| PathBuf::from(point)),
    }
}

/// Where a hierarchy is mounted when nobody says so.
fn usual(version: Version, controller: &str, sys: &Path) -> Option<PathBuf> {
    let base = sys.join("fs/cgroup");
    let candidates = match version {
        Version::V1 => vec![base.join(controller), base.join("cpu,cpuacct")],
        Version::V2 => vec![base.clone(), base.join("unified")],
    };
    let sign = match version {
        Version::V1 => "cgroup.procs",
        Version::V2 => "cgroup.controllers",
    };
    candidates.into_iter().find(|point| point.join(sign).exists())
}

/// The levels from the group up to the mount point. A group that the mount does not show is the mount point
/// itself: in a container the group is often mounted as if it were the root.
fn levels(point: &Path, root: &str, path: &str) -> Option<Vec<PathBuf>> {
    let shown = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
    let mut names = Vec::new();
    for component in shown.components() {
        match component {
            Component::Normal(name) => names.push(name),
            // Above what this process's namespace shows.
            Component::ParentDir => return None,
            _ => {}
        }
    }
    let depths = (0..=names.len()).rev().take(MOST_LEVELS);
    let level = |depth: usize| names[..depth].iter().fold(point.to_owned(), |path, name| path.join(name));
    Some(depths.map(level).collect())
}
