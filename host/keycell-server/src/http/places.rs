//! The places of connections: how many there are, and which connection makes room for another.
//!
//! If there is no place for a new connection, an idle one is closed: one of the same address if that
//! has too many, or else one of the address with the most connections, and of these the one that has
//! been idle longest. If none is idle, the new connection takes one of [`HEALTH_PLACES`] further
//! places, on which health probes are answered and every other request gets 503.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::Notify;

use super::client_address::network;

/// The number of places on which only health probes are answered.
const HEALTH_PLACES: usize = 32;

/// The limits on connections.
#[derive(Clone, Copy)]
pub struct Limits {
    /// The maximum number of connections, apart from those for health probes.
    pub total: usize,
    /// The maximum number of connections of one address, unless it is a trusted proxy.
    pub per_address: usize,
}

/// The places of a server's connections.
pub struct Places {
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

/// The place of one connection. It is free again when this is dropped.
pub struct Place {
    places: Arc<Places>,
    id: u64,
    connection: Connection,
}

impl Place {
    /// Whether only health probes are answered here.
    pub fn is_for_health(&self) -> bool {
        self.connection.is_for_health
    }

    /// The activity of the connection.
    pub fn activity(&self) -> &Arc<Activity> {
        &self.connection.activity
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.connections().open.remove(&self.id);
    }
}

impl Places {
    /// Places with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, connections: Mutex::default() }
    }

    /// Takes a place for a new connection, and closes an idle one if need be. `None` if every place
    /// is taken by a connection that is busy.
    pub fn take(self: &Arc<Self>, address: IpAddr, is_proxy: bool) -> Option<Place> {
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
        Some(Place { places: Arc::clone(self), id, connection })
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
        self.count(is_for_health) < HEALTH_PLACES || self.close_idle(is_for_health)
    }

    fn count(&self, includes: impl Fn(&Connection) -> bool) -> usize {
        self.open.values().filter(|connection| includes(connection)).count()
    }

    /// Closes the idle connection that has to make room, if there is one.
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

/// What a connection is doing.
pub struct Activity {
    /// `None` while a request is under way.
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

    /// Counts the connection as idle, although a request is under way, until the guard is dropped.
    pub fn pause(&self) -> Pause<'_> {
        self.set(Some(Instant::now()));
        Pause(self)
    }

    /// Whether no request is under way.
    pub fn is_idle(&self) -> bool {
        self.idle_since().is_some()
    }

    /// Returns when the connection has to make room.
    pub async fn must_close(&self) {
        self.closing.notified().await;
    }

    fn idle_since(&self) -> Option<Instant> {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, idle_since: Option<Instant>) {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = idle_since;
    }
}

/// A request that is under way.
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

    fn places(total: usize, per_address: usize) -> Arc<Places> {
        Arc::new(Places::new(Limits { total, per_address }))
    }

    fn was_closed(places: &Arc<Places>, place: &Place) -> bool {
        !places.connections().open.contains_key(&place.id)
    }

    #[test]
    fn an_address_with_too_many_connections_loses_its_longest_idle_one() {
        let places = places(10, 2);
        let [first, second] = [0, 1].map(|_| places.take(address(1), false).unwrap());
        let other = places.take(address(2), false).unwrap();
        let third = places.take(address(1), false).unwrap();
        assert!(was_closed(&places, &first) && !was_closed(&places, &second) && !was_closed(&places, &other));
        assert!(!third.is_for_health());
        // A request makes the second connection the one that was idle last.
        drop(second.activity().begin());
        places.take(address(1), false).unwrap();
        assert!(was_closed(&places, &third) && !was_closed(&places, &second));
    }

    #[test]
    fn when_places_run_out_the_address_with_the_most_connections_makes_room() {
        let places = places(4, 4);
        let lone = places.take(address(2), false).unwrap();
        let [busy, idle, _last] = [0, 1, 2].map(|_| places.take(address(1), false).unwrap());
        let _request = busy.activity().begin();
        let new = places.take(address(3), false).unwrap();
        assert!(was_closed(&places, &idle));
        assert!([&lone, &busy, &new].iter().all(|place| !was_closed(&places, place)));
    }

    #[test]
    fn without_an_idle_connection_only_health_probes_get_a_place() {
        let places = places(2, 2);
        let busy = [1, 2].map(|n| places.take(address(n), false).unwrap());
        let requests = busy.each_ref().map(|place| place.activity().begin());
        let probes: Vec<_> = (0..HEALTH_PLACES).map(|_| places.take(address(3), false).unwrap()).collect();
        assert!(probes.iter().all(Place::is_for_health));
        let _probing: Vec<_> = probes.iter().skip(1).map(|place| place.activity().begin()).collect();
        assert!(places.take(address(3), false).unwrap().is_for_health());
        assert!(was_closed(&places, &probes[0]), "an idle probe made room");
        let _pause = busy[0].activity().pause();
        let new = places.take(address(3), false).unwrap();
        assert!(!new.is_for_health() && was_closed(&places, &busy[0]), "a paused request made room");
        drop(requests);
    }

    #[test]
    fn a_trusted_proxy_is_limited_by_the_number_of_places_alone() {
        let places = places(10, 2);
        let taken: Vec<_> = (0..10).map(|_| places.take(address(1), true).unwrap()).collect();
        assert!(taken.iter().all(|place| !was_closed(&places, place)));
    }

    #[test]
    fn a_dropped_connection_frees_its_place() {
        let places = places(1, 1);
        drop(places.take(address(1), false));
        assert!(places.connections().open.is_empty());
    }
}
