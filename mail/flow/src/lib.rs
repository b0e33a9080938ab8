//! The path of one message, decided without I/O.
