//! A proxy on the way out.
//!
//! In: a URL, which may hold a password. Out: a [`Tunnel`], or what is wrong without showing any of it. Must not know: sockets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::secret::Secret;

/// An HTTP proxy that is asked to `CONNECT` to a provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tunnel {
    /// Name or address, without brackets.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// For `proxy-authorization`.
    pub authorization: Option<Secret>,
}

impl Tunnel {
    /// From `http://user:password@host:port`, user and password percent-encoded or left out.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what}; write `http://host:3128` or `http://user:password@host:3128`");
        let uri: http::Uri = text.parse().map_err(|_| wrong("not a URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https" | "socks5" | "socks5h") => return Err(wrong("only a proxy at `http://` can be asked")),
            _ => return Err(wrong("does not begin with `http://`")),
        }
        if uri.query().is_some() || !matches!(uri.path(), "" | "/") {
            return Err(wrong("a proxy has no path"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
        let port = uri.port_u16().ok_or_else(|| wrong("names no port"))?;
        let user = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
        let authorization = user.map(|(user, _)| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let mut both: Vec<u8> = percent_decode_str(name).collect();
            both.push(b':');
            both.extend(percent_decode_str(password));
            Secret::new(&format!("Basic {}", STANDARD.encode(both)))
        });
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, authorization })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_decoded_once_and_never_print() {
        let tunnel = Tunnel::parse("http://us%40er:p%3Aa%25ss@proxy.example:3128/").unwrap();
        assert_eq!((tunnel.host.as_str(), tunnel.port), ("proxy.example", 3128));
        let expected = format!("Basic {}", STANDARD.encode("us@er:p:a%ss"));
        assert_eq!(tunnel.authorization.as_ref().unwrap().expose(), expected);
        assert!(!format!("{tunnel:?}").contains("Basic"));
        assert_eq!(
            Tunnel::parse("http://[::1]:1").unwrap(),
            Tunnel { host: "::1".into(), port: 1, authorization: None }
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (text, what) in [
            ("user:hunter2@proxy:3128", "; write `http://host:3128`"),
            ("https://user:hunter2@proxy:3128", "only a proxy at `http://`"),
            ("socks5://user:hunter2@proxy:1080", "only a proxy at `http://`"),
            ("ftp://user:hunter2@proxy:21", "does not begin with"),
            ("http://user:hunter2@proxy", "names no port"),
            ("http://user:hunter2@proxy:3128/path", "no path"),
            ("http://user:hunter2", "; write `http://host:3128`"),
        ] {
            let error = Tunnel::parse(text).unwrap_err();
            assert!(error.contains(what) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
