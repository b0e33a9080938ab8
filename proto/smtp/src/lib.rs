//! SMTP (RFC 5321) as a sans-IO state machine.
