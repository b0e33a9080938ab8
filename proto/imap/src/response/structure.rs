//! BODY and BODYSTRUCTURE as FETCH writes them (RFC 3501 §7.4.2, §9 `body`).

use super::{Out, envelope};
use crate::message::mime::Parameters;
use crate::message::{Content, Mime, Part};

/// `body`; `extended` is BODYSTRUCTURE.
pub fn write(out: &mut Out, part: &Part, extended: bool) {
    out.put('(');
    match &part.content {
        Content::Multipart(parts) => {
            for part in parts {
                write(out, part, extended);
            }
            out.put(' ').string(&part.mime.subtype.to_ascii_uppercase());
            if extended {
                out.put(' ');
                parameters(out, &part.mime.parameters);
                extension(out, &part.mime);
            }
        }
        Content::Message(inner_envelope, inner) => {
            fields(out, part);
            out.put(' ');
            envelope::write(out, inner_envelope);
            out.put(' ');
            write(out, inner, extended);
            out.put(' ').put(part.lines);
            single_extension(out, &part.mime, extended);
        }
        Content::Leaf => {
            fields(out, part);
            if part.mime.media_type == b"text" {
                out.put(' ').put(part.lines);
            }
            single_extension(out, &part.mime, extended);
        }
    }
    out.put(')');
}

/// Type, subtype and `body-fields`.
fn fields(out: &mut Out, part: &Part) {
    let mime = &part.mime;
    out.string(&mime.media_type.to_ascii_uppercase())
        .put(' ')
        .string(&mime.subtype.to_ascii_uppercase())
        .put(' ');
    parameters(out, &mime.parameters);
    out.put(' ').nstring(mime.id.as_deref()).put(' ').nstring(mime.description.as_deref());
    let encoding = mime.encoding.as_deref().filter(|e| !e.is_empty()).unwrap_or(b"7bit");
    out.put(' ').string(&encoding.to_ascii_uppercase()).put(' ').put(part.body.len());
}

/// `body-ext-1part`
fn single_extension(out: &mut Out, mime: &Mime, extended: bool) {
    if extended {
        out.put(' ').nstring(mime.md5.as_deref());
        extension(out, mime);
    }
}

/// Disposition, language, location: the end of `body-ext-1part` and of `body-ext-mpart`.
fn extension(out: &mut Out, mime: &Mime) {
    out.put(' ');
    match &mime.disposition {
        Some((kind, values)) => {
            out.put('(').string(&kind.to_ascii_uppercase()).put(' ');
            parameters(out, values);
            out.put(')');
        }
        None => {
            out.put("NIL");
        }
    }
    out.put(' ');
    match mime.language.as_slice() {
        [] => out.put("NIL"),
        tags => out.list(tags, |out, tag| {
            out.string(tag);
        }),
    };
    out.put(' ').nstring(mime.location.as_deref());
}

/// `body-fld-param`
fn parameters(out: &mut Out, parameters: &Parameters) {
    if parameters.is_empty() {
        out.put("NIL");
        return;
    }
    let flat = parameters.iter().flat_map(|(name, value)| [name.to_ascii_uppercase(), value.clone()]);
    out.list(flat, |out, text| {
        out.string(&text);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::index;
    use crate::response::tests::written;

    fn check(raw: &str, body: &str, structure: &str) {
        let index = index(raw.as_bytes());
        assert_eq!(written(|out| write(out, &index.root, false)), body);
        assert_eq!(written(|out| write(out, &index.root, true)), structure);
    }

    #[test]
    fn plain_text() {
        check(
            "Subject: x\r\n\r\none\r\ntwo\r\n",
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 10 2)",
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 10 2 NIL NIL NIL NIL)",
        );
        check(
            "Content-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\nContent-MD5: abc=\r\nContent-ID: <1>\r\n\
             Content-Description: a \"gif\"\r\nContent-Language: de, en\r\nContent-Location: x.gif\r\n\
             Content-Disposition: attachment; filename=x.gif\r\n\r\nAAAA",
            "(\"IMAGE\" \"GIF\" NIL \"<1>\" \"a \\\"gif\\\"\" \"BASE64\" 4)",
            "(\"IMAGE\" \"GIF\" NIL \"<1>\" \"a \\\"gif\\\"\" \"BASE64\" 4 \"abc=\" (\"ATTACHMENT\" (\"FILENAME\" \"x.gif\")) \
             (\"de\" \"en\") \"x.gif\")",
        );
    }

    /// The shape of RFC 3501 §7.4.2's two-part example.
    #[test]
    fn multipart() {
        check(
            "Content-Type: multipart/mixed; boundary=b\r\nContent-Disposition: inline\r\nContent-Language: en\r\n\r\n\
             --b\r\nContent-Type: text/plain; charset=US-ASCII\r\n\r\nhello\r\n\r\n\
             --b\r\nContent-Type: text/plain; charset=US-ASCII; name=cc.diff\r\nContent-ID: <960723163407.20117h@cac>\r\n\
             Content-Description: Compiler diff\r\nContent-Transfer-Encoding: BASE64\r\n\r\nAAAA\r\nBBBB\r\n--b--\r\n",
            "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 7 1)\
             (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") \"<960723163407.20117h@cac>\" \"Compiler diff\" \
             \"BASE64\" 10 1) \"MIXED\")",
            "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 7 1 NIL NIL NIL NIL)\
             (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") \"<960723163407.20117h@cac>\" \"Compiler diff\" \
             \"BASE64\" 10 1 NIL NIL NIL NIL) \"MIXED\" (\"BOUNDARY\" \"b\") (\"INLINE\" NIL) (\"en\") NIL)",
        );
    }

    #[test]
    fn attached_message() {
        let nil = "NIL NIL NIL NIL NIL NIL";
        check(
            "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n",
            &format!(
                "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 18 (NIL \"in\" {nil} NIL NIL) \
                 (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 3 1) 3)"
            ),
            &format!(
                "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 18 (NIL \"in\" {nil} NIL NIL) \
                 (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)"
            ),
        );
    }
}
