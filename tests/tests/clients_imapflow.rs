//! imapflow of Node against the running executable: compression, listing with STATUS, OBJECTID, QRESYNC, QUOTA, IDLE. It
//! comes from the package registry into `target/clients/node` (`cargo xtask test --only install`).

use mailwright_tests::harness::{Server, need_node};

#[test]
fn imapflow_takes_the_tour() {
    if need_node(&["imapflow"]) {
        let server = Server::quickstart();
        server.script("imapflow_tour.cjs", &[]).ok().says("ok: the whole tour");
    }
}
