//! The check of `Host` and `Origin`, against DNS rebinding and pages of other sites.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, StatusCode, Uri,
        header::{HOST, ORIGIN},
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::problem::{self, Details};

/// The allowed host names, each with one port or with any port.
#[derive(Clone)]
pub struct AllowedHosts(Vec<Host>);

#[derive(Clone, PartialEq, Eq)]
struct Host {
    /// Lowercase; an IPv6 address is in brackets.
    name: String,
    port: Option<u16>,
}

impl Host {
    /// Parses `name` or `name:port`.
    fn parse(text: &str) -> Option<Self> {
        // RFC 9110, 7.2: `Host` has no user information.
        let authority: Authority = text.parse().ok().filter(|_| !text.contains('@'))?;
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" | ":" => None,
            _ => Some(authority.port_u16()?),
        };
        Some(Self { name: authority.host().to_ascii_lowercase(), port })
    }
}

/// Whether the text is a host name or an address, with an optional port, such as
/// `keys.example.com`.
#[must_use]
pub fn is_host(text: &str) -> bool {
    Host::parse(text).is_some()
}

impl AllowedHosts {
    /// Parses the names. Fails with the position, from 1, of the first invalid one.
    pub fn parse(names: &[String]) -> Result<Self, usize> {
        (1..).zip(names).map(|(number, name)| Host::parse(name).ok_or(number)).collect::<Result<_, _>>().map(Self)
    }

    fn contain(&self, host: &Host) -> bool {
        self.0.iter().any(|allowed| allowed.name == host.name && (allowed.port.is_none() || allowed.port == host.port))
    }

    fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), StatusCode> {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(StatusCode::BAD_REQUEST);
        };
        let host = host.to_str().ok().and_then(Host::parse).ok_or(StatusCode::BAD_REQUEST)?;
        // RFC 9112, 3.2.2: the host in an absolute request target has precedence.
        let target = match uri.authority() {
            Some(target) => Some(Host::parse(target.as_str()).ok_or(StatusCode::BAD_REQUEST)?),
            None => None,
        };
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin_is_allowed = match (origins.next(), origins.next()) {
            (None, _) => true,
            (Some(origin), None) => {
                origin.to_str().ok().and_then(host_of_origin).is_some_and(|host| self.contain(&host))
            }
            (Some(_), Some(_)) => return Err(StatusCode::BAD_REQUEST),
        };
        let is_allowed = self.contain(&host) && target.is_none_or(|host| self.contain(&host)) && origin_is_allowed;
        if is_allowed { Ok(()) } else { Err(StatusCode::FORBIDDEN) }
    }
}

/// Returns the host of an origin with an HTTP scheme.
fn host_of_origin(origin: &str) -> Option<Host> {
    let (scheme, host) = origin.split_once("://")?;
    ["http", "https"].into_iter().any(|known| known.eq_ignore_ascii_case(scheme)).then(|| Host::parse(host))?
}

/// Refuses a request whose `Host` or `Origin` is not allowed.
pub async fn check(State(allowed): State<Arc<AllowedHosts>>, request: Request, next: Next) -> Response {
    match allowed.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(StatusCode::FORBIDDEN) => problem::with_details(StatusCode::FORBIDDEN, not_allowed()),
        Err(status) => status.into_response(),
    }
}

fn not_allowed() -> Details {
    let detail = "the server is not called by this host or origin: name it in allowed_hosts";
    Details::new("host-not-allowed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, headers: &[(&'static str, &str)]) -> u16 {
        let names = ["localhost", "127.0.0.1", "[::1]", "keys.example.com", "one.example:8080"];
        let allowed = AllowedHosts::parse(&names.map(str::to_owned)).ok().unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        allowed.check(&uri.parse().unwrap(), &map).map_or_else(|status| status.as_u16(), |()| 200)
    }

    #[test]
    fn one_allowed_host_is_taken() {
        for host in ["localhost", "LOCALHOST:8787", "[::1]:80", "127.0.0.1:1", "keys.example.com", "one.example:8080"] {
            assert_eq!(check("/mcp", &[("host", host)]), 200, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:80", "one.example", "one.example:80", "::1", "[::1].evil"]
        {
            assert_ne!(check("/mcp", &[("host", host)]), 200, "{host}");
        }
        for host in ["evil@localhost", "localhost@evil.example", "", "local host", "localhost:99999", "localhost/x"] {
            assert_eq!(check("/mcp", &[("host", host)]), 400, "{host}");
        }
        assert_eq!(check("/mcp", &[]), 400);
        assert_eq!(check("/mcp", &[("host", "localhost"), ("host", "localhost")]), 400);
        assert_eq!(check("http://localhost/mcp", &[("host", "localhost")]), 200);
        assert_eq!(check("http://evil.example/mcp", &[("host", "localhost")]), 403);
        assert_eq!(check("http://evil@localhost/mcp", &[("host", "localhost")]), 400);
    }

    #[test]
    fn an_origin_must_be_one_and_allowed() {
        for origin in ["http://localhost", "https://keys.example.com", "http://[::1]:3000", "http://one.example:8080"] {
            assert_eq!(check("/", &[("host", "localhost"), ("origin", origin)]), 200, "{origin}");
        }
        for origin in
            ["http://evil.example", "ftp://localhost", "null", "localhost", "http://evil@localhost", "http://"]
        {
            assert_eq!(check("/", &[("host", "localhost"), ("origin", origin)]), 403, "{origin}");
        }
        let twice = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://evil.example")];
        assert_eq!(check("/", &twice), 400);
    }
}
