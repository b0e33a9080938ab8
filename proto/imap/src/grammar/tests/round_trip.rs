//! There and back: a command written as a client would write it is read as the same command.

use super::*;
use crate::message::SectionText;
use crate::response::Out;
use crate::search::{AddressField, DateOrder, Needle, SearchKey};
use crate::sequence::Bound;
use crate::sort::{Criterion, SortBy};
use crate::thread::Algorithm;
use crate::{date, flags};
use proptest::collection::vec;

fn name() -> impl Strategy<Value = MailboxName> {
    "[a-zäλ&\" ]{1,8}(/[A-Z0-9]{1,3}){0,2}".prop_map(|name| MailboxName::new(&name).unwrap())
}

fn set() -> impl Strategy<Value = SequenceSet> {
    let bound = prop_oneof![3 => (1u32..).prop_map(Bound::Number), 1 => Just(Bound::Largest)];
    vec((bound.clone(), bound), 1..5).prop_map(SequenceSet::new)
}

fn keyword() -> impl Strategy<Value = Keyword> {
    "[$a-zA-Z0-9._-]{1,10}".prop_map(|name| Keyword::new(&name).unwrap())
}

fn flag_list() -> impl Strategy<Value = FlagList> {
    (0..=flags::SYSTEM, vec(keyword(), 0..3)).prop_map(|(system, all)| {
        let mut keywords: Vec<Keyword> = Vec::new();
        for keyword in all {
            if !keywords.contains(&keyword) {
                keywords.push(keyword);
            }
        }
        FlagList { system, keywords }
    })
}

fn section() -> impl Strategy<Value = Section> {
    let fields = || vec("[A-Za-z -]{1,8}".prop_map(String::into_bytes), 1..4);
    let text = prop_oneof![
        Just(None),
        Just(Some(SectionText::Header)),
        Just(Some(SectionText::Text)),
        Just(Some(SectionText::Mime)),
        fields().prop_map(|list| Some(SectionText::Fields(list))),
        fields().prop_map(|list| Some(SectionText::FieldsNot(list))),
    ];
    (vec(1u32.., 0..4), text).prop_map(|(part, text)| match (part.is_empty(), text) {
        (true, Some(SectionText::Mime)) => Section { part, text: None },
        (_, text) => Section { part, text },
    })
}

fn item() -> impl Strategy<Value = FetchItem> {
    use FetchItem::{Body, BodyStructure, Envelope, Flags, InternalDate, Modseq, Size, Uid};
    let partial = proptest::option::of((any::<u32>(), 1u32..));
    let plain = [Envelope, Flags, InternalDate, Modseq, Size, Uid, Body, BodyStructure];
    let message = [FetchItem::Message, FetchItem::MessageHeader, FetchItem::MessageText];
    prop_oneof![
        proptest::sample::select(plain.to_vec()),
        proptest::sample::select(message.to_vec()),
        (section(), any::<bool>(), partial).prop_map(|(section, peek, partial)| FetchItem::Section {
            section,
            peek,
            partial
        }),
    ]
}

