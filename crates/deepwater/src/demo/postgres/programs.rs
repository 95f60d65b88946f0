//! Where PostgreSQL's programs are.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Names the folder they are in.
const VARIABLE: &str = "DEEPWATER_POSTGRES_BIN";
/// Debian's folder of versions, each with its programs: they are not on the path there.
const VERSIONS: &str = "/usr/lib/postgresql";

/// They are nowhere, and what helps.
const MISSING: &str = "there is no PostgreSQL here (`apt-get install postgresql` brings one)";

/// The folder of `initdb` and `postgres`: the one named, one on the path, the newest of Debian's.
///
/// # Errors
/// There is none, or not where it is said to be; as a clause for a sentence.
pub(super) fn find() -> Result<PathBuf, String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    find_in(set(VARIABLE), &set("PATH").unwrap_or_default(), Path::new(VERSIONS))
}

fn find_in(named: Option<OsString>, path: &OsString, versions: &Path) -> Result<PathBuf, String> {
    if let Some(named) = named.map(PathBuf::from) {
        return match is_complete(&named) {
            true => Ok(named),
            false => {
                Err(format!("{VARIABLE} names {}, which has no `initdb` and `postgres`", named.display()))
            }
        };
    }
    let on_path = std::env::split_paths(path).find(|folder| is_complete(folder));
    on_path.or_else(|| newest(versions)).ok_or_else(|| MISSING.to_owned())
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
}

fn newest(versions: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(versions).ok()?.flatten();
    let version = |name: &str| name.parse::<u32>().ok();
    let known = folders.filter_map(|folder| Some((version(folder.file_name().to_str()?)?, folder.path())));
    let whole = known.map(|(version, path)| (version, path.join("bin"))).filter(|(_, bin)| is_complete(bin));
    whole.max().map(|(_, bin)| bin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(folder: &Path, programs: &[&str]) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        for program in programs {
            fs::write(folder.join(program), "").unwrap();
        }
        folder.to_owned()
    }

    #[test]
    fn the_named_goes_before_the_path_and_the_path_before_the_newest() {
        let home = tempfile::tempdir().unwrap();
        let all = ["initdb", "postgres"];
        let folder = |name: &str| home.path().join(name);
        let named = with(&folder("named"), &all);
        let (partial, on_path) = (with(&folder("partial"), &all[..1]), with(&folder("path"), &all));
        with(&folder("versions/9/bin"), &all);
        with(&folder("versions/17/bin"), &all[1..]);
        let newest = with(&folder("versions/15/bin"), &all);
        with(&folder("versions/old/bin"), &all);
        let (versions, nowhere) = (folder("versions"), folder("nowhere"));

        let path = std::env::join_paths([&nowhere, &partial, &on_path]).unwrap();
        assert_eq!(find_in(Some(named.clone().into()), &path, &versions), Ok(named));
        assert_eq!(find_in(None, &path, &versions), Ok(on_path));
        assert_eq!(find_in(None, &OsString::new(), &versions), Ok(newest));
        assert_eq!(find_in(None, &OsString::new(), &nowhere), Err(MISSING.to_owned()));
        let wrong = find_in(Some(partial.clone().into()), &path, &versions).unwrap_err();
        assert!(wrong.contains(&partial.display().to_string()), "{wrong}");
    }
}
