//! Lists of keys and events. Each query reads ranges of indexes that end with the page.

use keycell::{EventFilter, EventRecord, KeyFilter, KeyRecord, StatusFilter};
use rusqlite::{Connection, Row, Statement, ToSql};

use crate::{columns, error::SqliteError, keys::key_record, keys::select_key};

type Result<T> = std::result::Result<T, SqliteError>;

/// A text that is greater than every id.
const AFTER_EACH_ID: &str = "\u{10ffff}";

const ACTIVE: u8 = 0;
const REVOKED: u8 = 1;
const EXPIRED: u8 = 2;

/// Selects every event, followed by the owner and the project of its key.
pub const EVERY_EVENT: &str =
    "SELECT e.id, time, action, key_id, e.user_id, e.project_id, actor_user_id, actor_key_id, fields, k.user_id,
            k.project_id
     FROM events e JOIN api_keys k ON k.id = key_id";

pub fn keys(connection: &Connection, filter: &KeyFilter) -> Result<Vec<KeyRecord>> {
    let mut statement = connection.prepare_cached(&key_query(filter))?;
    let before = filter.before.as_deref().unwrap_or(AFTER_EACH_ID);
    bind(
        &mut statement,
        &[
            (":user_id", &filter.user_id),
            (":project_id", &filter.project_id),
            (":now", &filter.now),
            (":before", &before),
            (":limit", &filter.limit),
        ],
    )?;
    collect(&mut statement, key_record)
}

pub fn events(connection: &Connection, filter: &EventFilter) -> Result<Vec<EventRecord>> {
    let mut statement = connection.prepare_cached(&event_query(filter))?;
    let before = filter.before.as_deref().unwrap_or(AFTER_EACH_ID);
    bind(
        &mut statement,
        &[
            (":key_id", &filter.key_id),
            (":user_id", &filter.user_id),
            (":project_id", &filter.project_id),
            (":since", &filter.since.as_deref().unwrap_or_default()),
            (":before", &before),
            (":limit", &filter.limit),
        ],
    )?;
    collect(&mut statement, event_record)
}

/// A union of ranges that do not overlap. SQLite merges them and stops at the limit.
fn key_query(filter: &KeyFilter) -> String {
    // Keys of one state, in the order of the list. A sweep sets the state, so some of the keys may
    // have another status at the time of the call, and are skipped.
    let ordered = |state, condition: &str| {
        format!(select_key!(" FROM {}"), key_range(filter, index_of(filter), state, condition))
    };
    // Keys whose state is behind, or ahead of a clock that was set back. They are sorted, before the
    // rows of the page are read. There are few of them, unless very many keys have just expired.
    let stragglers = |state, condition: &str| {
        let range = key_range(filter, index_by_expiry(filter), state, condition);
        format!(
            select_key!(" FROM api_keys WHERE rowid IN (SELECT rowid FROM {} ORDER BY id DESC LIMIT :limit)"),
            range
        )
    };
    let ranges = match filter.status {
        StatusFilter::All if filter.user_id.is_none() && filter.project_id.is_none() => {
            vec![select_key!(" FROM api_keys WHERE id < :before").to_owned()]
        }
        StatusFilter::All => [ACTIVE, REVOKED, EXPIRED].map(|state| ordered(state, "")).to_vec(),
        StatusFilter::Active => vec![
            ordered(ACTIVE, " AND (expires_at IS NULL OR expires_at > :now)"),
            stragglers(EXPIRED, " AND expires_at > :now"),
        ],
        StatusFilter::Expired => {
            vec![ordered(EXPIRED, " AND expires_at <= :now"), stragglers(ACTIVE, " AND expires_at <= :now")]
        }
        StatusFilter::Revoked => vec![ordered(REVOKED, "")],
    };
    format!("{} ORDER BY id DESC LIMIT :limit", ranges.join(" UNION ALL "))
}