fn key() -> impl Strategy<Value = SearchKey> {
    let text = || "[a-zäß \"\\\\]{0,8}".prop_map(|text| Needle::new(&text));
    let address = proptest::sample::select(vec![
        AddressField::Bcc,
        AddressField::Cc,
        AddressField::From,
        AddressField::To,
    ]);
    let order = proptest::sample::select(vec![DateOrder::Before, DateOrder::On, DateOrder::Since]);
    let flag = proptest::sample::select(vec![
        flags::SEEN,
        flags::ANSWERED,
        flags::DELETED,
        flags::FLAGGED,
        flags::DRAFT,
    ]);
    let leaf = prop_oneof![
        Just(SearchKey::All),
        (flag, any::<bool>()).prop_map(|(mask, set)| SearchKey::Flags { mask, set }),
        (keyword(), any::<bool>())
            .prop_map(|(k, set)| SearchKey::Keyword { name: k.as_str().to_owned(), set }),
        set().prop_map(SearchKey::Sequence),
        set().prop_map(SearchKey::Uid),
        (any::<bool>(), order, -10_000i64..40_000).prop_map(|(sent, order, day)| SearchKey::Date {
            sent,
            order,
            day
        }),
        any::<(bool, u32)>().prop_map(|(larger, size)| SearchKey::Size { larger, size }),
        (any::<bool>(), 1u32..).prop_map(|(older, seconds)| SearchKey::Within { older, seconds, now: 0 }),
        modseq().prop_map(SearchKey::Modseq),
        Just(SearchKey::Sequence(SequenceSet::saved())),
        (address, text()).prop_map(|(field, needle)| SearchKey::Address(field, needle)),
        text().prop_map(SearchKey::Subject),
        ("[A-Za-z-]{1,8}", text())
            .prop_map(|(name, text)| SearchKey::Header { name: name.into_bytes(), text }),
        text().prop_map(SearchKey::Body),
        text().prop_map(SearchKey::Text),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| SearchKey::Not(Box::new(key))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| SearchKey::Or(Box::new(a), Box::new(b))),
            vec(inner, 2..4).prop_map(SearchKey::And),
        ]
    })
}

fn modseq() -> impl Strategy<Value = u64> {
    0..=i64::MAX as u64
}

fn returns() -> impl Strategy<Value = Option<Returns>> {
    let returns = any::<(bool, bool, bool, bool, bool)>().prop_map(|(min, max, all, count, save)| Returns {
        min,
        max,
        all,
        count,
        save,
    });
    proptest::option::of(returns.prop_filter("RETURN () means ALL", |returns| *returns != Returns::default()))
}

fn criterion() -> impl Strategy<Value = Criterion> {
    use SortBy::{Arrival, Cc, Date, DisplayFrom, DisplayTo, From, Size, Subject, To};
    let by = vec![Arrival, Cc, Date, DisplayFrom, DisplayTo, From, Size, Subject, To];
    (proptest::sample::select(by), any::<bool>()).prop_map(|(by, reverse)| Criterion { by, reverse })
}

fn parameters() -> impl Strategy<Value = SelectParameters> {
    let known = || vec((1u32.., 1u32..), 1..4).prop_map(|ranges| SequenceSet::of(&ranges));
    let sequence_match = proptest::option::of((known(), known()));
    let qresync = (1u32.., modseq(), proptest::option::of(known()), sequence_match).prop_map(
        |(uid_validity, modseq, known_uids, sequence_match)| Qresync {
            uid_validity,
            modseq,
            known_uids,
            sequence_match,
        },
    );
    (any::<bool>(), proptest::option::of(qresync))
        .prop_map(|(condstore, qresync)| SelectParameters { condstore, qresync })
}

