//! Heartbeat: assemble, schedule, send.
