//! SCRAM-SHA-256 with and without channel binding, and COMPRESS=DEFLATE, by Python's own hmac, hashlib and zlib.

use mailwright_tests::harness::{Server, need};

#[test]
fn scram_logs_in_over_imap_and_submission() {
    if need(&["python3"]) {
        let server = Server::quickstart();
        let ports = [server.ports.submission.to_string(), server.ports.submissions.to_string()];
        server.script("scram_tour.py", &[&ports[0], &ports[1]]).ok().says("ok: the whole tour");
    }
}

#[test]
fn zlib_speaks_compressed() {
    if need(&["python3"]) {
        let server = Server::quickstart();
        server.script("compress_tour.py", &[]).ok().says("ok: the whole tour");
    }
}
