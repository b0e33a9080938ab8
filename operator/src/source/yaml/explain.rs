//! Syntax errors in words that say what to do.
//!
//! The parser's own messages name its states. The common mistakes get a message of their own; the rest keep the
//! parser's words behind "not valid YAML".

use super::split::Chunk;
use super::{Fault, Mark};

/// One message for a syntax error at `mark`; `info` is the parser's.
pub(super) fn syntax(chunk: Chunk<'_>, mark: Mark, info: &str) -> Fault {
    let (mark, message, remedy) = tab_in_indentation(chunk, mark, info)
        .or_else(|| quote(chunk, mark, info))
        .or_else(|| conflict(chunk, mark))
        .or_else(|| template(chunk, mark))
        .or_else(|| bracket(chunk, mark, info))
        .or_else(|| colon(chunk, mark, info))
        .or_else(|| element(chunk, mark, info))
        .or_else(|| known(mark, info))
        .unwrap_or_else(|| {
            (mark, format!("not valid YAML: {info}"), "check indentation and quotes here".to_owned())
        });
    Fault::whole(mark, message, &remedy)
}

type Explained = (Mark, String, String);

/// The parser notices a tab where it stands or, when it looked like part of a value, on the following line.
fn tab_in_indentation(chunk: Chunk<'_>, mark: Mark, info: &str) -> Option<Explained> {
    let tabbed = |line: u32| {
        let text = line_of(chunk, line)?;
        let indent = text.len() - text.trim_start_matches([' ', '\t']).len();
        let column = text[..indent].find('\t')? + 1;
        (indent < text.trim_end().len()).then_some(Mark { line, column: u32::try_from(column).ok()? })
    };
    let at = tabbed(mark.line)
        .or_else(|| tabbed(mark.line.checked_sub(1)?))
        .or_else(|| tabbed(mark.line.checked_add(1)?).filter(|_| info.contains("tab")))
        .or_else(|| info.contains("tab").then_some(mark))?;
    Some((at, "a tab is used for indentation".to_owned(), "indent with spaces".to_owned()))
}

fn quote(chunk: Chunk<'_>, mark: Mark, info: &str) -> Option<Explained> {
    let remedy = "close it where the text ends".to_owned();
    if info.contains("quoted scalar, found unexpected") || info.contains("indentation in quoted scalar") {
        return Some((mark, "the quote opened here is never closed".to_owned(), remedy));
    }
    if info.contains("invalid trailing content after") {
        let opened = unbalanced_line_above(chunk, mark.line);
        let message = match opened {
            Some(line) => {
                format!("text follows a closing quote; the quote opened at line {line} may be unclosed")
            }
            None => "text follows a closing quote".to_owned(),
        };
        return Some((mark, message, remedy));
    }
    if info.contains("unknown escape character") {
        let message = "this \\ escape does not exist in double quotes".to_owned();
        return Some((mark, message, "write \\\\ for a backslash, or use single quotes".to_owned()));
    }
    None
}

/// The nearest line above with an odd number of double or single quotes.
fn unbalanced_line_above(chunk: Chunk<'_>, line: u32) -> Option<u32> {
    let odd = |text: &str, quote: char| text.matches(quote).count() % 2 == 1;
    lines(chunk)
        .take_while(|(number, _)| *number < line)
        .filter(|(_, text)| odd(text, '"') || odd(text, '\''))
        .last()
        .map(|(number, _)| number)
}

/// Conflict markers of a half-finished merge.
fn conflict(chunk: Chunk<'_>, mark: Mark) -> Option<Explained> {
    let markers = ["<<<<<<<", "=======", ">>>>>>>"];
    let (line, _) = lines(chunk)
        .take_while(|(number, _)| *number <= mark.line.saturating_add(1))
        .find(|(_, text)| markers.iter().any(|marker| text.starts_with(marker)))?;
    let message = "a merge conflict is not resolved".to_owned();
    Some((Mark { line, column: 1 }, message, "resolve it and remove the markers".to_owned()))
}

/// An opening bracket without its partner: the parser notices it at some later line.
fn bracket(chunk: Chunk<'_>, mark: Mark, info: &str) -> Option<Explained> {
    if !["placement of ':'", "expected ','", "flow construct", "not precede"]
        .iter()
        .any(|part| info.contains(part))
    {
        return None;
    }
    let (at, open) = open_bracket(chunk, mark)?;
    let message = format!("the \"{open}\" opened here is not closed, as line {} shows", mark.line);
    Some((at, message, "close it, write \",\" between what is inside, or quote the text".to_owned()))
}

/// The innermost bracket that is open before `end`; quotes and comments are stepped over.
fn open_bracket(chunk: Chunk<'_>, end: Mark) -> Option<(Mark, char)> {
    let (mut open, mut quote) = (Vec::new(), None);
    for (line, text) in lines(chunk).take_while(|(line, _)| *line <= end.line) {
        let mut before = ' ';
        for (column, c) in (1..).zip(text.chars()) {
            if line == end.line && column >= end.column || c == '#' && before == ' ' && quote.is_none() {
                break;
            }
            match (quote, c) {
                (Some(mark), _) if mark == c => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') if " [{,".contains(before) => quote = Some(c),
                (None, '[' | '{') if " [{,:".contains(before) => open.push((Mark { line, column }, c)),
                (None, ']' | '}') => drop(open.pop()),
                _ => {}
            }
            before = c;
        }
    }
    open.pop()
}

/// Text that another program was to fill in first.
fn template(chunk: Chunk<'_>, mark: Mark) -> Option<Explained> {
    line_of(chunk, mark.line).filter(|text| text.contains("{{"))?;
    Some((mark, TEMPLATE.0.to_owned(), TEMPLATE.1.to_owned()))
}