fn command() -> impl Strategy<Value = Command> {
    let operation =
        proptest::sample::select(vec![StoreOperation::Replace, StoreOperation::Add, StoreOperation::Remove]);
    prop_oneof![
        (name(), any::<bool>(), parameters()).prop_map(|(name, read_only, parameters)| Command::Select {
            name,
            read_only,
            parameters
        }),
        (any::<bool>(), returns(), vec(criterion(), 1..4), key()).prop_map(
            |(uid, returns, criteria, key)| {
                Command::Sort { uid, sort: SortCommand { returns, criteria, key } }
            }
        ),
        (any::<(bool, bool)>(), key()).prop_map(|((uid, references), key)| {
            let algorithm = if references { Algorithm::References } else { Algorithm::OrderedSubject };
            Command::Thread { uid, thread: ThreadCommand { algorithm, key } }
        }),
        (name(), vec("[A-Z]{1,5}", 0..3)).prop_map(|(name, uses)| Command::Create { name, uses }),
        name().prop_map(Command::Delete),
        (name(), name()).prop_map(|(from, to)| Command::Rename { from, to }),
        name().prop_map(Command::Subscribe),
        name().prop_map(Command::Unsubscribe),
        ("[ -~ä]{0,12}", vec(1u8.., 0..12)).prop_map(|(user, password)| Command::Login {
            user: Some(user),
            password: Password::new(password),
        }),
        (any::<bool>(), set(), vec(item(), 1..4), proptest::option::of((modseq(), any::<bool>()))).prop_map(
            |(uid, set, items, since)| {
                let (changed_since, vanished) = since.map_or((None, false), |(m, v)| (Some(m), v));
                Command::Fetch { uid, set, items, changed_since, vanished }
            }
        ),
        (any::<(bool, bool)>(), set(), operation, flag_list(), proptest::option::of(modseq())).prop_map(
            |((uid, silent), set, operation, flags, unchanged_since)| Command::Store {
                uid,
                set,
                operation,
                silent,
                flags,
                unchanged_since
            }
        ),
        (any::<bool>(), set(), name(), any::<bool>()).prop_map(|(uid, set, target, remove)| Command::Copy {
            uid,
            set,
            target,
            remove
        }),
        (any::<bool>(), returns(), key())
            .prop_map(|(uid, returns, key)| Command::Search { uid, search: SearchCommand { returns, key } }),
        proptest::option::of(set()).prop_map(Command::Expunge),
    ]
}

/// Writes what [`parse`] reads.
fn write(out: &mut Out, command: &Command) {
    let uid = |uid: &bool| if *uid { "UID " } else { "" };
    let mailbox = |out: &mut Out, verb: &str, name: &MailboxName| {
        out.put(verb).put(' ').astring(name.to_wire().as_bytes());
    };
    match command {
        Command::Select { name, read_only, parameters } => {
            mailbox(out, if *read_only { "EXAMINE" } else { "SELECT" }, name);
            write_parameters(out, parameters);
        }
        Command::Sort { uid: by_uid, sort } => {
            out.put(uid(by_uid)).put("SORT");
            write_returns(out, sort.returns);
            out.put(' ').list(&sort.criteria, |out, criterion| {
                let word = format!("{:?}", criterion.by).to_ascii_uppercase();
                out.put(if criterion.reverse { "REVERSE " } else { "" }).put(word);
            });
            out.put(" UTF-8 ");
            write_key(out, &sort.key);
        }
        Command::Thread { uid: by_uid, thread } => {
            let word = format!("{:?}", thread.algorithm).to_ascii_uppercase();
            out.put(uid(by_uid)).put("THREAD ").put(word).put(" utf-8 ");
            write_key(out, &thread.key);
        }
        Command::Create { name, uses } => {
            mailbox(out, "CREATE", name);
            if !uses.is_empty() {
                out.put(" (USE (\\").put(uses.join(" \\")).put("))");
            }
        }
        Command::Delete(name) => mailbox(out, "DELETE", name),
        Command::Subscribe(name) => mailbox(out, "SUBSCRIBE", name),
        Command::Unsubscribe(name) => mailbox(out, "UNSUBSCRIBE", name),
        Command::Rename { from, to } => {
            mailbox(out, "RENAME", from);
            mailbox(out, "", to);
        }
        Command::Login { user, password } => {
            out.put("LOGIN ").astring(user.as_ref().unwrap().as_bytes()).put(' ').string(password.as_bytes());
        }
        Command::Fetch { uid: by_uid, set, items, changed_since, vanished } => {
            out.put(uid(by_uid)).put("FETCH ").put(show_set(set)).put(' ');
            out.list(items, write_item);
            if let Some(since) = changed_since {
                let vanished = if *vanished { " VANISHED" } else { "" };
                out.put(format_args!(" (CHANGEDSINCE {since}{vanished})"));
            }
        }
        Command::Store { uid: by_uid, set, operation, silent, flags, unchanged_since } => {
            let sign = match operation {
                StoreOperation::Replace => "",
                StoreOperation::Add => "+",
                StoreOperation::Remove => "-",
            };
            let silent = if *silent { ".SILENT" } else { "" };
            out.put(uid(by_uid)).put(format_args!("STORE {} ", show_set(set)));
            if let Some(since) = unchanged_since {
                out.put(format_args!("(UNCHANGEDSINCE {since}) "));
            }
            out.put(format_args!("{sign}FLAGS{silent} "));
            let keywords = flags.keywords.iter().map(Keyword::as_str);
            let names: Vec<&str> = flags::names(flags.system, &[]).chain(keywords).collect();
            out.put(format_args!("({})", names.join(" ")));
        }
        Command::Copy { uid: by_uid, set, target, remove } => {
            let verb = if *remove { "MOVE" } else { "COPY" };
            mailbox(out, &format!("{}{verb} {}", uid(by_uid), show_set(set)), target);
        }
        Command::Search { uid: by_uid, search } => {
            out.put(uid(by_uid)).put("SEARCH");
            write_returns(out, search.returns);
            out.put(' ');
            write_key(out, &search.key);
        }
        Command::Expunge(Some(set)) => {
            out.put("UID EXPUNGE ").put(show_set(set));
        }
        Command::Expunge(None) => {
            out.put("EXPUNGE");
        }
        other => panic!("{other:?} is not generated"),
    }
}

