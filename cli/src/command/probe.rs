//! `mailwright probe`: asks an HTTP endpoint of Mailwright whether it is well, by one request per connection. Nothing that a
//! browser needs is done here: no redirects, no TLS, no encodings (RFC 9112 §3, §4).

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::args::probe::{Probe, Target};
use crate::terminal;

/// One question with its answer: longer than any endpoint here thinks, shorter than a health check's patience.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(500);
/// What is read of an answer; `/readyz` says a few lines.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Asks until the answer is 200 or the time is up; prints the last answer.
pub async fn run(options: Probe) -> Result<ExitCode> {
    let deadline = Instant::now() + options.wait.unwrap_or_default();
    loop {
        let answer = ask(&options.target).await;
        let well = answer.as_ref().is_ok_and(|answer| answer.code == 200);
        if well || Instant::now() + PAUSE > deadline {
            let answer = answer?;
            terminal::print(&answer.body);
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        sleep(PAUSE).await;
    }
}

/// Status code and body.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    code: u16,
    body: String,
}

async fn ask(target: &Target) -> Result<Answer> {
    let Target { authority, path } = target;
    let exchange = async {
        let mut stream = TcpStream::connect(authority).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut text = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    let text = timeout(PATIENCE, exchange)
        .await
        .with_context(|| format!("{authority} did not answer within {PATIENCE:?}"))?
        .with_context(|| format!("cannot ask {authority}"))?;
    match read(&text) {
        Some(answer) => Ok(answer),
        None => bail!("{authority} answered something that is not HTTP"),
    }
}

/// Reads status line, fields and body (RFC 9112 §4).
fn read(text: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(text);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    let body = if body.is_empty() || body.ends_with('\n') { body.to_owned() } else { format!("{body}\n") };
    Some(Answer { code: status.parse().ok()?, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn an_answer_is_a_code_and_a_body() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\nX: y\r\n\r\nok", Some((200, "ok\n"))),
            ("HTTP/1.0 503 Service Unavailable\r\n\r\nnot synced\n", Some((503, "not synced\n"))),
            ("HTTP/1.1 204 \r\n\r\n", Some((204, ""))),
            ("HTTP/1.1 x\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n", None),
            ("220 mail.example.test ESMTP\r\n\r\n", None),
            ("", None),
        ] {
            let expected = expected.map(|(code, body)| Answer { code, body: body.to_owned() });
            assert_eq!(read(text.as_bytes()), expected, "{text:?}");
        }
    }

    /// Answers connections with these texts in order, and says what it was asked.
    async fn server(answers: &'static [&'static str]) -> (Target, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}/readyz", listener.local_addr().unwrap()).parse().unwrap();
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).await.unwrap();
                asked.push(String::from_utf8_lossy(&request[..length]).into_owned());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (target, asked)
    }

    #[tokio::test]
    async fn it_asks_again_until_the_answer_is_200() {
        let (target, asked) =
            server(&["HTTP/1.1 503 x\r\n\r\nnot yet", "nonsense", "HTTP/1.1 200 OK\r\n\r\nok"]).await;
        let authority = target.authority.clone();
        let code = run(Probe { target, wait: Some(Duration::from_secs(60)) }).await.unwrap();
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
        let asked = asked.await.unwrap();
        assert_eq!(asked.len(), 3);
        assert_eq!(asked[0], format!("GET /readyz HTTP/1.0\r\nHost: {authority}\r\n\r\n"));
    }

    #[tokio::test]
    async fn another_answer_and_none_are_failures() {
        let (target, _asked) = server(&["HTTP/1.1 503 x\r\n\r\nnot yet"]).await;
        let code = run(Probe { target, wait: None }).await.unwrap();
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
        let (target, _asked) = server(&["nonsense"]).await;
        let error = run(Probe { target, wait: None }).await.unwrap_err();
        assert!(error.to_string().contains("not HTTP"), "{error}");
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let target = format!("http://{nobody}/").parse().unwrap();
        let error = run(Probe { target, wait: None }).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot ask 127.0.0.1"), "{error}");
    }
}
