//! nodemailer of Node on the submission ports: STARTTLS and TLS from the first octet, DSN parameters, attachments, refusals.

use mailwright_tests::harness::{Server, need_node};

#[test]
fn nodemailer_takes_the_tour() {
    if need_node(&["imapflow", "nodemailer"]) {
        let server = Server::quickstart();
        let ports = [server.ports.submission.to_string(), server.ports.submissions.to_string()];
        server.script("nodemailer_tour.cjs", &[&ports[0], &ports[1]]).ok().says("ok: the whole tour");
    }
}