/// What is said about `{{ … }}`, which YAML may also take for mappings.
pub(super) const TEMPLATE: (&str, &str) = ("a template is not filled in here", "give the rendered manifests");

/// A key where none can be: a second colon on its line, or something wrong with the line above that it now continues.
fn colon(chunk: Chunk<'_>, mark: Mark, info: &str) -> Option<Explained> {
    if !info.contains("mapping values are not allowed") {
        return None;
    }
    let line = line_of(chunk, mark.line)?;
    let column = usize::try_from(mark.column).ok()?;
    let before: String = line.chars().take(column.saturating_sub(1)).collect();
    let above = lines(chunk).take_while(|(number, _)| *number < mark.line);
    let above =
        above.filter(|(_, text)| !text.trim().is_empty() && !text.trim_start().starts_with('#')).last();
    if let (false, Some((number, text))) = (before.contains(": "), above) {
        let indent = |text: &str| text.len() - text.trim_start().len();
        let (message, remedy) = if !text.contains(':') {
            (format!("line {number} is a key without \":\""), "write \"key: value\" there")
        } else if !text.contains(": ") && !text.trim_end().ends_with(':') {
            (format!("line {number} has no space after its \":\""), "write \"key: value\" there")
        } else if indent(line) > indent(text) {
            (format!("this line is indented deeper than line {number}"), "align it with the keys above")
        } else {
            return None;
        };
        return Some((mark, message, remedy.to_owned()));
    }
    None
}

/// An element of a list among keys.
fn element(chunk: Chunk<'_>, mark: Mark, info: &str) -> Option<Explained> {
    let stray = info.contains("did not find expected key") || info.contains("not allowed in this context");
    line_of(chunk, mark.line).filter(|text| stray && text.trim_start().starts_with("- "))?;
    let message = "a list element that is indented unlike those above, or stands among keys".to_owned();
    Some((mark, message, "align the hyphens of a list, and indent them below its key".to_owned()))
}

fn known(mark: Mark, info: &str) -> Option<Explained> {
    let (_, message, remedy) = TABLE.iter().find(|(part, ..)| info.contains(part))?;
    Some((mark, (*message).to_owned(), (*remedy).to_owned()))
}

fn lines<'a>(chunk: Chunk<'a>) -> impl Iterator<Item = (u32, &'a str)> {
    (chunk.line..).zip(chunk.text.lines())
}

fn line_of<'a>(chunk: Chunk<'a>, line: u32) -> Option<&'a str> {
    chunk.text.lines().nth(usize::try_from(line.checked_sub(chunk.line)?).ok()?)
}

/// Parts of the parser's messages, and what is said instead: message and remedy. The first that fits counts.
const TABLE: &[(&str, &str, &str)] = &[
    (
        "mapping values are not allowed",
        "a second \": \" on one line",
        "quote the value, or put the key on its own line",
    ),
    ("illegal placement of ':'", "a \":\" where none can stand", "quote the value that contains it"),
    ("simple key expect", "a key without \":\"", "write \"key: value\""),
    ("did not find expected key", "a line that is no key of this mapping", "align it with the keys above"),
    (
        "expected '-' indicator",
        "a line that is no element of this list",
        "begin it with \"- \", aligned with those above",
    ),
    (
        "block sequence entries are not allowed",
        "a \"- \" where no list can begin",
        "put the list on its own lines",
    ),
    (
        "expected ',' or '}'",
        "a \"{\" that is not closed",
        "write \",\" between the entries and \"}\" at the end",
    ),
    (
        "expected ',' or ']'",
        "a \"[\" that is not closed",
        "write \",\" between the elements and \"]\" at the end",
    ),
    ("indentation in flow construct", "a bracket that is not closed", "close it, or indent what is inside"),
    ("misplaced bracket", "a closing bracket without an opening one", "remove it, or quote the text"),
    (
        "found unknown anchor",
        "the alias names no anchor of this document",
        "define it with \"&name\" first, or quote text that begins with \"*\"",
    ),
    ("anchor or alias", "\"*\" or \"&\" without a name", "quote text that begins with it"),
    ("unexpected character: `%'", "text cannot begin with \"%\"", "quote it"),
    ("unexpected character: `@'", "text cannot begin with \"@\"", "quote it, like \"@example.org\""),
    ("unexpected character: ``'", "text cannot begin with a backquote", "quote it"),
    (
        "expected node content",
        "a value is missing, or begins with a character that needs quotes",
        "quote the value",
    ),
    ("recursion limit", "nested too deep", "check the brackets"),
    ("byte order mark", "a byte order mark in the middle of the file", "remove it"),
    ("the handle wasn't declared", "text cannot begin with \"!\"", "quote it"),
    (
        "scanning a block scalar, did not find expected comment",
        "text on the line of \"|\" or \">\"",
        "begin it on the next line, or quote it",
    ),
    (
        "expected hexadecimal number",
        "a \\x, \\u or \\U escape with too few digits",
        "complete it, or write \\\\ for a backslash",
    ),
    ("expected <document start>", "a \"%\" line without \"---\" after it", "remove the line"),
    (
        "block scalar",
        "the lines after \"|\" or \">\" are not indented alike",
        "indent all of them with the same spaces",
    ),
    (
        "wrongly indented",
        "the lines after \"|\" or \">\" are not indented alike",
        "indent all of them with the same spaces",
    ),
    ("invalid indentation", "this line is indented unlike those above", "align it with the keys above"),
];
