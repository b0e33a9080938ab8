//! How many connections the process's file descriptors allow. A server that runs out of them cannot open its own database
//! files any more, so a part is kept back from the connections.

/// Descriptors kept for the database and its readers, spooled messages, blobs, HTTP and logs.
const RESERVED: u32 = 300;
/// Connections that are allowed in any case: a server with fewer is of no use, and says so when it runs out.
const LEAST: u32 = 50;

/// The configured number of connections, or what the descriptors leave of it.
pub(crate) fn affordable(connections: u32) -> u32 {
    match soft_limit() {
        Some(limit) => connections.min(limit.saturating_sub(RESERVED).max(LEAST)),
        None => connections,
    }
}

/// The soft limit of open files; `None` where the system does not tell or has none.
fn soft_limit() -> Option<u32> {
    parse(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

fn parse(limits: &str) -> Option<u32> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(u32::try_from(soft).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read_as_the_kernel_writes_it() {
        let head = "Limit                     Soft Limit           Hard Limit           Units     \n";
        for (line, expected) in [
            ("Max open files            1024                 524288               files     \n", Some(1024)),
            (
                "Max open files            9999999999           9999999999           files     \n",
                Some(u32::MAX),
            ),
            ("Max open files            unlimited            unlimited            files     \n", None),
            ("Max processes             1024                 1024                 processes \n", None),
            ("", None),
        ] {
            assert_eq!(parse(&format!("{head}{line}")), expected, "{line}");
        }
    }

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        let limit = soft_limit().unwrap_or(u32::MAX);
        assert_eq!(affordable(1), 1);
        let most = affordable(u32::MAX);
        assert!(most == limit.saturating_sub(RESERVED).max(LEAST) || limit == u32::MAX, "{most} of {limit}");
    }
}
