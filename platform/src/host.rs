//! This process, its ancestors, its user and machine: raw observations.
