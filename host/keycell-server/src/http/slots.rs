//! Connection slots: the limits on the number of connections, and the eviction of idle ones.
//!
//! If an address is over its limit, its longest idle connection is closed. If the server is over its
//! limit, the longest idle connection of the address with the most connections is closed. If no
//! connection is idle, the new one takes one of [`HEALTH_SLOTS`] extra slots: health probes are
//! answered there, and every other request gets 503.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::Notify;

use super::client_address::network;

/// The number of slots that answer health probes only.
const HEALTH_SLOTS: usize = 32;

/// The limits on connections.
#[derive(Clone, Copy)]
pub struct Limits {
    /// The maximum number of connections, apart from those for health probes.
    pub total: usize,
    /// The maximum number of connections of one address, unless it is a trusted proxy.
    pub per_address: usize,
}

/// The connection slots of a server.
pub struct Slots {
    limits: Limits,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    open: HashMap<u64, Connection>,
    next_id: u64,
}

#[derive(Clone)]
struct Connection {
    network: IpAddr,
    is_for_health: bool,
    activity: Arc<Activity>,
}

/// The slot of one connection. Dropping it frees the slot.
pub struct Slot {
    slots: Arc<Slots>,
    id: u64,
    connection: Connection,
}

impl Slot {
    /// Returns whether the connection gets answers to health probes only.
    pub fn is_for_health(&self) -> bool {
        self.connection.is_for_health
    }

    /// Returns the activity of the connection.
    pub fn activity(&self) -> &Arc<Activity> {
        &self.connection.activity
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.connections().open.remove(&self.id);
    }
}

impl Slots {
    /// Creates slots with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, connections: Mutex::default() }
    }

    /// Takes a slot for a new connection, and closes an idle one if necessary. Returns `None` if
    /// every slot has a busy connection.
    pub fn take(self: &Arc<Self>, address: IpAddr, is_proxy: bool) -> Option<Slot> {
        let network = network(address);
        let mut connections = self.connections();
        let is_for_health = !connections.make_room(self.limits, network, is_proxy);
        if is_for_health && !connections.make_room_for_health() {
            return None;
        }
        let connection = Connection { network, is_for_health, activity: Arc::default() };
        let id = connections.next_id;
        connections.next_id += 1;
        connections.open.insert(id, connection.clone());
        Some(Slot { slots: Arc::clone(self), id, connection })
    }

    /// Closes an idle connection, if there is one.
    pub fn close_idle(&self) {
        self.connections().close_idle(|connection| !connection.is_for_health);
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    fn make_room(&mut self, limits: Limits, network: IpAddr, is_proxy: bool) -> bool {
        let is_ordinary = |connection: &Connection| !connection.is_for_health;
        let is_of_address = |connection: &Connection| is_ordinary(connection) && connection.network == network;
        let address_has_room = is_proxy || self.count(is_of_address) < limits.per_address;
        (address_has_room || self.close_idle(is_of_address))
            && (self.count(is_ordinary) < limits.total || self.close_idle(is_ordinary))
    }

    fn make_room_for_health(&mut self) -> bool {
        let is_for_health = |connection: &Connection| connection.is_for_health;
        self.count(is_for_health) < HEALTH_SLOTS || self.close_idle(is_for_health)
    }

    fn count(&self, includes: impl Fn(&Connection) -> bool) -> usize {
        self.open.values().filter(|connection| includes(connection)).count()
    }

    /// Closes the longest idle connection of the address with the most connections, if one is idle.
    fn close_idle(&mut self, includes: impl Fn(&Connection) -> bool) -> bool {
        let mut of_network: HashMap<IpAddr, usize> = HashMap::new();
        for connection in self.open.values().filter(|connection| includes(connection)) {
            *of_network.entry(connection.network).or_default() += 1;
        }
        let idle = self.open.iter().filter(|(_, connection)| includes(connection)).filter_map(|(id, connection)| {
            let since = connection.activity.idle_since()?;
            let connections = of_network.get(&connection.network).copied()?;
            Some((*id, connections, since))
        });
        let chosen = idle.max_by(|(_, a, a_since), (_, b, b_since)| a.cmp(b).then(b_since.cmp(a_since)));
        let closed = chosen.and_then(|(id, ..)| self.open.remove(&id));
        if let Some(connection) = &closed {
            connection.activity.closing.notify_one();
        }
        closed.is_some()
    }
}