fn write_returns(out: &mut Out, returns: Option<Returns>) {
    let Some(returns) = returns else { return };
    let words = [
        (returns.min, "MIN"),
        (returns.max, "MAX"),
        (returns.all, "ALL"),
        (returns.count, "COUNT"),
        (returns.save, "SAVE"),
    ];
    let words: Vec<&str> = words.into_iter().filter(|(set, _)| *set).map(|(_, word)| word).collect();
    out.put(" RETURN (").put(words.join(" ")).put(')');
}

fn write_parameters(out: &mut Out, parameters: &SelectParameters) {
    let mut words = Vec::new();
    if parameters.condstore {
        words.push("CONDSTORE".to_owned());
    }
    if let Some(qresync) = &parameters.qresync {
        let known = qresync.known_uids.as_ref().map(|set| format!(" {}", show_set(set))).unwrap_or_default();
        let pairs = qresync.sequence_match.as_ref();
        let pairs = pairs.map(|(n, u)| format!(" ({} {})", show_set(n), show_set(u))).unwrap_or_default();
        words.push(format!("QRESYNC ({} {}{known}{pairs})", qresync.uid_validity, qresync.modseq));
    }
    if !words.is_empty() {
        out.put(" (").put(words.join(" ")).put(')');
    }
}

fn show_set(set: &SequenceSet) -> String {
    if set.is_saved() {
        return "$".to_owned();
    }
    let bound = |bound: &Bound| match bound {
        Bound::Number(number) => number.to_string(),
        Bound::Largest => "*".to_owned(),
    };
    let ranges = set.as_written().iter().map(|(low, high)| match low == high {
        true => bound(low),
        false => format!("{}:{}", bound(low), bound(high)),
    });
    ranges.collect::<Vec<_>>().join(",")
}

