//! SCRAM-SHA-256 with and without channel binding by Python's own hmac and hashlib and by Node's crypto; COMPRESS=DEFLATE by
//! Python's zlib.

use mailwright_tests::harness::{Server, need, need_node};

#[test]
fn scram_logs_in_over_imap_and_submission() {
    if need(&["python3"]) {
        let server = Server::quickstart();
        let ports = [server.ports.submission.to_string(), server.ports.submissions.to_string()];
        server.script("scram_tour.py", &[&ports[0], &ports[1]]).ok().says("ok: the whole tour");
    }
}

#[test]
fn scram_is_bound_to_the_channel_by_its_exporter() {
    if need_node(&[]) {
        Server::quickstart().script("scram_exporter.cjs", &[]).ok().says("ok: the whole tour");
    }
}

#[test]
fn zlib_speaks_compressed() {
    if need(&["python3"]) {
        let server = Server::quickstart();
        server.script("compress_tour.py", &[]).ok().says("ok: the whole tour");
    }
}
