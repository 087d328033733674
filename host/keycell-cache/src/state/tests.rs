//! Each rule of the cache, as a sequence of calls with times.

use super::*;

const LEASE: Duration = Duration::from_secs(2);

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn record(id: &str, lookup: &str, revision: u32) -> KeyRecord {
    let mut record = KeyRecord::default();
    (record.id, record.lookup, record.revision) = (id.to_owned(), lookup.to_owned(), revision);
    record
}

/// A cache whose feed was read at the time 0.
fn leased() -> State {
    let mut state = State::new();
    state.apply(Changes::Unknown, LEASE);
    state
}

/// The revision that the cache returns: `Err` if it would read the storage.
fn find(state: &State, lookup: &str, now: f64) -> Result<Option<u32>, Read> {
    state.find(lookup, seconds(now)).map(|found| found.map(|record| record.revision))
}

/// Reads a record at this time.
fn read(state: &mut State, record: &KeyRecord, now: f64) {
    let began = find(state, &record.lookup, now).unwrap_err();
    state.keep(began, &record.lookup, Some(record));
}

fn keys(ids: &[&str]) -> Changes {
    Changes::Keys(ids.iter().map(|id| (*id).to_owned()).collect())
}

#[test]
fn a_record_is_used_until_the_lease_ends() {
    let mut state = leased();
    read(&mut state, &record("id", "lookup", 0), 0.1);
    assert_eq!(find(&state, "lookup", 1.999).unwrap(), Some(0));
    assert!(find(&state, "lookup", 2.0).is_err());
    // The record is usable again when the feed was read and the key is not in it.
    state.apply(keys(&["other"]), seconds(5.0));
    assert_eq!(find(&state, "lookup", 4.999).unwrap(), Some(0));
}

#[test]
fn a_record_is_not_used_before_the_first_lease() {
    let mut state = State::new();
    read(&mut state, &record("id", "lookup", 0), 0.0);
    assert!(find(&state, "lookup", 0.0).is_err());
}

#[test]
fn a_changed_key_is_forgotten() {
    let mut state = leased();
    for (id, lookup) in [("a", "lookup a"), ("b", "lookup b")] {
        read(&mut state, &record(id, lookup, 0), 0.1);
    }
    state.apply(keys(&["a"]), seconds(3.0));
    assert!(find(&state, "lookup a", 1.0).is_err());
    assert_eq!(find(&state, "lookup b", 1.0).unwrap(), Some(0));
    state.apply(Changes::Unknown, seconds(3.0));
    assert!(find(&state, "lookup b", 1.0).is_err());
}

#[test]
fn a_replaced_lookup_is_forgotten_with_its_key() {
    let mut state = leased();
    read(&mut state, &record("id", "old", 0), 0.1);
    // Another host replaces the secret, and the new one is presented before the feed is read.
    read(&mut state, &record("id", "new", 1), 0.2);
    assert!(find(&state, "old", 0.3).is_err());
    state.apply(keys(&["id"]), seconds(3.0));
    assert!(find(&state, "old", 0.4).is_err() && find(&state, "new", 0.4).is_err());
}

#[test]
fn a_read_that_began_before_a_change_was_applied_is_not_kept() {
    for changes in [keys(&["id"]), Changes::Unknown] {
        let mut state = leased();
        let before = find(&state, "lookup", 0.1).unwrap_err();
        state.apply(changes, seconds(3.0));
        let after = find(&state, "lookup", 0.3).unwrap_err();
        state.keep(before, "lookup", Some(&record("id", "lookup", 0)));
        assert!(find(&state, "lookup", 0.4).is_err());
        state.keep(after, "lookup", Some(&record("id", "lookup", 1)));
        assert_eq!(find(&state, "lookup", 0.5).unwrap(), Some(1));
    }
}

#[test]
fn a_read_that_began_before_a_change_by_this_host_is_not_kept() {
    let mut state = leased();
    let before = find(&state, "lookup", 0.1).unwrap_err();
    state.forget("id");
    state.keep(before, "lookup", Some(&record("id", "lookup", 0)));
    assert!(find(&state, "lookup", 0.2).is_err());
    // A key that this host created while its lookup was read.
    let before = find(&state, "new", 0.2).unwrap_err();
    state.forget("new");
    state.keep(before, "new", None);
    assert!(find(&state, "new", 0.3).is_err());
}

#[test]
fn of_two_reads_at_once_the_newer_record_is_kept() {
    let mut state = leased();
    let first = find(&state, "lookup", 0.1).unwrap_err();
    let second = find(&state, "lookup", 0.2).unwrap_err();
    state.keep(second, "lookup", Some(&record("id", "lookup", 1)));
    state.keep(first, "lookup", Some(&record("id", "lookup", 0)));
    assert_eq!(find(&state, "lookup", 0.3).unwrap(), Some(1));
}

#[test]
fn a_record_is_read_again_after_a_minute() {
    let mut state = leased();
    read(&mut state, &record("id", "lookup", 0), 1.0);
    state.apply(keys(&[]), seconds(100.0));
    assert_eq!(find(&state, "lookup", 60.9).unwrap(), Some(0));
    assert!(find(&state, "lookup", 61.0).is_err());
}

#[test]
fn an_unknown_lookup_is_known_for_a_second_under_the_lease() {
    let mut state = leased();
    let began = find(&state, "lookup", 0.5).unwrap_err();
    state.keep(began, "lookup", None);
    assert_eq!(find(&state, "lookup", 1.499).unwrap(), None);
    assert!(find(&state, "lookup", 1.5).is_err());
    let began = find(&state, "lookup", 1.9).unwrap_err();
    state.keep(began, "lookup", None);
    assert_eq!(find(&state, "lookup", 1.95).unwrap(), None);
    assert!(find(&state, "lookup", 2.0).is_err());
}

#[test]
fn a_key_that_this_host_creates_is_no_longer_unknown() {
    let mut state = leased();
    let began = find(&state, "lookup", 0.5).unwrap_err();
    state.keep(began, "lookup", None);
    state.forget("lookup");
    assert!(find(&state, "lookup", 0.6).is_err());
}

#[test]
fn unknown_lookups_are_bounded_and_take_no_place_of_records() {
    let mut state = leased();
    read(&mut state, &record("id", "lookup", 0), 0.1);
    for n in 0..100_000 {
        let lookup = n.to_string();
        let began = find(&state, &lookup, 0.2).unwrap_err();
        state.keep(began, &lookup, None);
    }
    assert!(state.unknown.len() <= MAX_UNKNOWN);
    assert_eq!(find(&state, "lookup", 0.3).unwrap(), Some(0));
}

#[test]
fn after_a_read_by_id_an_older_record_is_not_used() {
    let mut state = leased();
    read(&mut state, &record("id", "lookup", 3), 0.1);
    state.observe(&record("id", "lookup", 3));
    state.observe(&record("id", "lookup", 2));
    assert_eq!(find(&state, "lookup", 0.2).unwrap(), Some(3));
    state.observe(&record("id", "lookup", 4));
    let began = find(&state, "lookup", 0.3).unwrap_err();
    state.observe(&record("id", "lookup", 5));
    state.keep(began, "lookup", Some(&record("id", "lookup", 4)));
    assert!(find(&state, "lookup", 0.4).is_err());
}
