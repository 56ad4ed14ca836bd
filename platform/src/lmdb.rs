//! The checked, locked LMDB environment.
