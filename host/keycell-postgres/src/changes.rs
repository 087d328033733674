//! The change feed: which keys have changed, in the order of the commits.
//!
//! A change takes the next position of its shard by an update of the shard's row, and keeps the row
//! locked until it commits. The next change of the shard takes its position after that commit. So a
//! reader that sees a position sees every earlier one, however late a transaction commits.

use keycell::{ChangeFeed, Changes, StorageError};

use crate::{
    PostgresStorage,
    error::PostgresError,
    rows::{column, numbers},
    sql,
};

/// The number of shards: one for each hexadecimal digit. Changes in one shard wait for each other's
/// commits.
const SHARDS: usize = 16;

/// The shard of a key.
pub fn shard(key_id: &str) -> i64 {
    // The last digit of an id is random.
    key_id.chars().next_back().and_then(|digit| digit.to_digit(16)).unwrap_or_default().into()
}

/// A position of a reader in the change feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPosition {
    shards: Vec<Position>,
}

/// The latest change of a shard that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Position {
    number: i64,
    /// The event of the change. It distinguishes the change from one with the same number after a
    /// restore.
    event_id: Option<String>,
}

/// A row of the feed: a shard with one of its changes, if there is one.
struct FeedRow {
    shard: usize,
    position: i64,
    change: Option<Change>,
}

struct Change {
    number: i64,
    key_id: String,
    event_id: String,
}

impl ChangeFeed for PostgresStorage {
    type Position = FeedPosition;

    async fn read_changes(&self, after: Option<&FeedPosition>) -> Result<(FeedPosition, Changes), StorageError> {
        let shards: Vec<_> = (0..SHARDS).map(|shard| i64::try_from(shard).unwrap_or_default()).collect();
        let numbers_read: Vec<_> = match after {
            Some(after) => after.shards.iter().map(|position| position.number).collect(),
            None => vec![i64::MAX; SHARDS],
        };
        let rows = self.connections.query(sql::READ_CHANGES, &[numbers(&shards), numbers(&numbers_read)]).await?;
        if rows.is_empty() {
            return Err(PostgresError::ReadOnly.into());
        }
        let rows = rows.iter().map(|row| {
            let number: Option<i64> = column(row, 2, "position")?;
            Ok(FeedRow {
                shard: usize::try_from(column::<i64>(row, 0, "shard")?).map_err(|_| PostgresError::Corrupt("shard"))?,
                position: column(row, 1, "position")?,
                change: match number {
                    Some(number) => Some(Change {
                        number,
                        key_id: column(row, 3, "key_id")?,
                        event_id: column(row, 4, "event_id")?,
                    }),
                    None => None,
                },
            })
        });
        let rows = rows.collect::<Result<Vec<_>, PostgresError>>()?;
        Ok(follow(after, &rows)?)
    }
}

/// Follows the feed from a position to the end. The rows are in order.
fn follow(after: Option<&FeedPosition>, rows: &[FeedRow]) -> Result<(FeedPosition, Changes), PostgresError> {
    let mut shards = vec![None; SHARDS];
    let mut changed = Vec::new();
    let mut is_complete = after.is_some();
    for rows in rows.chunk_by(|a, b| a.shard == b.shard) {
        let Some(first) = rows.first() else { continue };
        let changes: Vec<_> = rows.iter().filter_map(|row| row.change.as_ref()).collect();
        let read = after.and_then(|after| after.shards.get(first.shard));
        is_complete &= read.is_some_and(|read| continues(read, first.position, &changes));
        let is_new = |change: &&&Change| read.is_none_or(|read| change.number > read.number);
        changed.extend(changes.iter().filter(is_new).map(|change| change.key_id.clone()));
        let event_id = changes.last().map(|change| change.event_id.clone());
        let place = shards.get_mut(first.shard).ok_or(PostgresError::Corrupt("shard"))?;
        *place = Some(Position { number: first.position, event_id });
    }
    let shards = shards.into_iter().collect::<Option<_>>().ok_or(PostgresError::Corrupt("shard"))?;
    Ok((FeedPosition { shards }, if is_complete { Changes::Keys(changed) } else { Changes::Unknown }))
}

/// Whether the changes are complete from the position of the reader up to `position`.
fn continues(read: &Position, position: i64, changes: &[&Change]) -> bool {
    // The change that was read is there again, except before the first one.
    let first = read.number.max(1);
    let is_known = match changes.first() {
        Some(change) if read.number > 0 => Some(&change.event_id) == read.event_id.as_ref(),
        Some(_) => true,
        None => read.number == 0,
    };
    is_known && position >= read.number && changes.iter().map(|change| change.number).eq(first..=position)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a feed in which the last shard has these changes, as (number, key, event).
    fn rows(position: i64, changes: &[(i64, &str, &str)]) -> Vec<FeedRow> {
        let empty = (0..SHARDS - 1).map(|shard| FeedRow { shard, position: 0, change: None });
        let change = |(number, key_id, event_id): &(i64, &str, &str)| FeedRow {
            shard: SHARDS - 1,
            position,
            change: Some(Change { number: *number, key_id: (*key_id).to_owned(), event_id: (*event_id).to_owned() }),
        };
        let changed: Vec<_> = changes.iter().map(change).collect();
        let none = changed.is_empty().then_some(FeedRow { shard: SHARDS - 1, position, change: None });
        empty.chain(changed).chain(none).collect()
    }

    fn keys(changes: Changes) -> Option<Vec<String>> {
        match changes {
            Changes::Keys(keys) => Some(keys),
            _ => None,
        }
    }

    #[test]
    fn a_reader_gets_each_change_once() {
        let (start, changes) = follow(None, &rows(0, &[])).unwrap();
        assert_eq!(keys(changes), None);
        let (first, changes) = follow(Some(&start), &rows(2, &[(1, "a", "x"), (2, "b", "y")])).unwrap();
        assert_eq!(keys(changes).unwrap(), ["a", "b"]);
        let (same, changes) = follow(Some(&first), &rows(2, &[(2, "b", "y")])).unwrap();
        assert_eq!((keys(changes).unwrap().len(), &same), (0, &first));
        let (_, changes) = follow(Some(&first), &rows(3, &[(2, "b", "y"), (3, "c", "z")])).unwrap();
        assert_eq!(keys(changes).unwrap(), ["c"]);
    }

    #[test]
    fn a_reader_that_missed_a_change_is_told() {
        let (at_two, _) = follow(None, &rows(2, &[(2, "b", "y")])).unwrap();
        for rows in [
            // Deleted before they were read.
            rows(9, &[(8, "h", "u"), (9, "i", "v")]),
            rows(9, &[]),
            // Restored from a backup, and written again.
            rows(1, &[(1, "a", "x")]),
            rows(2, &[(2, "c", "other")]),
            rows(3, &[(2, "c", "other"), (3, "c", "z")]),
            rows(0, &[]),
        ] {
            let (_, changes) = follow(Some(&at_two), &rows).unwrap();
            assert_eq!(keys(changes), None);
        }
    }

    #[test]
    fn keys_are_spread_over_all_shards() {
        let shards: std::collections::BTreeSet<_> =
            (0..16).map(|n| shard(&format!("01890a5d-ac96-774b-bcce-b302099a805{n:x}"))).collect();
        assert_eq!(shards.len(), SHARDS);
    }
}
