//! What is no proof is refused with the precise reason, and the origin never hears of it.

use serde_json::json;

use super::{Gate, SECRET};
use crate::support::tokens::{Signer, claims_of, encode, get_as, get_with, now, with};

const USERS: &str = r#"
    [[edge.route]]
    pool = "app"
    auth = "users"
    [auth.users]
    pem = "rsa.pem"
    issuer = "https://issuer.example"
    audience = ["shop", "till"]
"#;

/// A spare bit of the last letter set: another text of the same bytes.
fn with_spare_bits(token: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = token.split_at(token.len() - 1);
    let position = ALPHABET.find(last).unwrap();
    // 256 bytes of signature end in a letter with four of them.
    format!("{rest}{}", &ALPHABET[position | 1..=position | 1])
}

#[tokio::test]
async fn every_fault_of_a_token_is_refused_by_name() {
    let gate = Gate::with(USERS).await;
    let rsa = &gate.rsa;
    let good = claims_of("ada");
    let saying = |more| rsa.token(&with(claims_of("ada"), more));
    let without = |name: &str| {
        let mut claims = claims_of("ada");
        claims.as_object_mut().unwrap().remove(name);
        rsa.token(&claims)
    };
    let token = rsa.token(&good);
    let header = |header: &str| rsa.token_of(header, &good.to_string());
    let segments: Vec<&str> = token.split('.').collect();
    let payload = |payload: &str| rsa.token_of("{\"alg\":\"RS256\"}", payload);
    let unsigned = |alg: &str| {
        let header = encode(format!("{{\"alg\":\"{alg}\"}}"));
        format!("{header}.{}.x", segments[1])
    };
    let exp = now() + 600;
    let cases = [
        ("the token is not signed", unsigned("none")),
        ("the token is not signed", unsigned("nOnE")),
        ("the token is not of three segments", format!("{}.{}.", segments[0], segments[1])),
        ("the token is not of three segments", format!("{}.{}", segments[0], segments[1])),
        ("the token is not of three segments", format!("{token}.x")),
        ("encrypted tokens are not accepted", format!("{token}.x.y")),
        // The public key is public: it must not do for a secret.
        ("the algorithm of the token is not accepted", Signer::secret(rsa.pem()).token(&good)),
        ("the algorithm of the token is not accepted", Signer::secret(SECRET).token(&good)),
        ("the algorithm of the token is not accepted", gate.es256.token(&good)),
        ("the algorithm of the token is not supported", unsigned("RS1")),
        ("the signature of the token does not hold", Signer::rsa().token(&good)),
        ("the token does not expire", without("exp")),
        ("the claim exp is malformed", saying(json!({ "exp": exp.to_string() }))),
        ("the claim exp is malformed", payload(&format!("{{\"exp\":{exp}.5}}"))),
        ("the claim exp is malformed", saying(json!({ "exp": -1 }))),
        ("the claim exp is malformed", payload("{\"exp\":1e300}")),
        ("the token has expired", saying(json!({ "exp": now() - 11 }))),
        ("the token is not valid yet", saying(json!({ "nbf": now() + 60 }))),
        ("the token was issued in the future", saying(json!({ "iat": now() + 60 }))),
        ("the claim nbf is malformed", saying(json!({ "nbf": "0" }))),
        ("the issuer of the token is not accepted", saying(json!({ "iss": "https://issuer.example/" }))),
        ("the issuer of the token is not accepted", without("iss")),
        ("the token is not for this audience", saying(json!({ "aud": ["bank"] }))),
        ("the token is not for this audience", without("aud")),
        ("the claim aud is malformed", saying(json!({ "aud": { "shop": true } }))),
        (
            "the payload of the token has a member twice",
            payload(&format!("{{\"exp\":{exp},\"sub\":\"ada\",\"sub\":\"root\"}}")),
        ),
        ("the header of the token has a member twice", header("{\"alg\":\"RS256\",\"alg\":\"none\"}")),
        ("the token has critical extensions", header("{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}")),
        (
            "the token has an unencoded payload",
            header("{\"alg\":\"RS256\",\"b64\":false,\"crit\":[\"b64\"]}"),
        ),
        ("the signature of the token is not canonical base64url", with_spare_bits(&token)),
        ("the signature of the token is not canonical base64url", format!("{token}=")),
        ("the header of the token is not canonical base64url", format!("+{token}")),
        ("the token is too long", format!("{token}{}", "A".repeat(8 * 1024))),
    ];
    let mut client = gate.edge.client().await;
    for (told, token) in cases {
        let answer = client.ask(get_as("/", &token)).await;
        let challenge =
            format!("Bearer realm=\"users\", error=\"invalid_token\", error_description=\"{told}\"");
        assert_eq!((answer.status(), answer.get("www-authenticate")), (401, Some(&challenge[..])), "{token}");
        assert_eq!(answer.get("cache-control"), Some("no-store"));
    }
    assert!(gate.origin.heard().is_empty(), "{:?}", gate.origin.heard());
    assert_eq!(client.ask(get_as("/", &token)).await.status(), 200, "the connection goes on");
}

