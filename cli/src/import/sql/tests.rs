//! Dumps in the forms that the three programs write, what is left out of them, and dumps that are not whole.

use super::*;

const WANTED: &[Wanted] = &[("people", &["name", "quota", "active", "absent"]), ("pairs", &["a"])];

fn read(text: &str) -> (Dump, Vec<String>) {
    let mut found = Found::default();
    let dump = Dump::read(&mut found, "dump.sql", text, WANTED);
    (dump, found.notes.iter().map(ToString::to_string).collect())
}

/// Line, name, quota and whether active, of each row.
fn people(dump: &Dump) -> Vec<(usize, &str, Option<&str>, bool)> {
    let rows = dump.rows("people").iter();
    rows.map(|row| (row.place.line, row.text("name"), row.get("quota"), row.flag("active", true))).collect()
}

#[test]
fn what_mysqldump_writes() {
    let text = "/*M!999999\\- enable the sandbox mode */\n-- MariaDB dump 10.19\n/*!40101 SET NAMES utf8mb4 */;\n\
        DROP TABLE IF EXISTS `people`;\nCREATE TABLE `people` (\n  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'a, (b',\n  \
        `name` varchar(255) NOT NULL DEFAULT 'x,y',\n  `quota` bigint(20) DEFAULT NULL,\n  `active` tinyint(1) DEFAULT 1,\n  \
        PRIMARY KEY (`id`),\n  KEY `name` (`name`(10))\n) ENGINE=InnoDB;\n\
        LOCK TABLES `people` WRITE;\n/*!40000 ALTER TABLE `people` DISABLE KEYS */;\n\
        INSERT INTO `people` VALUES (1,'O\\'Brien; -- \\\"x\\\"\\n',5,1),(2,'it''s',NULL,0);\n\
        INSERT IGNORE INTO `people` (`name`, `active`) VALUES\n(_binary 'c',1),\n(X'00',-1);\nINSERT INTO `other` VALUES (');');\n\
        # done\nUNLOCK TABLES;\n";
    let (dump, notes) = read(text);
    assert_eq!(
        people(&dump),
        [
            (15, "O'Brien; -- \"x\"\n", Some("5"), true),
            (15, "it's", None, false),
            (17, "c", None, true),
            (18, "00", None, true),
        ]
    );
    assert!(notes.is_empty(), "{notes:?}");
    assert!(
        dump.has("people") && !dump.has("pairs") && dump.has("other") == dump.columns.contains_key("other")
    );
    assert_eq!(dump.rows("people")[0].get("absent"), None);
}

#[test]
fn what_pg_dump_writes() {
    let text = "--\n-- PostgreSQL database dump\n\\restrict x\nSET standard_conforming_strings = on;\n\
        CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $_$\nBEGIN; INSERT INTO people VALUES ('no'); END;\n$_$;\n\
        CREATE TABLE public.people (\n    name character varying(255) DEFAULT ''::character varying NOT NULL,\n    \
        \"quota\" bigint,\n    active smallint DEFAULT 1,\n    CONSTRAINT c CHECK ((quota > 0))\n);\n\
        COPY public.people (name, quota, active) FROM stdin;\nalice\\ttab\t5\t1\nbob's \\\\\t\\N\t0\n\\.\n\n\
        COPY public.other (x) FROM stdin;\nINSERT INTO people VALUES ('no');\n\\.\n\
        INSERT INTO public.people VALUES ('back\\slash', 7, true);\n\
        INSERT INTO public.people (active, name) VALUES (false, E'tab\\t') ON CONFLICT DO NOTHING;\n\
        ALTER TABLE ONLY public.people ADD CONSTRAINT p PRIMARY KEY (name);\n\\unrestrict x\n";
    let (dump, notes) = read(text);
    assert_eq!(
        people(&dump),
        [
            (15, "alice\ttab", Some("5"), true),
            (16, "bob's \\", None, false),
            (22, "back\\slash", Some("7"), true),
            (23, "tab\t", None, false),
        ]
    );
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn what_is_not_whole_is_told() {
    let table = "CREATE TABLE people (name text, quota int);\n";
    for (text, told) in [
        (
            format!("{table}INSERT INTO people VALUES ('alice', 1), ('bob"),
            "dump.sql:2: the dump ends in the middle",
        ),
        (format!("{table}INSERT INTO people VALUES ('alice', 1)"), "dump.sql:2: the dump ends in the middle"),
        ("COPY people (name) FROM stdin;\nalice\n".to_owned(), "dump.sql:1: the dump ends in the middle"),
        ("CREATE TABLE people (name".to_owned(), "dump.sql:1: the dump ends in the middle"),
        (format!("{table}/* never"), ""),
        (
            format!("{table}INSERT INTO people VALUES ('alice');\n"),
            "dump.sql:2: a row of people has 1 values for 2 columns",
        ),
        (
            "INSERT INTO people VALUES ('alice', 1);\n".to_owned(),
            "dump.sql:1: the rows of people come without the names",
        ),
        (format!("{table}INSERT INTO people SELECT 1;\n"), "dump.sql:2: the rows of people come without"),
    ] {
        let (_, notes) = read(&text);
        assert_eq!(notes.len(), usize::from(!told.is_empty()), "{text}: {notes:?}");
        assert!(notes.concat().starts_with(told), "{text}: {notes:?}");
    }
}

#[test]
fn nothing_makes_it_loop_or_fail() {
    let pieces = [
        "(",
        ")",
        "'",
        "`",
        "$",
        "--",
        "/*",
        "COPY people (",
        "INSERT INTO people VALUES (",
        ",",
        ";",
        "\\",
        "\n",
        "é",
    ];
    for first in pieces {
        for second in pieces {
            for third in pieces {
                let text = format!("{first}{second}{third}");
                let rows = read(&text).0.rows("people").len();
                assert_eq!(rows, 0, "{text}");
            }
        }
    }
}
