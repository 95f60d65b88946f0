//! Who gave flags and no file is told of flags.

use deepwater_core::config::{Problem, Problems};

/// The keys that flags stand for; of a list, or of a table of names, any entry.
const FLAGS: [(&str, &str); 5] = [
    ("edge.listen[", "--listen"),
    ("pools.app.targets[", "--to"),
    ("console.listen", "--console"),
    ("postgres.listen", "--postgres-listen"),
    ("postgres.databases.", "--postgres"),
];

/// The same problems, at the flags in place of the keys.
pub(super) fn named(problems: Problems) -> Problems {
    problems.into_iter().map(flag).collect::<Vec<_>>().into()
}

fn flag(mut problem: Problem) -> Problem {
    let Some((_, flag)) = FLAGS.iter().find(|(key, _)| problem.key.starts_with(key)) else { return problem };
    (*flag).clone_into(&mut problem.key);
    if *flag == "--console" && problem.fix.as_ref().is_some_and(|fix| fix.contains("token")) {
        problem.fix =
            Some("listen on 127.0.0.1:9000, or write a file, whose [console] takes a `token`".into());
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_as_flags() {
        let problem = |key: &str, fix: &str| Problem {
            file: None,
            line: None,
            column: None,
            key: key.into(),
            what: "wrong".into(),
            fix: Some(fix.into()),
        };
        let told = |key, fix| flag(problem(key, fix)).to_string();
        assert_eq!(told("edge.listen[0].address", "mend it"), "--listen: wrong\n  fix: mend it");
        assert_eq!(told("pools.app.targets[1]", "mend it"), "--to: wrong\n  fix: mend it");
        assert_eq!(told("postgres.databases.shop.primary", "mend it"), "--postgres: wrong\n  fix: mend it");
        assert!(!told("console.listen", "set `token = \"env:TOKEN\"`").contains("env:TOKEN"));
        assert_eq!(told("lens.memory", "mend it"), "lens.memory: wrong\n  fix: mend it");
    }
}
