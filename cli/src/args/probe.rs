//! The command line of `mailwright probe`.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::interval;

/// `mailwright probe`
///
/// For where there is no other HTTP client: an image of this executable alone, a helm test, a health check of a container.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailwright probe http://127.0.0.1:8080/readyz
  mailwright probe --wait 2m http://mailwright-operator:8080/readyz

Exit codes: 0 the answer was 200, 1 there was none or another one.")]
pub struct Probe {
    /// What to ask: http://HOST:PORT/PATH
    #[arg(value_name = "URL")]
    pub target: Target,
    /// How long to go on asking until the answer is 200 [default: ask once]
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub wait: Option<Duration>,
}

/// A plain HTTP URL in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host and port, as a connection wants them and as `Host:` names them.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let hint = || format!("{text:?}: write http://HOST:PORT/PATH, such as http://127.0.0.1:8080/readyz");
        let rest = text.strip_prefix("http://").ok_or_else(hint)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || host.contains('@') || !plain(rest) {
            return Err(hint());
        }
        let numbered = host.rsplit_once(':').is_some_and(|(name, port)| {
            port.parse::<u16>().is_ok() && !name.is_empty() && (!name.contains(':') || name.ends_with(']'))
        });
        let authority = match numbered {
            true => host.to_owned(),
            false if host.contains(':') && !host.ends_with(']') => return Err(hint()),
            false => format!("{host}:80"),
        };
        Ok(Target { authority, path: format!("/{path}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_host_port_and_path() {
        for (text, authority, path) in [
            ("http://127.0.0.1:8080/readyz", "127.0.0.1:8080", "/readyz"),
            ("http://[::1]:8080/readyz?verbose", "[::1]:8080", "/readyz?verbose"),
            ("http://mailwright-operator/livez", "mailwright-operator:80", "/livez"),
            ("http://[::1]", "[::1]:80", "/"),
        ] {
            let expected = Target { authority: authority.to_owned(), path: path.to_owned() };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "127.0.0.1:8080/readyz",
            "https://a/",
            "http:///x",
            "http://a:b/x",
            "http://::1/",
            "http://u@a/",
            "http://a/b c",
            "http://a/\r\nX: y",
        ] {
            assert!(text.parse::<Target>().unwrap_err().contains("http://HOST:PORT/PATH"), "{text}");
        }
    }
}
