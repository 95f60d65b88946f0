//! The address of a target, as it may be written.

use deepwater_upstream::Address;

/// It, taken apart.
pub(super) struct Origin {
    /// `host:port` or `unix:/path`.
    pub name: String,
    pub secure: bool,
}

impl Origin {
    pub fn parse(text: &str) -> Result<Self, String> {
        let (secure, rest, default_port) = match text.split_once("://") {
            Some(("http", rest)) => (false, rest, Some(80)),
            Some(("https", rest)) => (true, rest, Some(443)),
            Some((scheme, _)) => {
                return Err(format!("`{scheme}://` is not known: write http://, https:// or host:port"));
            }
            None => (false, text, None),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if default_port.is_some() && rest.contains('/') {
            return Err(format!(
                "`{text}` has a path: write the server alone, and change paths with a route's `rewrite`"
            ));
        }
        let has_port = rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let name = match default_port {
            Some(port) if !has_port => format!("{rest}:{port}"),
            _ => rest.to_owned(),
        };
        name.parse::<Address>().map_err(|error| error.to_string())?;
        Ok(Self { name, secure })
    }

    pub fn host(&self) -> &str {
        let host = self.name.rsplit_once(':').map_or(self.name.as_str(), |(host, _)| host);
        host.trim_matches(['[', ']'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_may_be_urls() {
        let name = |text| Origin::parse(text).map(|origin| (origin.name, origin.secure));
        assert_eq!(name("127.0.0.1:3000"), Ok(("127.0.0.1:3000".into(), false)));
        assert_eq!(name("http://app.internal/"), Ok(("app.internal:80".into(), false)));
        assert_eq!(name("https://app.internal"), Ok(("app.internal:443".into(), true)));
        assert_eq!(name("https://[::1]:8443"), Ok(("[::1]:8443".into(), true)));
        assert_eq!(name("unix:/run/app.sock"), Ok(("unix:/run/app.sock".into(), false)));
        assert!(name("ftp://a").is_err());
        assert!(name("http://a/b").unwrap_err().contains("rewrite"));
        assert!(name("app").is_err());
    }
}
