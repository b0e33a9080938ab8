//! Load generators, and Mailwright beside Postfix and Dovecot in one run. Leaves out judging by time: figures are ratios.

fn main() {}
