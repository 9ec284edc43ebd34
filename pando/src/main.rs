//! The program: reads the command line, runs one command, and says in one line what went wrong.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command_line = pando::CommandLine::parse();
    command_line.run(&mut std::io::stdout()).unwrap_or_else(|error| {
        eprintln!("pando: {error:#}");
        ExitCode::FAILURE
    })
}
