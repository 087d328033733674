//! The address of the client, also behind trusted proxies.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, header::FORWARDED},
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;

pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address at the other end of the connection.
#[derive(Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The address of the client that made the request.
#[derive(Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// The networks of trusted proxies.
#[derive(Clone, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

/// Adds the [`ClientAddress`] to a request.
pub async fn find(
    State(proxies): State<Arc<TrustedProxies>>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let client = proxies.client(peer.ip(), request.headers());
    request.extensions_mut().insert(ClientAddress(client));
    next.run(request).await
}

impl TrustedProxies {
    /// Returns whether a proxy with this address is trusted.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Returns the address of the client: from the right, the first one that is not a trusted
    /// proxy.
    ///
    /// A proxy appends to one of the two headers and forwards the other unchanged. So if both
    /// headers are present and name different clients, both are ignored.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        let by_x_forwarded_for = self.nearest_untrusted(peer, &x_forwarded_for(headers));
        let by_forwarded = self.nearest_untrusted(peer, &forwarded(headers));
        match (headers.contains_key(X_FORWARDED_FOR), headers.contains_key(FORWARDED)) {
            (false, false) => peer,
            (true, false) => by_x_forwarded_for,
            (false, true) => by_forwarded,
            (true, true) if by_x_forwarded_for == by_forwarded => by_forwarded,
            (true, true) => peer,
        }
    }

    /// Goes from the peer to the left while the addresses belong to trusted proxies.
    fn nearest_untrusted(&self, peer: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut client = peer;
        for hop in hops.iter().rev() {
            match hop {
                Some(hop) if self.contains(client) => client = *hop,
                _ => break,
            }
        }
        client
    }
}

/// Returns the addresses in `X-Forwarded-For`; `None` for an element that is not an address.
fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    elements(headers, &X_FORWARDED_FOR).map(|element| address(element.trim())).collect()
}

/// Returns the addresses in the `for` parameters of `Forwarded` (RFC 7239), with `None` as above.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let node = |element: &str| {
        element.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then(|| address(value.trim().trim_matches('"')))?
        })
    };
    elements(headers, &FORWARDED).map(node).collect()
}

/// Returns the elements of a list header. Commas inside quoted strings separate elements, too: no
/// address has a comma, and an open quote of a client must not hide the element of a proxy.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().flat_map(|value| value.to_str().unwrap_or_default().split(','))
}

/// Parses an address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    parsed.ok().map(|address| address.to_canonical())
}

/// Returns the network of an address. Limits count an IPv6 /64 network as one client, because one
/// customer usually has the whole network.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[(HeaderName, &'static str)]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap());
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect::<Vec<_>>();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        TrustedProxies(networks.to_vec()).client(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn only_trusted_proxies_count_and_from_the_right() {
        let cases = [
            ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.7, 203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.7, 203.0.113.9, 10.2.3.4", "203.0.113.9"),
            ("10.0.0.1", "10.9.9.9, 10.2.3.4", "10.9.9.9"),
            ("10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.9, unknown, 10.2.3.4", "10.2.3.4"),
            ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8:1::1", "[2001:db8:2::7]:80", "2001:db8:2::7"),
            ("2001:db8:1::1", "2001:db8:2::7", "2001:db8:2::7"),
        ];
        for (peer, header, expected) in cases {
            assert_eq!(client(peer, &[(X_FORWARDED_FOR, header)]), expected, "{peer}: {header}");
        }
        let twice = [(X_FORWARDED_FOR, "198.51.100.7"), (X_FORWARDED_FOR, "203.0.113.9")];
        assert_eq!(client("10.0.0.1", &twice), "203.0.113.9");
    }

    #[test]
    fn forwarded_is_read_and_two_headers_must_agree() {
        let cases = [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"[2001:db8:2::7]:4711\";proto=https", "2001:db8:2::7"),
            ("for=198.51.100.7, by=10.0.0.1;for=203.0.113.9", "203.0.113.9"),
            ("for=_hidden", "10.0.0.1"),
            ("for=198.51.100.7, proto=http", "10.0.0.1"),
            ("for=\"198.51.100.7, for=203.0.113.9", "203.0.113.9"),
        ];
        for (header, expected) in cases {
            assert_eq!(client("10.0.0.1", &[(FORWARDED, header)]), expected, "{header}");
        }
        let both = |x: &'static str| client("10.0.0.1", &[(FORWARDED, "for=203.0.113.9"), (X_FORWARDED_FOR, x)]);
        assert_eq!(both("203.0.113.9"), "203.0.113.9");
        assert_eq!(both("198.51.100.7"), "10.0.0.1");
    }

    #[test]
    fn an_ipv6_network_counts_as_one_client() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
