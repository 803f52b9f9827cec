//! Says of each statement of a file whether it is a read or a write, and why.
//!
//! One line per statement: `read` or `write`, the reason, and the statement on one line, with tabs
//! between. What a program knows besides, such as a database's own functions, is not known here.

use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use routing_core::Access;
use routing_core::sql::{self, Statement};

/// Says of each SQL statement whether a replica may run it, and why.
#[derive(Debug, Parser)]
struct Arguments {
    /// Whose SQL it is.
    #[arg(long, value_enum)]
    dialect: Dialect,
    /// The file that has the statements; standard input if there is none, or `-`.
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dialect {
    Postgres,
    Mysql,
    Sqlite,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let text = match read(&arguments) {
        Ok(text) => text,
        Err(message) => {
            eprintln!("classify: {message}");
            return ExitCode::FAILURE;
        }
    };
    match print(&text, arguments.dialect) {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("classify: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(arguments: &Arguments) -> Result<Vec<u8>, String> {
    match arguments
        .file
        .as_ref()
        .filter(|file| file.as_os_str() != "-")
    {
        Some(file) => fs::read(file).map_err(|error| format!("{}: {error}", file.display())),
        None => {
            let mut text = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut text);
            read.map_err(|error| format!("standard input: {error}"))?;
            Ok(text)
        }
    }
}

fn print(text: &[u8], dialect: Dialect) -> io::Result<()> {
    let dialect = match dialect {
        Dialect::Postgres => sql::Dialect::Postgres,
        Dialect::Mysql => sql::Dialect::MySql,
        Dialect::Sqlite => sql::Dialect::Sqlite,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut reads, mut writes) = (0_u64, 0_u64);
    for text in sql::statements(text, dialect) {
        let statement = Statement::new(text, dialect);
        match statement.access() {
            Access::Read => reads += 1,
            Access::Write => writes += 1,
        }
        let line = on_one_line(text);
        writeln!(out, "{}\t{statement}\t{line}", statement.access())?;
    }
    out.flush()?;
    eprintln!(
        "{} statements: {reads} read, {writes} write",
        reads + writes
    );
    Ok(())
}

fn on_one_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(visible).collect()
}
