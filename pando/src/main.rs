//! The program: reads the command line, runs one command, and reports an error in one line.

use std::process::ExitCode;

use clap::Parser;

/// Memory that is free for some seconds goes back to the system, so an idle server is small again after a busy hour.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let command_line = pando::CommandLine::parse();
    command_line.run(&mut std::io::stdout()).unwrap_or_else(|error| {
        eprintln!("pando: {error:#}");
        ExitCode::FAILURE
    })
}
