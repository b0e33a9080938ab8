//! The way to an ssh server: straight, or through a proxy that is asked to CONNECT (RFC 9110 §9.3.6).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::super::Proxy;
use super::super::GitError;
use super::super::upload_pack::remote_text;

/// A proxy's answer without a body.
const MAX_ANSWER: usize = 8 * 1024;

/// Connects to a host.
pub(super) async fn connect(host: &str, port: u16, proxy: Option<&Proxy>) -> Result<TcpStream, GitError> {
    let Some(proxy) = proxy else { return reach(host, port, "").await };
    if proxy.address.scheme() != "http" {
        let text = "ssh goes through a proxy at an http:// address only; give that one";
        return Err(GitError::Refused(text.to_owned()));
    }
    let address = proxy.address.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let mut stream = reach(&address, proxy.address.port().unwrap_or(80), "the proxy: ").await?;
    let lost = |error: std::io::Error| GitError::Unreachable(format!("the proxy: {error}"));
    stream.write_all(request(host, port, proxy).as_bytes()).await.map_err(lost)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > MAX_ANSWER {
            return Err(GitError::Refused("the proxy's answer is no HTTP; check its address".to_owned()));
        }
        // Byte by byte: what follows the answer belongs to the server.
        answer.push(stream.read_u8().await.map_err(lost)?);
    }
    judge(&answer, host, port)?;
    Ok(stream)
}

async fn reach(host: &str, port: u16, whose: &str) -> Result<TcpStream, GitError> {
    let reached = TcpStream::connect((host, port)).await;
    reached.map_err(|error| {
        GitError::Unreachable(format!("{whose}{}", remote_text(error.to_string().as_bytes())))
    })
}

fn request(host: &str, port: u16, proxy: &Proxy) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let login = proxy.login.as_ref().map(|(user, password)| {
        let pair = [user.as_bytes(), b":", password.expose()].concat();
        format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(pair))
    });
    format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{}\r\n", login.unwrap_or_default())
}

/// The status line of the proxy.
fn judge(answer: &[u8], host: &str, port: u16) -> Result<(), GitError> {
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let status =
        line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
    match status {
        Some(200..=299) => Ok(()),
        Some(407) => Err(GitError::Refused(
            "the proxy asks for credentials (407); give it user and password, or others".to_owned(),
        )),
        Some(code @ 400..=499) => Err(GitError::Refused(format!(
            "the proxy does not connect to {host}:{port} ({code}); ask who runs it"
        ))),
        Some(code) => Err(GitError::Unreachable(format!("the proxy answered {code}"))),
        None => Err(GitError::Refused("the proxy's answer is no HTTP; check its address".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SecretValue;

    #[test]
    fn a_proxy_is_asked_with_its_credentials_only() {
        let plain = Proxy::parse("http://proxy.example.test:3128").unwrap();
        assert_eq!(
            request("git.example.test", 22, &plain),
            "CONNECT git.example.test:22 HTTP/1.1\r\nHost: git.example.test:22\r\n\r\n"
        );
        let login = Some(("alice".to_owned(), SecretValue::new("secret")));
        let asked = request("::1", 2222, &Proxy { login, ..plain });
        assert_eq!(
            asked,
            "CONNECT [::1]:2222 HTTP/1.1\r\nHost: [::1]:2222\r\nProxy-Authorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n"
        );
    }

    #[test]
    fn a_proxys_answer_is_told_in_words() {
        let table = [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Ok(())),
            ("HTTP/1.0 200\r\nX: y\r\n\r\n", Ok(())),
            ("HTTP/1.1 407 X\r\n\r\n", Err(("the proxy asks for credentials (407); give it user", false))),
            (
                "HTTP/1.1 403 X\r\n\r\n",
                Err(("the proxy does not connect to x:22 (403); ask who runs it", false)),
            ),
            ("HTTP/1.1 502 X\r\n\r\n", Err(("cannot be reached: the proxy answered 502", true))),
            ("SSH-2.0-x\r\n\r\n", Err(("the proxy's answer is no HTTP; check its address", false))),
            ("HTTP/1.1 x\r\n\r\n", Err(("the proxy's answer is no HTTP; check its address", false))),
        ];
        for (answer, expected) in table {
            match (judge(answer.as_bytes(), "x", 22), expected) {
                (Ok(()), Ok(())) => {}
                (Err(error), Err((text, temporary))) => {
                    assert!(error.to_string().starts_with(text), "{error}");
                    assert_eq!(error.is_temporary(), temporary, "{error}");
                }
                (result, expected) => panic!("{answer}: {result:?}, {expected:?}"),
            }
        }
    }
}