#[tokio::test]
async fn a_header_of_the_token_names_no_key_to_trust() {
    let gate =
        Gate::with("[[edge.route]]\npool = \"app\"\nauth = \"users\"\n[auth.users]\njwks = \"keys.json\"\n")
            .await;
    let stranger = Signer::ed25519();
    for header in [
        json!({ "alg": "EdDSA", "jwk": stranger.jwk() }),
        json!({ "alg": "EdDSA", "jku": format!("http://{}/keys", gate.origin.address) }),
        json!({ "alg": "EdDSA", "x5u": format!("http://{}/cert", gate.origin.address) }),
    ] {
        let token = stranger.token_of(&header.to_string(), &claims_of("root").to_string());
        let answer = gate.edge.ask(get_as("/", &token)).await;
        let told = answer.get("www-authenticate").unwrap_or_default();
        assert!(
            answer.status() == 401 && told.contains("the signature of the token does not hold"),
            "{told}"
        );
    }
    let unknown = Signer::ed25519().named("gone").token(&claims_of("ada"));
    let answer = gate.edge.ask(get_as("/", &unknown)).await;
    assert!(answer.get("www-authenticate").unwrap().contains("the key of the token is not known"));
    assert!(gate.origin.heard().is_empty() && gate.origin.connections() == 0);
}

#[tokio::test]
async fn nothing_at_all_and_what_cannot_be_read_are_told_apart() {
    let gate = Gate::with(USERS).await;
    let mut client = gate.edge.client().await;
    // RFC 6750 §3.1: who showed nothing is not told what was wrong with it.
    for fields in ["", "Authorization: Basic YTpi\r\n", "Authorization: \r\n"] {
        let answer = client.ask(get_with("/", fields)).await;
        let told = (answer.status(), answer.get("www-authenticate"));
        assert_eq!(told, (401, Some("Bearer realm=\"users\"")), "{fields}");
    }
    let token = gate.rsa.token(&claims_of("ada"));
    let twice = format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n");
    for (fields, told) in [
        (twice, "the token was sent more than once"),
        ("Authorization: Bearer\r\n".into(), "the Authorization field is malformed"),
        (format!("Authorization: Bearer {token} {token}\r\n"), "the Authorization field is malformed"),
    ] {
        let answer = client.ask(get_with("/", &fields)).await;
        let challenge =
            format!("Bearer realm=\"users\", error=\"invalid_request\", error_description=\"{told}\"");
        assert_eq!((answer.status(), answer.get("www-authenticate")), (400, Some(&challenge[..])));
    }
    assert!(gate.origin.heard().is_empty());
}

#[tokio::test]
async fn a_body_that_came_along_does_no_harm() {
    let gate = Gate::with(USERS).await;
    let mut client = gate.edge.client().await;
    let post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 27\r\n\r\nGET /hidden HTTP/1.1\r\nHost:";
    assert_eq!(client.ask(post).await.status(), 401);
    let token = gate.rsa.token(&claims_of("ada"));
    // Either the body was read away, or the connection has ended: it is never taken for a request.
    client.send(get_as("/after", &token)).await;
    if let Some(answer) = client.try_response_to("GET").await {
        assert_eq!(answer.status(), 200);
    }
    assert!(gate.origin.heard().iter().all(|request| request.target() == "/after"));
}
