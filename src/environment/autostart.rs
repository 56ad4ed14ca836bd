//! Whether we start at login: pure rules over what the OS entry and the sidecar say.
