//! Requests for files in a directory of their own.

use std::future::poll_fn;
use std::os::unix::fs::symlink;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::body::{BodyError, BodyRead, Frame};

/// A site, and beside it a secret.
fn site() -> (TempDir, Files) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("site");
    std::fs::create_dir_all(root.join("docs")).unwrap();
    std::fs::create_dir(root.join("empty")).unwrap();
    std::fs::write(root.join("index.html"), "<h1>home</h1>").unwrap();
    std::fs::write(root.join("docs/index.html"), "docs").unwrap();
    std::fs::write(root.join("a b.txt"), "0123456789").unwrap();
    std::fs::write(root.join("nothing.txt"), "").unwrap();
    std::fs::write(root.join(".env"), "secret").unwrap();
    std::fs::write(directory.path().join("secret.txt"), "secret").unwrap();
    let files = Files::new(root, "index.html".into());
    (directory, files)
}

fn request(method: Method, below: &str, fields: &[(&str, &str)]) -> Request {
    let mut request = Request::default();
    request.method = method;
    request.set_target(format!("/{below}").as_bytes());
    request.fields.add_all(fields);
    request
}

/// A time at which all the files are settled.
fn now() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

async fn get(files: &Files, below: &str, fields: &[(&str, &str)]) -> FileAnswer {
    let request = request(Method::GET, below, fields);
    files.answer(&request, below.split('?').next().unwrap().as_bytes(), now()).await
}

async fn read(body: &mut FileBody) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while poll_fn(|cx| body.poll_frame(cx)).await? == Frame::Data {
        bytes.extend_from_slice(body.data());
        body.consume(body.data().len());
    }
    assert!(body.is_done());
    Ok(bytes)
}

async fn content(answer: &mut FileAnswer) -> String {
    String::from_utf8(read(answer.body.as_mut().expect("a body")).await.unwrap()).unwrap()
}

fn field<'a>(answer: &'a FileAnswer, name: &str) -> Option<&'a str> {
    answer.fields.get(name.as_bytes()).map(|value| std::str::from_utf8(value).unwrap())
}

