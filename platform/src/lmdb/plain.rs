//! LMDB as it comes, with its own lock file and without syncs: what the benches compare a store with.
//!
//! One rule: no product code uses it. It has none of the guarantees of [`super::Environment`].

use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions};

use super::{Failure, MAP_SIZE, Transaction};

/// A plain environment.
#[derive(Debug)]
pub struct Plain {
    env: Env,
    records: Database<'static, Bytes, Bytes>,
}

impl Plain {
    /// Opens or makes the environment in `directory`, which must exist and be nobody else's.
    pub fn at(directory: &Path) -> Result<Self, Failure> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_SIZE);
        // SAFETY: NO_SYNC gives up power-failure safety only.
        unsafe { options.flags(EnvFlags::NO_SYNC) };
        // SAFETY: the caller says that nobody else changes the files.
        let env = unsafe { options.open(directory) }?;
        let transaction = env.write_txn()?;
        let records = env
            .create_databases_and_commit(transaction, |opener, transaction| {
                opener.create_database(transaction, None).map(CommitOrAbort::<_, ()>::Commit)
            })?
            .commit()
            .ok_or(Failure::Missing)?;
        Ok(Self { env, records })
    }

    /// Runs `change` in one transaction.
    pub fn write<T>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let inner = self.env.write_txn()?;
        let mut transaction = Transaction { inner, records: self.records };
        let value = change(&mut transaction)?;
        transaction.inner.commit()?;
        Ok(value)
    }
}
