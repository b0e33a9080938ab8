//! Tests against real clients, transcripts and seeded faults.
