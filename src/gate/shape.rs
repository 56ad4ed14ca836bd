//! Layer 1: the closed contract.