/// Returns the table and the condition of keys of one state with the filter's user and project.
fn key_range(filter: &KeyFilter, index: &str, state: u8, condition: &str) -> String {
    let user = if filter.user_id.is_some() { " AND user_id = :user_id" } else { "" };
    let project = if filter.project_id.is_some() { " AND project_id = :project_id" } else { "" };
    format!("api_keys INDEXED BY {index} WHERE state = {state} AND id < :before{user}{project}{condition}")
}

/// Returns the index that has the keys of the filter's user and project in the order of their ids.
fn index_of(filter: &KeyFilter) -> &'static str {
    match (&filter.user_id, &filter.project_id) {
        (None, None) => "api_keys_by_state",
        (Some(_), None) => "api_keys_of_user",
        (None, Some(_)) => "api_keys_of_project",
        (Some(_), Some(_)) => "api_keys_of_user_in_project",
    }
}

/// Returns the index that has the keys of the filter's user or project in the order of their expiry.
fn index_by_expiry(filter: &KeyFilter) -> &'static str {
    match (&filter.user_id, &filter.project_id) {
        (None, None) => "api_keys_by_expiry",
        (Some(_), _) => "api_keys_of_user_by_expiry",
        (None, Some(_)) => "api_keys_of_project_by_expiry",
    }
}

fn event_query(filter: &EventFilter) -> String {
    // The events of one key have one owner and one project, so a filter by them needs no other
    // index.
    let index = match (&filter.key_id, &filter.user_id, &filter.project_id) {
        (Some(_), _, _) => " INDEXED BY events_of_key",
        (None, Some(_), Some(_)) => " INDEXED BY events_of_user_in_project",
        (None, Some(_), None) => " INDEXED BY events_of_user",
        (None, None, Some(_)) => " INDEXED BY events_of_project",
        (None, None, None) => "",
    };
    let key = if filter.key_id.is_some() { " AND key_id = :key_id" } else { "" };
    let user = if filter.user_id.is_some() { " AND user_id = :user_id" } else { "" };
    let project = if filter.project_id.is_some() { " AND project_id = :project_id" } else { "" };
    format!(
        "SELECT id, time, action, key_id, user_id, project_id, actor_user_id, actor_key_id, fields
         FROM events{index} WHERE id >= :since AND id < :before{key}{user}{project} ORDER BY id DESC LIMIT :limit"
    )
}

/// Binds the values that the statement has a parameter for.
fn bind(statement: &mut Statement<'_>, values: &[(&str, &dyn ToSql)]) -> Result<()> {
    for (name, value) in values {
        if let Some(index) = statement.parameter_index(name)? {
            statement.raw_bind_parameter(index, value)?;
        }
    }
    Ok(())
}

fn collect<T>(statement: &mut Statement<'_>, record: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
    let mut rows = statement.raw_query();
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
    }
    Ok(records)
}

