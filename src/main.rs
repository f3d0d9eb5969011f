//! The `tenantry` binary: everything is in the library.
use std::process::ExitCode;

fn main() -> ExitCode {
    tenantry::cli::main()
}
