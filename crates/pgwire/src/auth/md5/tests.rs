use super::*;

/// What PostgreSQL 15 stores for `CREATE USER g PASSWORD 'pencil'` under `password_encryption = md5`.
const SECRET: &str = "md56fad8bbc431764f407609e07fdb7e19b";

#[test]
fn secrets_are_those_of_postgresql() {
    assert_eq!(secret("g", "pencil"), SECRET);
    assert!(is_secret(SECRET));
    for other in ["", "md5", &SECRET[..34], &SECRET.to_uppercase(), "md5gfad8bbc431764f407609e07fdb7e19b"] {
        assert!(!is_secret(other), "{other}");
    }
}

#[test]
fn an_answer_fits_its_salt_only() {
    let given = password("g", "pencil", [1, 2, 3, 4]);
    assert_eq!(given, answer(SECRET, [1, 2, 3, 4]));
    assert!(verify(SECRET, [1, 2, 3, 4], given.as_bytes()));
    assert!(!verify(SECRET, [1, 2, 3, 5], given.as_bytes()));
    assert!(!verify(SECRET, [1, 2, 3, 4], &given.as_bytes()[..34]));
    assert!(!verify(SECRET, [1, 2, 3, 4], b""));
    assert!(!verify(&secret("h", "pencil"), [1, 2, 3, 4], given.as_bytes()));
}
