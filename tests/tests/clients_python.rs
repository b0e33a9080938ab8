//! Python's smtplib and imaplib against the running executable; the scripts are in `tests/clients/`.

use mailwright_tests::harness::{Server, email_test_data, need, skip};

#[test]
fn smtplib_takes_the_tour() {
    if need(&["python3"]) {
        Server::quickstart().script("smtplib_tour.py", &[]).ok();
    }
}

#[test]
fn imaplib_takes_the_tour() {
    if need(&["python3"]) {
        Server::quickstart().script("imaplib_tour.py", &[]).ok();
    }
}

#[test]
fn every_message_of_pythons_own_test_data_comes_back_byte_for_byte() {
    let Some(directory) = email_test_data() else {
        return skip("Python's e-mail test data is not installed (cargo xtask test --only install)");
    };
    Server::quickstart().script("corpus.py", &[&directory.display().to_string()]).ok().says("there and back");
}