#[tokio::test]
async fn a_file_is_served_with_its_type_and_validators() {
    let (_directory, files) = site();
    let mut answer = get(&files, "a%20b.txt", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(field(&answer, "content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(field(&answer, "content-length"), Some("10"));
    assert_eq!(field(&answer, "accept-ranges"), Some("bytes"));
    assert!(field(&answer, "last-modified").is_some_and(|date| date.ends_with(" GMT")));
    assert_eq!(content(&mut answer).await, "0123456789");

    let etag = field(&answer, "etag").unwrap().to_owned();
    let unchanged = get(&files, "a%20b.txt", &[("If-None-Match", &etag)]).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.is_none()), (304, true));
    assert_eq!(field(&unchanged, "etag"), Some(&*etag));
    assert_eq!(field(&unchanged, "content-length"), None);
    let changed = get(&files, "a%20b.txt", &[("If-Match", "\"other\"")]).await;
    assert_eq!((changed.status.as_u16(), changed.body.is_none()), (412, true));
}

#[tokio::test]
async fn head_has_the_fields_of_get() {
    let (_directory, files) = site();
    let answer = files
        .answer(&request(Method::HEAD, "a%20b.txt", &[("Range", "bytes=0-1")]), b"a%20b.txt", now())
        .await;
    assert_eq!((answer.status.as_u16(), field(&answer, "content-length")), (200, Some("10")));
    assert!(answer.body.is_none());
    let empty = get(&files, "nothing.txt", &[]).await;
    assert_eq!((empty.status.as_u16(), field(&empty, "content-length")), (200, Some("0")));
    assert!(empty.body.is_none());
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let (_directory, files) = site();
    let answer = files.answer(&request(Method::POST, "index.html", &[]), b"index.html", now()).await;
    assert_eq!((answer.status.as_u16(), field(&answer, "allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn one_range_is_served_alone() {
    let (_directory, files) = site();
    for (range, status, bytes, content_range) in [
        ("bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("bytes=7-", 206, "789", Some("bytes 7-9/10")),
        ("bytes=-2", 206, "89", Some("bytes 8-9/10")),
        ("bytes=0-99", 206, "0123456789", Some("bytes 0-9/10")),
        ("bytes=0-1,4-5", 200, "0123456789", None),
        ("lines=0-1", 200, "0123456789", None),
    ] {
        let mut answer = get(&files, "a%20b.txt", &[("Range", range)]).await;
        assert_eq!(
            (answer.status.as_u16(), field(&answer, "content-range")),
            (status, content_range),
            "{range}"
        );
        assert_eq!(field(&answer, "content-length"), Some(&*bytes.len().to_string()));
        assert_eq!(content(&mut answer).await, bytes, "{range}");
    }
    let beyond = get(&files, "a%20b.txt", &[("Range", "bytes=10-")]).await;
    assert_eq!((beyond.status.as_u16(), field(&beyond, "content-range")), (416, Some("bytes */10")));
    assert!(beyond.body.is_none());
}

#[tokio::test]
async fn a_range_of_another_version_is_not_served() {
    let (_directory, files) = site();
    let etag = field(&get(&files, "a%20b.txt", &[]).await, "etag").unwrap().to_owned();
    let same = get(&files, "a%20b.txt", &[("Range", "bytes=0-1"), ("If-Range", &etag)]).await;
    assert_eq!(same.status, 206);
    let mut other = get(&files, "a%20b.txt", &[("Range", "bytes=0-1"), ("If-Range", "\"other\"")]).await;
    assert_eq!((other.status.as_u16(), content(&mut other).await.len()), (200, 10));
}

#[tokio::test]
async fn a_directory_is_its_index_once_its_name_ends_with_a_slash() {
    let (_directory, files) = site();
    assert_eq!(content(&mut get(&files, "", &[]).await).await, "<h1>home</h1>");
    assert_eq!(content(&mut get(&files, "docs/", &[]).await).await, "docs");
    let redirect = get(&files, "docs?a=b", &[]).await;
    assert_eq!((redirect.status.as_u16(), field(&redirect, "location")), (301, Some("/docs/?a=b")));
    assert_eq!(get(&files, "empty/", &[]).await.status, 404);
    assert_eq!(get(&files, "index.html/", &[]).await.status, 404);

    // A name that begins with two slashes would be a host.
    let mut elsewhere = Request::default();
    elsewhere.set_target(b"/\\/docs");
    let redirect = files.answer(&elsewhere, b"docs", now()).await;
    assert_eq!(field(&redirect, "location"), Some("/docs/"));

    // Below `/docs/*`, `/docs` names the directory without its slash, and `/docs/` with it.
    let docs = Files::new(files.root.join("docs"), "index.html".into());
    assert_eq!(docs.answer(&request(Method::GET, "docs", &[]), b"", now()).await.status, 301);
    assert_eq!(docs.answer(&request(Method::GET, "docs/", &[]), b"", now()).await.status, 200);
}

#[tokio::test]
async fn nothing_outside_the_root_is_served() {
    let (directory, files) = site();
    let root = directory.path().join("site");
    symlink(directory.path().join("secret.txt"), root.join("escape.txt")).unwrap();
    symlink(directory.path(), root.join("up")).unwrap();
    symlink("../../secret.txt", root.join("empty/index.html")).unwrap();
    symlink(root.join("a b.txt"), root.join("inside.css")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    let long = "x".repeat(300);
    for below in [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "docs/..%2f..%2fsecret.txt",
        "docs/..%5c..%5csecret.txt",
        ".env",
        "%2eenv",
        "escape.txt",
        "up/secret.txt",
        "empty/",
        "loop",
        "missing",
        "index.html%00.png",
        &long,
    ] {
        let answer = get(&files, below, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body.is_none()), (404, true), "{below}");
    }
    let mut inside = get(&files, "inside.css", &[]).await;
    assert_eq!(field(&inside, "content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(content(&mut inside).await, "0123456789");
}

#[tokio::test]
async fn what_is_not_a_file_is_not_served() {
    let (directory, files) = site();
    let path = directory.path().join("site/socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert_eq!(get(&files, "socket", &[]).await.status, 404);
}

#[tokio::test]
async fn large_files_pass_in_pieces() {
    let (directory, files) = site();
    let bytes: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(directory.path().join("site/large.bin"), &bytes).unwrap();
    let mut answer = get(&files, "large.bin", &[]).await;
    assert_eq!(read(answer.body.as_mut().unwrap()).await.unwrap(), bytes);
    let mut part = get(&files, "large.bin", &[("Range", "bytes=100-250000")]).await;
    assert_eq!(read(part.body.as_mut().unwrap()).await.unwrap(), bytes[100..=250_000]);
}

#[tokio::test]
async fn a_file_that_shrinks_breaks_off_and_one_that_grows_is_not_followed() {
    let (directory, files) = site();
    let path = directory.path().join("site/large.bin");
    std::fs::write(&path, vec![1; 200_000]).unwrap();
    let mut shrinking = get(&files, "large.bin", &[]).await;
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(100_000).unwrap();
    let error = read(shrinking.body.as_mut().unwrap()).await.unwrap_err();
    assert!(matches!(error, BodyError::Truncated), "{error}");

    let mut growing = get(&files, "large.bin", &[]).await;
    file.set_len(300_000).unwrap();
    assert_eq!(read(growing.body.as_mut().unwrap()).await.unwrap().len(), 100_000);
}
