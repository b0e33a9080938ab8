//! From words to an expression (cel-spec, langdef.md §Syntax): precedence by climbing, macros where they are written.
//!
//! Expr = Or ["?" Or ":" Expr]; Or = And {"||" And}; And = Relation {"&&" Relation};
//! Relation = Sum {relop Sum}; Sum = Product {("+" | "-") Product}; Product = Unary {("*" | "/" | "%") Unary};
//! Unary = Member | "!"+ Member | "-"+ Member; Member = Primary {"." name ["(" args ")"] | "[" Expr "]"}.

use super::lex::{Token, tokens};
use super::regex::Pattern;
use super::{At, Expr, Fault, Fold, FoldKind, MAX_DEPTH, Node, Op};

/// Words that CEL keeps for itself beside `true`, `false`, `null` and `in`.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Reads a whole expression.
pub(crate) fn parse(text: &str) -> Result<Expr, Fault> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, open: 0 };
    let expression = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(expression),
        _ => Err(parser.unexpected("the expression is complete before this")),
    }
}

struct Parser {
    tokens: Vec<(At, Token)>,
    next: usize,
    /// Expressions that are being read, one in the other.
    open: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(_, token)| token)
    }

    fn at(&self) -> At {
        let last = self.tokens.last();
        self.tokens.get(self.next).or(last).map_or(At { line: 1, column: 1 }, |(at, _)| *at)
    }

    fn skip(&mut self) {
        self.next += 1;
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(other) if *other == sign);
        if found {
            self.skip();
        }
        found
    }

    fn take_one_of(&mut self, table: &[(&str, Op)]) -> Option<(At, Op)> {
        let at = self.at();
        let found = match self.peek() {
            Token::Sign(sign) => table.iter().find(|(other, _)| other == sign),
            Token::Name(name) => table.iter().find(|(other, _)| other == name && *other == "in"),
            _ => None,
        };
        let op = found?.1;
        self.skip();
        Some((at, op))
    }

    fn expect(&mut self, sign: &str) -> Result<(), Fault> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("{sign} is expected here"))) }
    }

    fn unexpected(&self, why: &str) -> Fault {
        let found = match self.peek() {
            Token::Name(name) => name.clone(),
            Token::Text(text) => format!("{text:?}"),
            Token::Int(number) => number.to_string(),
            Token::Double(number) => number.to_string(),
            Token::Sign(sign) => (*sign).to_owned(),
            Token::End => "the end".to_owned(),
        };
        Fault::new(self.at(), format!("{why}, and not {found}"))
    }

    fn expression(&mut self) -> Result<Expr, Fault> {
        self.open += 1;
        if self.open > MAX_DEPTH {
            return Err(too_deep(self.at()));
        }
        let condition = self.any()?;
        let at = self.at();
        let whole = if self.take("?") {
            let then = self.any()?;
            self.expect(":")?;
            let (condition, then, otherwise) = (boxed(condition), boxed(then), boxed(self.expression()?));
            node(at, Node::If { condition, then, otherwise })
        } else {
            Ok(condition)
        };
        self.open -= 1;
        whole
    }

    fn any(&mut self) -> Result<Expr, Fault> {
        self.flat("||", Self::every, Node::Any)
    }

    fn every(&mut self) -> Result<Expr, Fault> {
        self.flat("&&", |parser| parser.binary(0), Node::Every)
    }

    fn flat(
        &mut self,
        sign: &str,
        read: fn(&mut Self) -> Result<Expr, Fault>,
        make: fn(Vec<Expr>) -> Node,
    ) -> Result<Expr, Fault> {
        let mut parts = vec![read(self)?];
        let at = self.at();
        while self.take(sign) {
            parts.push(read(self)?);
        }
        match parts.len() {
            1 => Ok(parts.swap_remove(0)),
            _ => node(at, make(parts)),
        }
    }

    fn binary(&mut self, level: usize) -> Result<Expr, Fault> {
        const LEVELS: [&[(&str, Op)]; 3] = [
            &[
                ("==", Op::Equal),
                ("!=", Op::NotEqual),
                ("<", Op::Less),
                ("<=", Op::LessEqual),
                (">", Op::Greater),
                (">=", Op::GreaterEqual),
                ("in", Op::In),
            ],
            &[("+", Op::Add), ("-", Op::Subtract)],
            &[("*", Op::Multiply), ("/", Op::Divide), ("%", Op::Remainder)],
        ];
        let Some(table) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some((at, op)) = self.take_one_of(table) {
            let right = boxed(self.binary(level + 1)?);
            left = node(at, Node::Binary { op, left: boxed(left), right })?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Fault> {
        let mut signs = Vec::new();
        loop {
            let at = self.at();
            if self.take("!") {
                signs.push((at, true));
            } else if self.take("-") {
                // The smallest number of 64 bits has no positive counterpart.
                if *self.peek() == Token::Int(1 << 63) {
                    self.skip();
                    return self.signed(signs, leaf(at, Node::Int(i64::MIN)));
                }
                signs.push((at, false));
            } else {
                break;
            }
            if signs.len() > MAX_DEPTH {
                return Err(too_deep(at));
            }
        }
        let member = self.member()?;
        self.signed(signs, member)
    }

    fn signed(&mut self, signs: Vec<(At, bool)>, mut value: Expr) -> Result<Expr, Fault> {
        for (at, not) in signs.into_iter().rev() {
            let inner = boxed(value);
            value = node(at, if not { Node::Not(inner) } else { Node::Minus(inner) })?;
        }
        Ok(value)
    }

    fn member(&mut self) -> Result<Expr, Fault> {
        let mut value = self.primary()?;
        loop {
            let at = self.at();
            if self.take(".") {
                if self.take("?") {
                    return Err(Fault::new(at, "optional fields are not part of policies; ask has() first"));
                }
                let at = self.at();
                let field = self.name("the name of a field")?;
                value = match self.take("(") {
                    true => self.method(at, value, field)?,
                    false => node(at, Node::Select { of: boxed(value), field })?,
                };
            } else if self.take("[") {
                let index = boxed(self.expression()?);
                self.expect("]")?;
                value = node(at, Node::Index { of: boxed(value), index })?;
            } else if matches!(self.peek(), Token::Sign("{")) && value.path().is_some() {
                return Err(Fault::new(at, "messages are not part of policies"));
            } else {
                return Ok(value);
            }
        }
    }

    fn name(&mut self, what: &str) -> Result<String, Fault> {
        match self.peek() {
            Token::Name(name) => {
                let name = name.clone();
                self.skip();
                Ok(name)
            }
            _ => Err(self.unexpected(&format!("{what} is expected here"))),
        }
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Expr>, Fault> {
        let mut found = Vec::new();
        while !self.take(end) {
            if !found.is_empty() {
                self.expect(",")?;
                // A list may end with a comma.
                if end == "]" && self.take(end) {
                    return Ok(found);
                }
            }
            found.push(self.expression()?);
        }
        Ok(found)
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        let at = self.at();
        let value = match self.peek().clone() {
            Token::Int(number) => match i64::try_from(number) {
                Ok(number) => Node::Int(number),
                Err(_) => return Err(Fault::new(at, "this is no number of 64 bits")),
            },
            Token::Double(number) => Node::Double(number),
            Token::Text(text) => Node::Text(text),
            Token::Sign("(") => {
                self.skip();
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Sign("[") => {
                self.skip();
                return node(at, Node::List(self.arguments("]")?));
            }
            Token::Sign("{") => {
                self.skip();
                return self.map(at);
            }
            Token::Name(name) => {
                self.skip();
                return self.named(at, name);
            }
            _ => return Err(self.unexpected("a value is expected here")),
        };
        self.skip();
        Ok(leaf(at, value))
    }

    fn named(&mut self, at: At, name: String) -> Result<Expr, Fault> {
        let value = match name.as_str() {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            "null" => Node::Null,
            "in" => return Err(Fault::new(at, "a value is expected before in")),
            word if RESERVED.contains(&word) => {
                return Err(Fault::new(at, format!("{word} is a reserved word")));
            }
            _ if self.take("(") => {
                let args = self.arguments(")")?;
                return call(at, name, args);
            }
            _ => Node::Name(name),
        };
        Ok(leaf(at, value))
    }

    fn map(&mut self, at: At) -> Result<Expr, Fault> {
        let mut entries = Vec::new();
        while !self.take("}") {
            if !entries.is_empty() {
                self.expect(",")?;
                if self.take("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
        }
        node(at, Node::Map(entries))
    }

    fn method(&mut self, at: At, of: Expr, name: String) -> Result<Expr, Fault> {
        let mut args = self.arguments(")")?;
        let kind = match (name.as_str(), args.len()) {
            ("all", 2) => FoldKind::All,
            ("exists", 2) => FoldKind::Exists,
            ("exists_one" | "existsOne", 2) => FoldKind::ExistsOne,
            ("filter", 2) => FoldKind::Filter,
            ("map", 2 | 3) => FoldKind::Map,
            ("all" | "exists" | "exists_one" | "existsOne" | "filter" | "map", _) => {
                let way = format!("{name} takes a name and what is asked of it: list.{name}(it, it != '')");
                return Err(Fault::new(at, way));
            }
            ("matches", 1) => return matches(at, of, &args[0]),
            _ => return node(at, Node::Call { name, of: Some(boxed(of)), args }),
        };
        let body = args.pop();
        let filter = if args.len() == 2 { args.pop() } else { None };
        match (args.pop().map(|variable| variable.node), body) {
            (Some(Node::Name(variable)), Some(body)) => {
                node(at, Node::Fold(Box::new(Fold { kind, range: of, variable, filter, body })))
            }
            _ => Err(Fault::new(at, format!("{name} takes a plain name first: list.{name}(it, it != '')"))),
        }
    }
}

/// A function that is no method.
fn call(at: At, name: String, mut args: Vec<Expr>) -> Result<Expr, Fault> {
    match (name.as_str(), args.len()) {
        ("has", 1) => match args.swap_remove(0) {
            Expr { at, node: Node::Select { of, field }, .. } => node(at, Node::Has { of, field }),
            _ => Err(Fault::new(at, "has takes a field: has(object.spec.quota)")),
        },
        ("has", _) => Err(Fault::new(at, "has takes one field: has(object.spec.quota)")),
        ("matches", 2) => {
            let pattern = args.swap_remove(1);
            matches(at, args.swap_remove(0), &pattern)
        }
        _ => node(at, Node::Call { name, of: None, args }),
    }
}

fn matches(at: At, of: Expr, pattern: &Expr) -> Result<Expr, Fault> {
    match &pattern.node {
        Node::Text(text) => {
            let pattern = Pattern::new(pattern.at, text)?;
            node(at, Node::Matches { of: boxed(of), pattern })
        }
        _ => Err(Fault::new(pattern.at, "the pattern of matches is a text in the policy itself")),
    }
}

fn boxed(expression: Expr) -> Box<Expr> {
    Box::new(expression)
}

fn leaf(at: At, node: Node) -> Expr {
    Expr { at, node, depth: 1 }
}

/// Gives a node its depth, and refuses one that is too deep for those who walk it.
fn node(at: At, node: Node) -> Result<Expr, Fault> {
    let deepest = |parts: &[Expr]| parts.iter().map(|part| part.depth).max().unwrap_or(0);
    let inner = match &node {
        Node::Select { of, .. } | Node::Has { of, .. } | Node::Matches { of, .. } => of.depth,
        Node::Not(of) | Node::Minus(of) => of.depth,
        Node::Index { of: left, index: right } | Node::Binary { left, right, .. } => {
            left.depth.max(right.depth)
        }
        Node::If { condition, then, otherwise } => condition.depth.max(then.depth).max(otherwise.depth),
        Node::Call { of, args, .. } => deepest(args).max(of.as_ref().map_or(0, |of| of.depth)),
        Node::Every(parts) | Node::Any(parts) | Node::List(parts) => deepest(parts),
        Node::Map(entries) => {
            entries.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or(0)
        }
        Node::Fold(fold) => {
            let filter = fold.filter.as_ref().map_or(0, |filter| filter.depth);
            fold.range.depth.max(fold.body.depth).max(filter)
        }
        _ => 0,
    };
    if inner >= MAX_DEPTH {
        return Err(too_deep(at));
    }
    Ok(Expr { at, node, depth: inner + 1 })
}

fn too_deep(at: At) -> Fault {
    Fault::new(
        at,
        format!("the expression is nested more than {MAX_DEPTH} deep; split it into several policies"),
    )
}
