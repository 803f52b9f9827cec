//! Says of each statement of a file whether it is a read or a write, and why.
//!
//! One line per statement: `read` or `write`, the reason, and the statement on one line, with tabs
//! between. A database's own functions are not known here, but can be named.

use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use routing_core::Access;
use routing_core::sql::{self, Functions, Statement};

/// Says of each SQL statement whether a replica may run it, and why.
#[derive(Debug, Parser)]
struct Arguments {
    /// Whose SQL it is.
    #[arg(long, value_enum)]
    dialect: Dialect,
    /// A function that only reads, `name` or `schema.name`; may be given several times.
    #[arg(long, value_name = "NAME")]
    reading_function: Vec<String>,
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
    let writing: [&str; 0] = [];
    let functions = Functions::new(&arguments.reading_function, writing);
    match print(&text, arguments.dialect, &functions) {
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

fn print(text: &[u8], dialect: Dialect, functions: &Functions) -> io::Result<()> {
    let dialect = match dialect {
        Dialect::Postgres => sql::Dialect::Postgres,
        Dialect::Mysql => sql::Dialect::MySql,
        Dialect::Sqlite => sql::Dialect::Sqlite,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut reads, mut writes) = (0_u64, 0_u64);
    for text in sql::statements(text, dialect) {
        let statement = Statement::with_functions(text, dialect, functions);
        match statement.access() {
            Access::Read => reads += 1,
            Access::Write => writes += 1,
        }
        let line = on_one_line(text);
        writeln!(out, "{}\t{statement}\t{line}", statement.access())?;
    }
    out.flush()?;
    let all = reads + writes;
    let word = if all == 1 { "statement" } else { "statements" };
    eprintln!("{all} {word}: {reads} read, {writes} write");
    Ok(())
}

fn on_one_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(visible).collect()
}
