//! The one executable; everything it does is in the library beside it.

use std::process::ExitCode;

/// A first plan of a hundred thousand accounts spent a quarter of its time in the C library's allocator (docs/decisions/0036).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    mailwright::main()
}