pub fn event_record(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    let mut event = EventRecord::new(columns::action(row, 2)?);
    event.id = row.get(0)?;
    event.time = row.get(1)?;
    event.key_id = row.get(3)?;
    event.user_id = row.get(4)?;
    event.project_id = row.get(5)?;
    event.actor_user_id = row.get(6)?;
    event.actor_key_id = row.get(7)?;
    event.fields = columns::texts(row, 8)?;
    Ok(event)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use rusqlite::StatementStatus;

    use super::*;
    use crate::schema;

    const STATUSES: [StatusFilter; 4] =
        [StatusFilter::All, StatusFilter::Active, StatusFilter::Expired, StatusFilter::Revoked];

    fn plan(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        let mut plan = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            plan.push(row.get(3).unwrap());
        }
        plan
    }

    fn database() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        connection
    }

    /// Each range is a search that ends with the page: by the id in an index that begins with each
    /// of the filter's values. Only the stragglers are sorted, and those of one user or project do
    /// not delay the lists of another one.
    #[test]
    fn each_list_of_keys_is_a_search() {
        let connection = database();
        let [user, project] = ["user_id=? AND ", "project_id=? AND "];
        let both = &*[user, project].concat();
        for (user_id, project_id, index, columns, by_expiry, columns_by_expiry) in [
            (None, None, "api_keys_by_state", "", "api_keys_by_expiry", ""),
            (Some("ann"), None, "api_keys_of_user", user, "api_keys_of_user_by_expiry", user),
            (None, Some("web"), "api_keys_of_project", project, "api_keys_of_project_by_expiry", project),
            (Some("ann"), Some("web"), "api_keys_of_user_in_project", both, "api_keys_of_user_by_expiry", user),
        ] {
            for status in STATUSES {
                let mut filter = KeyFilter::default();
                filter.user_id = user_id.map(str::to_owned);
                filter.project_id = project_id.map(str::to_owned);
                filter.status = status;
                let plan = plan(&connection, &key_query(&filter));
                let ordered = format!("SEARCH api_keys USING INDEX {index} ({columns}state=? AND id<?)");
                let by_id = "SEARCH api_keys USING INDEX sqlite_autoindex_api_keys_1 (id<?)".to_owned();
                let stragglers = |comparison: &str| {
                    let columns = format!("{columns_by_expiry}state=? AND expires_at{comparison}?");
                    let page = "SEARCH api_keys USING INTEGER PRIMARY KEY (rowid=?)".to_owned();
                    [page, format!("SEARCH api_keys USING INDEX {by_expiry} ({columns})")]
                };
                let expected = match status {
                    StatusFilter::All if columns.is_empty() => vec![by_id],
                    StatusFilter::All => vec![ordered.clone(), ordered.clone(), ordered],
                    StatusFilter::Active => [vec![ordered], stragglers(">").into()].concat(),
                    StatusFilter::Expired => [vec![ordered], stragglers("<").into()].concat(),
                    StatusFilter::Revoked => vec![ordered],
                };
                let has_stragglers = matches!(status, StatusFilter::Active | StatusFilter::Expired);
                assert_eq!(plan.iter().any(|line| line.contains("TEMP B-TREE")), has_stragglers, "{filter:?}");
                assert!(!plan.iter().any(|line| line.starts_with("SCAN")), "{filter:?}: {plan:?}");
                let steps: Vec<_> = plan.into_iter().filter(|line| line.starts_with("SEARCH")).collect();
                assert_eq!(steps, expected, "{filter:?}");
            }
        }
    }

    /// The steps of SQLite's virtual machine that a list takes.
    fn steps_of_list(connection: &Connection, filter: &KeyFilter) -> i32 {
        let query = key_query(filter);
        let _ = connection.prepare_cached(&query).unwrap().reset_status(StatementStatus::VmStep);
        keys(connection, filter).unwrap();
        connection.prepare_cached(&query).unwrap().get_status(StatementStatus::VmStep)
    }

    #[test]
    fn unswept_keys_of_ann_do_not_delay_bob_s_expired_list() {
        let connection = database();
        connection.execute("INSERT INTO projects VALUES ('web', 'web', 0), ('api', 'api', 0)", ()).unwrap();
        let mut key = KeyRecord::default();
        (key.user_id, key.project_id) = ("ann".to_owned(), Some("web".to_owned()));
        (key.hash, key.expires_at) = (vec![7; 32], Some(1));
        let list = |user_id: Option<&str>, project_id: Option<&str>| {
            let mut filter = KeyFilter::default();
            (filter.user_id, filter.project_id) = (user_id.map(str::to_owned), project_id.map(str::to_owned));
            (filter.status, filter.now, filter.limit) = (StatusFilter::Expired, 2, 10);
            filter
        };
        let others = [(Some("bob"), None), (None, Some("api")), (Some("bob"), Some("web"))];
        let filters = others.map(|(user_id, project_id)| list(user_id, project_id));
        let steps = || filters.clone().map(|filter| steps_of_list(&connection, &filter));
        let mut insert = |numbers: Range<u32>| {
            for n in numbers {
                (key.id, key.lookup) = (n.to_string(), n.to_string());
                crate::keys::insert(&connection, &key).unwrap();
            }
        };
        insert(0..10);
        let beside_few = steps();
        insert(10..1000);
        assert_eq!(steps(), beside_few);
        assert_eq!(keys(&connection, &list(Some("ann"), None)).unwrap().len(), 10);
    }

    #[test]
    fn each_list_of_events_is_a_search() {
        let connection = database();
        let some = |name: &str, is_some| Some(name.to_owned()).filter(|_| is_some);
        for bits in 0..8 {
            let mut filter = EventFilter::default();
            filter.key_id = some("key", bits & 1 != 0);
            filter.user_id = some("ann", bits & 2 != 0);
            filter.project_id = some("web", bits & 4 != 0);
            let search = match bits {
                0 => "PRIMARY KEY (id>? AND id<?)",
                2 => "INDEX events_of_user (user_id=? AND id>? AND id<?)",
                4 => "INDEX events_of_project (project_id=? AND id>? AND id<?)",
                6 => "INDEX events_of_user_in_project (user_id=? AND project_id=? AND id>? AND id<?)",
                _ => "INDEX events_of_key (key_id=? AND id>? AND id<?)",
            };
            assert_eq!(
                plan(&connection, &event_query(&filter)),
                [format!("SEARCH events USING {search}")],
                "{filter:?}"
            );
        }
    }
    /// A pseudo-random sequence.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }

        fn one_of<T: Clone>(&mut self, values: &[T]) -> T {
            values[usize::try_from(self.below(values.len() as u64)).unwrap()].clone()
        }
    }

    /// Random keys, swept by clocks that go forward and back.
    #[test]
    fn lists_of_keys_are_exact_at_any_time_whatever_was_swept() {
        let users = ["ann", "bob"];
        let projects = [None, Some("web".to_owned()), Some("api".to_owned())];
        for seed in 1..=10 {
            let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
            let connection = database();
            connection.execute_batch("INSERT INTO projects VALUES ('web', 'web', 0), ('api', 'api', 0)").unwrap();
            let mut stored = Vec::new();
            for n in 0..300 {
                let mut key = KeyRecord::default();
                key.id = format!("id-{:04}", n * 7 % 300);
                key.lookup = n.to_string();
                key.hash = vec![7; 32];
                key.user_id = numbers.one_of(&users).to_owned();
                key.project_id = numbers.one_of(&projects);
                key.expires_at = Some(i64::try_from(numbers.below(40)).unwrap()).filter(|&at| at < 30);
                key.revoked_at = (numbers.below(4) == 0).then_some(1);
                crate::keys::insert(&connection, &key).unwrap();
                stored.push(key);
            }
            for _ in 0..60 {
                match numbers.below(3) {
                    0 => {
                        let now = i64::try_from(numbers.below(32)).unwrap();
                        let max = numbers.one_of(&[1, 20, 1000]);
                        assert!(crate::keys::sweep(&connection, now, max).unwrap() <= max);
                        assert!(max < 1000 || !crate::keys::needs_sweep(&connection, now).unwrap());
                    }
                    1 => {
                        let at = usize::try_from(numbers.below(300)).unwrap();
                        let expires_at = Some(i64::try_from(numbers.below(40)).unwrap()).filter(|&at| at < 30);
                        stored[at].expires_at = expires_at;
                        crate::keys::update(&connection, &stored[at]).unwrap();
                        stored[at].revision += 1;
                    }
                    _ => {}
                }
                let mut filter = KeyFilter::default();
                filter.user_id = numbers.one_of(&[None, Some("ann"), Some("bob"), Some("eve")]).map(str::to_owned);
                filter.project_id = numbers.one_of(&projects);
                filter.status = numbers.one_of(&STATUSES);
                filter.now = i64::try_from(numbers.below(34)).unwrap() - 1;
                filter.before = numbers.one_of(&[None, Some("id-0150".to_owned())]);
                filter.limit = numbers.one_of(&[0, 1, 10, 1000]);
                let mut expected: Vec<_> = stored.iter().filter(|key| filter.passes(key)).cloned().collect();
                expected.sort_by(|a, b| b.id.cmp(&a.id));
                expected.truncate(filter.limit as usize);
                assert!(keys(&connection, &filter).unwrap() == expected, "seed {seed}: {filter:?}");
            }
        }
    }
}
