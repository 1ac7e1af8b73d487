//! The `neuropil` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    neuropil::cli::main()
}
