//! Where a provider's API begins.
//!
//! In: a URL as typed. Out: its parts, or what is wrong with it. Must not know: providers.

use super::secret::Secret;

/// `https://host:port/path`, taken apart once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Whether to speak TLS.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Written or implied.
    pub port: u16,
    /// Begins with `/` or is empty; ends with `/` only where that is the whole address of a call.
    pub path: String,
}

impl BaseUrl {
    /// From `http://` or `https://`, a host, and perhaps a port and a path. What is wrong is said of the text as `written`,
    /// before variables were put in: a variable may be a key.
    pub fn parse(text: &str, written: &str) -> Result<Self, String> {
        // Before `@` may be a password, and behind `?` a key.
        let shown = if written.contains(['@', '?']) { "the URL".to_owned() } else { format!("`{written}`") };
        let wrong = |what: &str| format!("{shown} {what}; write `https://host/v1`");
        let uri: http::Uri = text.parse().map_err(|_| wrong("is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("does not begin with http:// or https://")),
        };
        if uri.query().is_some() || uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong("carries a query or a password"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
        Ok(Self {
            tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Likewise, where the whole address of a call is meant. A query may hold a key, so it is a secret.
    pub fn with_query(text: &str, written: &str) -> Result<(Self, Option<Secret>), String> {
        let Some((front, query)) = text.split_once('?') else {
            return Self::parse(text, written).map(|mut url| {
                url.keep_end(text);
                (url, None)
            });
        };
        let mut url = Self::parse(front, written)?;
        // Behind a host alone, a query needs the path that is implied.
        url.keep_end(if url.path.is_empty() { "/" } else { front });
        // Judged together, because what may be in a query is the business of the same parser.
        let whole = format!("{url}?{query}");
        if whole.parse::<http::Uri>().is_err() {
            return Err("the URL's query holds a character that must be percent-encoded".to_owned());
        }
        Ok((url, Some(Secret::new(query))))
    }

    fn keep_end(&mut self, text: &str) {
        if text.ends_with('/') {
            self.path.push('/');
        }
    }

    /// The `Host` header: the port only where it is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } { self.bracketed() } else { self.host_and_port() }
    }

    /// As `CONNECT` wants it: with the port in any case.
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.authority(), self.path)
    }
}
