//! Whatever a process says its control group is, what is looked at is below the root, and not much of it.
#![no_main]

use std::path::Component;

use deepwater_host::fuzzing::control_group;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (cgroup, mountinfo) = texts;
    let levels = control_group(cgroup, mountinfo);
    assert!(levels.len() <= 16);
    for level in levels {
        assert!(
            level.starts_with("/fixture") && !level.components().any(|it| it == Component::ParentDir),
            "{level:?}"
        );
    }
});