/// The state of a connection: busy, or idle since a time.
pub struct Activity {
    /// `None` during a request.
    idle_since: Mutex<Option<Instant>>,
    closing: Notify,
}

impl Default for Activity {
    fn default() -> Self {
        Self { idle_since: Mutex::new(Some(Instant::now())), closing: Notify::new() }
    }
}

impl Activity {
    /// Begins a request, which ends when the guard is dropped.
    pub fn begin(&self) -> Busy<'_> {
        self.set(None);
        Busy(self)
    }

    /// Counts the connection as idle during a request, until the guard is dropped.
    pub fn pause(&self) -> Pause<'_> {
        self.set(Some(Instant::now()));
        Pause(self)
    }

    /// Returns whether no request is in progress.
    pub fn is_idle(&self) -> bool {
        self.idle_since().is_some()
    }

    /// Waits until the connection is to be closed for another.
    pub async fn closing_requested(&self) {
        self.closing.notified().await;
    }

    fn idle_since(&self) -> Option<Instant> {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, idle_since: Option<Instant>) {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = idle_since;
    }
}

/// A request in progress.
pub struct Busy<'a>(&'a Activity);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(Some(Instant::now()));
    }
}

/// A pause of a request.
pub struct Pause<'a>(&'a Activity);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn slots(total: usize, per_address: usize) -> Arc<Slots> {
        Arc::new(Slots::new(Limits { total, per_address }))
    }

    fn was_closed(slots: &Arc<Slots>, slot: &Slot) -> bool {
        !slots.connections().open.contains_key(&slot.id)
    }

    #[test]
    fn an_address_with_too_many_connections_loses_its_longest_idle_one() {
        let slots = slots(10, 2);
        let [first, second] = [0, 1].map(|_| slots.take(address(1), false).unwrap());
        let other = slots.take(address(2), false).unwrap();
        let third = slots.take(address(1), false).unwrap();
        assert!(was_closed(&slots, &first) && !was_closed(&slots, &second) && !was_closed(&slots, &other));
        assert!(!third.is_for_health());
        // A request makes the second connection the one that was idle last.
        drop(second.activity().begin());
        slots.take(address(1), false).unwrap();
        assert!(was_closed(&slots, &third) && !was_closed(&slots, &second));
    }

    #[test]
    fn at_the_limit_the_address_with_the_most_connections_loses_an_idle_one() {
        let slots = slots(4, 4);
        let lone = slots.take(address(2), false).unwrap();
        let [busy, idle, _last] = [0, 1, 2].map(|_| slots.take(address(1), false).unwrap());
        let _request = busy.activity().begin();
        let new = slots.take(address(3), false).unwrap();
        assert!(was_closed(&slots, &idle));
        assert!([&lone, &busy, &new].iter().all(|slot| !was_closed(&slots, slot)));
    }

    #[test]
    fn without_an_idle_connection_only_health_probes_get_a_slot() {
        let slots = slots(2, 2);
        let busy = [1, 2].map(|n| slots.take(address(n), false).unwrap());
        let requests = busy.each_ref().map(|slot| slot.activity().begin());
        let probes: Vec<_> = (0..HEALTH_SLOTS).map(|_| slots.take(address(3), false).unwrap()).collect();
        assert!(probes.iter().all(Slot::is_for_health));
        let _probing: Vec<_> = probes.iter().skip(1).map(|slot| slot.activity().begin()).collect();
        assert!(slots.take(address(3), false).unwrap().is_for_health());
        assert!(was_closed(&slots, &probes[0]), "an idle probe was closed");
        let _pause = busy[0].activity().pause();
        let new = slots.take(address(3), false).unwrap();
        assert!(!new.is_for_health() && was_closed(&slots, &busy[0]), "a paused request was closed");
        drop(requests);
    }

    #[test]
    fn a_trusted_proxy_has_no_limit_of_its_own() {
        let slots = slots(10, 2);
        let taken: Vec<_> = (0..10).map(|_| slots.take(address(1), true).unwrap()).collect();
        assert!(taken.iter().all(|slot| !was_closed(&slots, slot)));
    }

    #[test]
    fn a_dropped_connection_frees_its_slot() {
        let slots = slots(1, 1);
        drop(slots.take(address(1), false));
        assert!(slots.connections().open.is_empty());
    }
}
