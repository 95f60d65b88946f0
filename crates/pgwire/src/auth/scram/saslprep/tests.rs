use super::*;

#[test]
fn the_examples_of_rfc_4013() {
    for (given, expected) in
        [("I\u{ad}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{aa}", "a"), ("\u{2168}", "IX")]
    {
        assert_eq!(&*saslprep(given.as_bytes()), expected.as_bytes());
    }
}

#[test]
fn what_is_refused_goes_as_it_is() {
    for given in
        [&b"\x07"[..], "\u{627}1".as_bytes(), "\u{ad}".as_bytes(), "\u{1f9ea}".as_bytes(), b"\xff\xfe", b""]
    {
        assert_eq!(&*saslprep(given), given);
    }
}
