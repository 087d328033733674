//! Wrong keys from one address are slowed down.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
};

use governor::{DefaultKeyedRateLimiter, Quota};
use tokio::sync::Semaphore;

/// How many wrong keys of one address are answered at once.
const BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// How many wrong keys of one address are answered a second after that.
const A_SECOND: NonZeroU32 = NonZeroU32::new(2).unwrap();
/// How many connections may be waiting for such an answer.
const MOST_WAITING: usize = 64;
/// From how many addresses on those are forgotten that have been quiet.
const MANY_ADDRESSES: usize = 10_000;

/// There are too many who wait already.
pub struct TooMany;

/// Lets wrong keys wait. Right keys of the same address never do.
pub struct Slowdown {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    waiting: Semaphore,
}

impl Default for Slowdown {
    fn default() -> Self {
        Self {
            addresses: DefaultKeyedRateLimiter::keyed(Quota::per_second(A_SECOND).allow_burst(BURST)),
            waiting: Semaphore::new(MOST_WAITING),
        }
    }
}

impl Slowdown {
    /// Returns when a wrong key from this address may be answered.
    pub async fn wrong_key(&self, address: IpAddr) -> Result<(), TooMany> {
        if self.addresses.len() > MANY_ADDRESSES {
            self.addresses.retain_recent();
        }
        let _place = self.waiting.try_acquire().map_err(|_| TooMany)?;
        self.addresses.until_key_ready(&network(address)).await;
        Ok(())
    }
}

/// One customer has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}
