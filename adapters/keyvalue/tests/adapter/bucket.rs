//! A bucket in memory, which can be made to fail.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use keycell_keyvalue::{bucket::Bucket, storage::Error};

#[derive(Default)]
pub struct Memory {
    pub entries: Mutex<BTreeMap<String, Vec<u8>>>,
    steps: AtomicUsize,
    failure: Mutex<Option<Failure>>,
}

/// The steps at which the store fails.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// This step only.
    Once(usize),
    /// This step and all later ones, as after a crash.
    ForGood(usize),
}

impl Memory {
    pub fn with(entries: &[(&str, &str)]) -> Self {
        let memory = Self::default();
        for (name, value) in entries {
            memory.write(name, value);
        }
        memory
    }

    /// Writes an entry as the owner of the bucket does. It is not a step.
    pub fn write(&self, name: &str, value: &str) {
        self.entries.lock().unwrap().insert(name.to_owned(), value.as_bytes().to_vec());
    }

    /// Starts to count steps, and fails at those of `failure`.
    pub fn fail(&self, failure: Failure) {
        self.steps.store(0, Ordering::SeqCst);
        *self.failure.lock().unwrap() = Some(failure);
    }

    /// Stops to fail, and returns whether a step has failed.
    pub fn heal(&self) -> bool {
        let taken = self.steps.load(Ordering::SeqCst);
        self.failure.lock().unwrap().take().is_some_and(|failure| {
            let (Failure::Once(step) | Failure::ForGood(step)) = failure;
            taken > step
        })
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.entries.lock().unwrap().get(name).map(|value| String::from_utf8(value.clone()).unwrap())
    }

    fn step(&self) -> Result<(), Error> {
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        match *self.failure.lock().unwrap() {
            Some(Failure::Once(failing)) if step == failing => Err(Error::Unavailable),
            Some(Failure::ForGood(failing)) if step >= failing => Err(Error::Unavailable),
            _ => Ok(()),
        }
    }
}

impl Bucket for Memory {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.step()?;
        Ok(self.entries.lock().unwrap().get(name).cloned())
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), Error> {
        self.step()?;
        self.entries.lock().unwrap().insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        self.step()?;
        self.entries.lock().unwrap().remove(name);
        Ok(())
    }

    fn increment(&self, name: &str, delta: u64) -> Result<u64, Error> {
        self.step()?;
        let mut entries = self.entries.lock().unwrap();
        let count = entries.get(name).map_or(0, |value| str::from_utf8(value).unwrap().parse().unwrap()) + delta;
        entries.insert(name.to_owned(), u64::to_string(&count).into_bytes());
        Ok(count)
    }

    fn for_each_name(&self, see: &mut dyn FnMut(&str)) -> Result<(), Error> {
        self.step()?;
        // A store may show a name twice.
        let entries = self.entries.lock().unwrap();
        entries.keys().chain(entries.keys().take(3)).for_each(|name| see(name));
        Ok(())
    }
}
