//! How this process was launched: pure rules over observations.
