//! Private files and directories, file locks, file identity, kinds of file systems.