fn write_item(out: &mut Out, item: &FetchItem) {
    let FetchItem::Section { section, peek, partial } = item else {
        out.put(match item {
            FetchItem::Envelope => "ENVELOPE",
            FetchItem::Flags => "FLAGS",
            FetchItem::InternalDate => "INTERNALDATE",
            FetchItem::Size => "RFC822.SIZE",
            FetchItem::Modseq => "MODSEQ",
            FetchItem::Uid => "uid",
            FetchItem::Body => "Body",
            FetchItem::BodyStructure => "BODYSTRUCTURE",
            FetchItem::Message => "RFC822",
            FetchItem::MessageHeader => "RFC822.HEADER",
            _ => "RFC822.TEXT",
        });
        return;
    };
    out.put(if *peek { "BODY.PEEK[" } else { "BODY[" });
    out.put(section.part.iter().map(u32::to_string).collect::<Vec<_>>().join("."));
    if let Some(text) = &section.text {
        out.put(if section.part.is_empty() { "" } else { "." });
        let (word, list) = match text {
            SectionText::Header => ("HEADER", None),
            SectionText::Text => ("TEXT", None),
            SectionText::Mime => ("MIME", None),
            SectionText::Fields(list) => ("HEADER.FIELDS ", Some(list)),
            SectionText::FieldsNot(list) => ("HEADER.FIELDS.NOT ", Some(list)),
        };
        out.put(word);
        if let Some(list) = list {
            out.list(list, |out, field| {
                out.astring(field);
            });
        }
    }
    out.put(']');
    if let Some((first, length)) = partial {
        out.put(format_args!("<{first}.{length}>"));
    }
}

fn write_key(out: &mut Out, key: &SearchKey) {
    let text = |out: &mut Out, word: &str, needle: &Needle| {
        out.put(word).put(' ').string(needle.as_str().as_bytes());
    };
    match key {
        SearchKey::All => {
            out.put("ALL");
        }
        SearchKey::Flags { mask, set } => {
            let name = flags::names(*mask, &[]).next().unwrap()[1..].to_ascii_uppercase();
            out.put(if *set { "" } else { "UN" }).put(name);
        }
        SearchKey::Keyword { name, set } => {
            out.put(if *set { "KEYWORD " } else { "UNKEYWORD " }).put(name);
        }
        SearchKey::Sequence(set) => {
            out.put(show_set(set));
        }
        SearchKey::Uid(set) => {
            out.put("UID ").put(show_set(set));
        }
        SearchKey::Date { sent, order, day } => {
            let date = date::format_date_time(day * 86_400);
            out.put(if *sent { "SENT" } else { "" }).put(match order {
                DateOrder::Before => "BEFORE ",
                DateOrder::On => "ON ",
                DateOrder::Since => "SINCE ",
            });
            out.put(date[..11].trim_start());
        }
        SearchKey::Size { larger, size } => {
            out.put(if *larger { "LARGER " } else { "SMALLER " }).put(size);
        }
        SearchKey::Within { older, seconds, .. } => {
            out.put(if *older { "OLDER " } else { "YOUNGER " }).put(seconds);
        }
        SearchKey::SaveDate { .. } | SearchKey::EmailId(_) | SearchKey::ThreadId(_) => {
            unreachable!("not made here")
        }
        SearchKey::Modseq(modseq) => {
            out.put("MODSEQ ").put(modseq);
        }
        SearchKey::Address(field, needle) => {
            let word = match field {
                AddressField::Bcc => "BCC",
                AddressField::Cc => "CC",
                AddressField::From => "FROM",
                AddressField::To => "TO",
            };
            text(out, word, needle);
        }
        SearchKey::Subject(needle) => text(out, "SUBJECT", needle),
        SearchKey::Body(needle) => text(out, "BODY", needle),
        SearchKey::Text(needle) => text(out, "TEXT", needle),
        SearchKey::Header { name, text: needle } => {
            out.put("HEADER ").astring(name);
            text(out, "", needle);
        }
        SearchKey::Not(key) => {
            out.put("NOT ");
            write_key(out, key);
        }
        SearchKey::Or(a, b) => {
            out.put("OR ");
            write_key(out, a);
            out.put(' ');
            write_key(out, b);
        }
        SearchKey::And(keys) => {
            out.list(keys, write_key);
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(command in command(), tag in "[A-Za-z0-9.]{1,6}") {
        let mut out = Out::default();
        out.put(&tag).put(' ');
        write(&mut out, &command);
        let input = out.take();
        let parsed = parse(&input, false);
        prop_assert_eq!(parsed.tag, Some(tag));
        prop_assert_eq!(parsed.command, Ok(command), "{}", String::from_utf8_lossy(&input));
    }
}
