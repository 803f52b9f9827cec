//! What a statement does to the transaction that it runs in.

use super::Dialect;
use super::kind::StatementKind;
use super::lexer::{Lexer, Strings, Token};

/// A statement that begins, ends or divides a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an adapter has to handle each")]
pub enum TransactionControl<'a> {
    /// `BEGIN` or `START TRANSACTION`: `Transaction`, or what it declares itself to be, `BeginReadOnly` or
    /// `BeginSerializable`.
    Begin(StatementKind),
    /// `SAVEPOINT name`.
    Savepoint(&'a str),
    /// `RELEASE name`.
    Release(&'a str),
    /// `ROLLBACK TO name`.
    RollbackTo(&'a str),
    /// `COMMIT` or `END`.
    Commit,
    /// `ROLLBACK` or `ABORT`.
    Rollback,
}

impl<'a> TransactionControl<'a> {
    /// What the statement does, if it is one of these and plainly so.
    ///
    /// `None` does not mean that the transaction stays as it is: `COMMIT AND CHAIN`, a name in
    /// quotes or a second statement are not understood.
    ///
    /// ```
    /// use routing_core::StatementKind;
    /// use routing_core::sql::{Dialect, TransactionControl};
    ///
    /// let of = |sql| TransactionControl::of(sql, Dialect::Postgres);
    /// let begin = of("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
    /// assert_eq!(begin, Some(TransactionControl::Begin(StatementKind::BeginReadOnly)));
    /// assert_eq!(of("ROLLBACK TO SAVEPOINT a"), Some(TransactionControl::RollbackTo("a")));
    /// assert_eq!(of("COMMIT AND CHAIN"), None);
    /// ```
    #[must_use]
    pub fn of(sql: &'a str, dialect: Dialect) -> Option<Self> {
        const NOISE: &[&str] = &["TRANSACTION", "WORK"];
        let mut tokens = Lexer::new(sql.as_bytes(), dialect, Strings::Default);
        let word = |tokens: &Lexer<'_>| sql.get(tokens.start()..tokens.end());
        let first = match tokens.next() {
            Token::Word => word(&tokens)?,
            _ => return None,
        };
        // The words that are left, without the optional ones in front and the semicolon behind.
        let mut words = [""; 12];
        let mut count = 0;
        let mut noise = false;
        loop {
            match tokens.next() {
                Token::End => break,
                Token::Comma => {}
                Token::Semicolon if tokens.next() == Token::End => break,
                Token::Word if count == 0 && is_any(word(&tokens)?, NOISE) => noise = true,
                Token::Word => {
                    *words.get_mut(count)? = word(&tokens)?;
                    count += 1;
                }
                _ => return None,
            }
        }
        let words = &words[..count];
        let starts = is_any(first, &["START"]) && noise;
        if starts || is_any(first, &["BEGIN"]) {
            let read = |mode: &str| {
                let mut pairs = words.windows(2);
                pairs.any(|pair| is_any(pair[0], &["READ"]) && is_any(pair[1], &[mode]))
            };
            let is_serializable = words.iter().any(|word| is_any(word, &["SERIALIZABLE"]));
            return Some(Self::Begin(match read("ONLY") && !read("WRITE") {
                false => StatementKind::Transaction,
                // No hot standby has that isolation level.
                true if is_serializable => StatementKind::BeginSerializable,
                true => StatementKind::BeginReadOnly,
            }));
        }
        match words {
            [] if is_any(first, &["COMMIT", "END"]) => Some(Self::Commit),
            [] if is_any(first, &["ROLLBACK", "ABORT"]) => Some(Self::Rollback),
            [name] if is_any(first, &["SAVEPOINT"]) => Some(Self::Savepoint(name)),
            [name] if is_any(first, &["RELEASE"]) => Some(Self::Release(name)),
            [word, name] if is_any(first, &["RELEASE"]) && is_any(word, &["SAVEPOINT"]) => {
                Some(Self::Release(name))
            }
            [to, name] if is_any(first, &["ROLLBACK"]) && is_any(to, &["TO"]) => {
                Some(Self::RollbackTo(name))
            }
            [to, word, name]
                if is_any(first, &["ROLLBACK"])
                    && is_any(to, &["TO"])
                    && is_any(word, &["SAVEPOINT"]) =>
            {
                Some(Self::RollbackTo(name))
            }
            _ => None,
        }
    }
}

fn is_any(word: &str, words: &[&str]) -> bool {
    words.iter().any(|other| other.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::TransactionControl::{Begin, Commit, Release, Rollback, RollbackTo, Savepoint};
    use super::*;

    #[test]
    fn what_is_plain_is_understood_and_nothing_else() {
        let plain = Begin(StatementKind::Transaction);
        let read_only = Begin(StatementKind::BeginReadOnly);
        let serializable = Begin(StatementKind::BeginSerializable);
        for (sql, expected) in [
            ("BEGIN", Some(plain)),
            ("begin work;", Some(plain)),
            ("START TRANSACTION", Some(plain)),
            ("BEGIN IMMEDIATE", Some(plain)),
            ("START TRANSACTION READ ONLY", Some(read_only)),
            (
                "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY",
                Some(read_only),
            ),
            ("BEGIN TRANSACTION READ WRITE", Some(plain)),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE", Some(plain)),
            (
                "START TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
                Some(serializable),
            ),
            ("BEGIN READ ONLY, READ WRITE", Some(plain)),
            ("START REPLICA", None),
            ("COMMIT", Some(Commit)),
            ("END TRANSACTION", Some(Commit)),
            ("/* done */ COMMIT WORK;", Some(Commit)),
            ("COMMIT AND CHAIN", None),
            ("COMMIT PREPARED 'x'", None),
            ("COMMIT; BEGIN", None),
            ("ROLLBACK", Some(Rollback)),
            ("ABORT", Some(Rollback)),
            ("ROLLBACK TO a", Some(RollbackTo("a"))),
            ("ROLLBACK TRANSACTION TO SAVEPOINT a", Some(RollbackTo("a"))),
            ("SAVEPOINT a", Some(Savepoint("a"))),
            ("SAVEPOINT \"a\"", None),
            ("RELEASE a", Some(Release("a"))),
            ("RELEASE SAVEPOINT a", Some(Release("a"))),
            ("SELECT 1", None),
            ("", None),
        ] {
            assert_eq!(
                TransactionControl::of(sql, Dialect::Postgres),
                expected,
                "{sql}"
            );
        }
    }
}
