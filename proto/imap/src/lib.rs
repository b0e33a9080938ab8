//! IMAP (RFC 3501) as a sans-IO state machine, with the message index that FETCH needs.
