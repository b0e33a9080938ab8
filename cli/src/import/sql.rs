//! Rows out of the text that `mysqldump`, `mariadb-dump` and `pg_dump` write: `CREATE TABLE` for the columns, then `INSERT` or
//! `COPY`. Leaves out everything else that SQL can say: a dump is read, never run. What the rows mean is the importers'.

mod literal;
mod scanner;

use std::collections::BTreeMap;

use super::{Found, MAX_ENTRIES, Place};
use scanner::{Scanner, Token};

/// Rows of all tables that are asked for: several for each address, as members of lists are rows too.
const MAX_ROWS: usize = 4 * MAX_ENTRIES;
/// Columns of a table: MySQL has no more.
const MAX_COLUMNS: usize = 4096;
/// How far into a dump its maker says who it is.
const HEAD: usize = 4096;

/// Which words begin something else than a column in `CREATE TABLE`.
const NO_COLUMNS: [&str; 10] =
    ["primary", "key", "unique", "index", "constraint", "fulltext", "spatial", "foreign", "check", "exclude"];

/// A table and those of its columns that are asked for.
pub type Wanted = (&'static str, &'static [&'static str]);

/// One row: the columns that were asked for, where the table has them.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it stands.
    pub place: Place,
    values: Vec<(&'static str, Option<String>)>,
}

impl Row {
    /// A column's text; `None` when it is NULL, or the table has no such column.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == column)?.1.as_deref()
    }

    /// A column that is yes or no; `absent` when there is none.
    pub fn flag(&self, column: &str, absent: bool) -> bool {
        match self.get(column) {
            Some(value) => {
                !matches!(value.to_ascii_lowercase().as_str(), "0" | "f" | "false" | "n" | "no" | "")
            }
            None => absent,
        }
    }

    /// A column that must be there.
    pub fn text(&self, column: &str) -> &str {
        self.get(column).unwrap_or_default()
    }
}

/// The rows of a dump by their tables.
#[derive(Debug, Default)]
pub struct Dump {
    tables: BTreeMap<&'static str, Vec<Row>>,
    columns: BTreeMap<String, Vec<String>>,
    rows: usize,
}

impl Dump {
    /// Reads the wanted tables; what is wrong with the dump is told. A dump that ends too early is told too.
    pub fn read(found: &mut Found, file: &str, text: &str, wanted: &[Wanted]) -> Dump {
        let mut dump = Dump::default();
        let mut head = HEAD.min(text.len());
        while !text.is_char_boundary(head) {
            head -= 1;
        }
        let head = &text[..head];
        let is_postgres =
            head.contains("PostgreSQL database") || head.contains("standard_conforming_strings = on");
        let mut reading =
            Reading { dump: &mut dump, found, file, wanted, scanner: Scanner::new(text, !is_postgres) };
        while reading.statement() {}
        dump
    }

    /// The rows of a table.
    pub fn rows(&self, table: &str) -> &[Row] {
        self.tables.get(table).map_or(&[], Vec::as_slice)
    }

    /// Whether the dump has the table at all, with rows or without.
    pub fn has(&self, table: &str) -> bool {
        self.columns.contains_key(table) || self.tables.contains_key(table)
    }
}

/// A dump while it is read.
struct Reading<'a, 'b> {
    dump: &'b mut Dump,
    found: &'b mut Found,
    file: &'b str,
    wanted: &'b [Wanted],
    scanner: Scanner<'a>,
}

impl Reading<'_, '_> {
    /// One statement; `false` at the end.
    fn statement(&mut self) -> bool {
        let begin = self.scanner.line_of_next();
        let whole = match self.scanner.token() {
            Token::End => return false,
            Token::Symbol(';') => true,
            // A command to psql, such as \restrict.
            Token::Symbol('\\') => {
                self.scanner.end_line();
                true
            }
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "create" => self.create(),
                "insert" | "replace" => self.insert(),
                "copy" => self.copy(),
                _ => self.scanner.skip_statement(),
            },
            _ => self.scanner.skip_statement(),
        };
        if !whole {
            let place = Place::new(self.file, begin);
            self.found.note(
                &place,
                "the dump ends in the middle of this statement: it is not whole; make it again",
            );
        }
        whole
    }

    fn create(&mut self) -> bool {
        let mut token = self.scanner.token();
        while matches!(&token, Token::Word(word) if ["temporary", "unlogged"].contains(&word.to_ascii_lowercase().as_str()))
        {
            token = self.scanner.token();
        }
        if !matches!(&token, Token::Word(word) if word.eq_ignore_ascii_case("table")) {
            return token == Token::Symbol(';') || self.scanner.skip_statement();
        }
        let Some((table, '(')) = self.name(&["if", "not", "exists"]) else {
            return self.scanner.skip_statement();
        };
        let mut columns = Vec::new();
        let (mut depth, mut begins) = (1_usize, true);
        while depth > 0 {
            match self.scanner.token() {
                Token::End => return false,
                Token::Symbol('(') => depth += 1,
                Token::Symbol(')') => depth -= 1,
                Token::Symbol(',') if depth == 1 => {
                    begins = true;
                    continue;
                }
                Token::Name(name) if begins && columns.len() < MAX_COLUMNS => {
                    columns.push(name.to_ascii_lowercase())
                }
                Token::Word(name) if begins && columns.len() < MAX_COLUMNS => {
                    let name = name.to_ascii_lowercase();
                    if !NO_COLUMNS.contains(&name.as_str()) {
                        columns.push(name);
                    }
                }
                _ => {}
            }
            begins = false;
        }
        self.dump.columns.insert(table, columns);
        self.scanner.skip_statement()
    }

    /// The last part of a table's name, lower case, and the symbol behind it; `words` may stand before it.
    fn name(&mut self, words: &[&str]) -> Option<(String, char)> {
        let mut name = None;
        loop {
            match self.scanner.token() {
                Token::Word(word)
                    if name.is_none() && words.contains(&word.to_ascii_lowercase().as_str()) => {}
                Token::Word(word) if name.is_some() => {
                    // VALUES or FROM: what comes next has no symbol before it.
                    let next = if word.eq_ignore_ascii_case("values") { 'v' } else { 'w' };
                    return Some((name?, next));
                }
                Token::Word(word) => name = Some(word.to_ascii_lowercase()),
                Token::Name(word) => name = Some(word.to_ascii_lowercase()),
                Token::Symbol('.') => name = None,
                Token::Symbol(symbol) => return Some((name?, symbol)),
                Token::Text(_) | Token::End => return None,
            }
        }
    }

    /// Names of columns up to the closing parenthesis.
    fn column_list(&mut self) -> Option<Vec<String>> {
        let mut columns = Vec::new();
        loop {
            match self.scanner.token() {
                Token::Word(name) => columns.push(name.to_ascii_lowercase()),
                Token::Name(name) => columns.push(name.to_ascii_lowercase()),
                Token::Symbol(',') => {}
                Token::Symbol(')') => return Some(columns),
                _ => return None,
            }
            if columns.len() > MAX_COLUMNS {
                return None;
            }
        }
    }

    fn insert(&mut self) -> bool {
        let begin = self.scanner.line();
        let Some((table, mut next)) = self.name(&["ignore", "into", "low_priority", "delayed"]) else {
            return self.scanner.skip_statement();
        };
        let Some((table, wanted)) = self.wanted(&table) else { return self.scanner.skip_statement() };
        let mut columns = self.dump.columns.get(table).cloned();
        if next == '(' {
            columns = self.column_list();
            next = match self.scanner.token() {
                Token::Word(word) if word.eq_ignore_ascii_case("values") => 'v',
                _ => 'w',
            };
        }
        let place = Place::new(self.file, begin);
        let Some(columns) = columns.filter(|_| next == 'v') else {
            let message = format!(
                "the rows of {table} come without the names of their columns: dump the structure too, or with --complete-insert; \
                 they are left out"
            );
            self.found.note(&place, message);
            return self.scanner.skip_statement();
        };
        loop {
            let place = Place::new(self.file, self.scanner.line_of_next());
            match self.scanner.token() {
                Token::Symbol('(') => match self.scanner.values() {
                    Some(values) => self.row(place, table, wanted, &columns, values),
                    None => return false,
                },
                Token::Symbol(',') => {}
                Token::Symbol(';') => return true,
                Token::End => return false,
                // ON CONFLICT, ON DUPLICATE KEY: nothing that a dump needs.
                _ => return self.scanner.skip_statement(),
            }
        }
    }

    fn copy(&mut self) -> bool {
        let Some((table, '(')) = self.name(&[]) else { return self.scanner.skip_statement() };
        let Some(columns) = self.column_list() else { return self.scanner.skip_statement() };
        let from_stdin = matches!(self.scanner.token(), Token::Word(word) if word.eq_ignore_ascii_case("from"))
            && matches!(self.scanner.token(), Token::Word(word) if word.eq_ignore_ascii_case("stdin"));
        if !self.scanner.skip_statement() {
            return false;
        }
        if !from_stdin {
            return true;
        }
        self.scanner.end_line();
        let wanted = self.wanted(&table);
        loop {
            let place = Place::new(self.file, self.scanner.line());
            match self.scanner.raw_line() {
                None => return false,
                Some("\\.") => return true,
                Some(line) => {
                    if let Some((table, wanted)) = wanted {
                        let values = line.split('\t').map(literal::copied).collect();
                        self.row(place, table, wanted, &columns, values);
                    }
                }
            }
        }
    }

    fn wanted(&self, table: &str) -> Option<Wanted> {
        self.wanted.iter().find(|(name, _)| *name == table).copied()
    }

    fn row(
        &mut self,
        place: Place,
        table: &'static str,
        wanted: &'static [&'static str],
        columns: &[String],
        mut values: Vec<Option<String>>,
    ) {
        if values.len() != columns.len() {
            let message = format!(
                "a row of {table} has {} values for {} columns; it is left out",
                values.len(),
                columns.len()
            );
            return self.found.note(&place, message);
        }
        if self.dump.rows == MAX_ROWS {
            self.found
                .note(&place, format!("more than {MAX_ROWS} rows: import in parts; the rest is left out"));
        }
        self.dump.rows += 1;
        if self.dump.rows > MAX_ROWS {
            return;
        }
        let kept = wanted.iter().filter_map(|name| {
            let index = columns.iter().position(|column| column == name)?;
            Some((*name, values[index].take()))
        });
        let row = Row { place, values: kept.collect() };
        self.dump.tables.entry(table).or_default().push(row);
    }
}

#[cfg(test)]
mod tests;
