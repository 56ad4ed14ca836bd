//! One child process between two pipes: spawning, signals, draining, dying as it died.
