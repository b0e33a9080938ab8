// imapflow against the server: COMPRESS, LIST with STATUS, envelopes, OBJECTID, CONDSTORE, QRESYNC, QUOTA, IDLE.
"use strict";

const { ImapFlow } = require("imapflow");
const { ALICE, PASSWORD, arguments: read, check, next, run, same, tls } = require("./common.cjs");

const args = read();

/** A session, and every line that it and the server said. */
async function connect(options) {
    const said = [];
    const listen = (entry) => entry.msg && said.push(String(entry.msg));
    const logger = { trace() {}, debug: listen, info: listen, warn: listen, error: listen };
    const client = new ImapFlow({
        host: "localhost",
        port: Number(args.imaps),
        secure: true,
        auth: { user: ALICE, pass: PASSWORD },
        tls: tls(args),
        logger,
        ...options,
    });
    client.on("error", (error) => {
        throw error;
    });
    await client.connect();
    return { client, said };
}

const text = (subject, more, body) =>
    Buffer.from(
        `From: Carol <carol@example.org>\r\nTo: Alice <alice@example.test>\r\nSubject: ${subject}\r\n` +
            `Date: Thu, 1 Jan 2026 10:00:00 +0000\r\nMessage-ID: <${subject}@example.org>\r\n${more}\r\n${body}`,
    );
const PEAR = text("pear", "", "A pear.\r\n");
const MIXED = text(
    "mixed",
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n',
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n" +
        '--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="a.bin"\r\n' +
        "Content-Transfer-Encoding: base64\r\n\r\nAAECAwQF\r\n--b--\r\n",
);

async function compression() {
    const { client, said } = await connect({});
    check(client._inflate && client._deflate, "COMPRESS=DEFLATE was negotiated");
    check(said.some((line) => / COMPRESS DEFLATE$/.test(line)), "by the command");
    const { client: plain } = await connect({ disableCompression: true, port: Number(args.imap), secure: false, doSTARTTLS: true });
    check(plain.secureConnection && plain.authenticated, "STARTTLS");
    check(!plain._inflate, "and is a choice");
    const big = text("big", "", "The same line again.\r\n".repeat(20_000));
    for (const session of [plain, client]) {
        await session.append("INBOX", big);
    }
    await plain.mailboxOpen("INBOX");
    for (const session of [client, plain]) {
        await session.mailboxOpen("INBOX");
        const { source } = await session.fetchOne("*", { source: true });
        check(source.equals(big), "a large message comes back as it was");
    }
    await client.messageDelete("1:*");
    await plain.logout();
    return client;
}

async function mailboxes(client) {
    await client.mailboxCreate(["tour", "sub"]);
    await client.mailboxSubscribe("tour/sub");
    await client.append("tour/sub", PEAR, ["\\Seen"]);
    const list = await client.list({ statusQuery: { messages: true, unseen: true, uidNext: true, highestModseq: true } });
    const by = new Map(list.map((entry) => [entry.path, entry]));
    same([...by].filter(([, box]) => box.specialUse).map(([path, box]) => [path, box.specialUse]), [
        ["INBOX", "\\Inbox"],
        ["Sent", "\\Sent"],
        ["Drafts", "\\Drafts"],
        ["Archive", "\\Archive"],
        ["Junk", "\\Junk"],
        ["Trash", "\\Trash"],
    ], "special uses");
    const { messages, unseen, uidNext } = by.get("tour/sub").status;
    same([messages, unseen, uidNext], [1, 0, 2], "LIST brings the STATUS along");
    check(by.get("tour/sub").subscribed && by.get("INBOX").status.messages === 0, "and who is subscribed");
    await client.mailboxRename("tour/sub", "tour/renamed");
    check((await client.status("tour/renamed", { messages: true })).messages === 1, "renamed with its message");
    await client.mailboxDelete("tour/renamed");
    const quota = await client.getQuota("INBOX");
    check(quota.storage.limit === 2 ** 30 && quota.storage.usage >= 0, "QUOTA");
}

async function messages(client) {
    const first = await client.append("tour", PEAR, ["\\Flagged"], new Date("2026-01-01T12:00:00Z"));
    const second = await client.append("tour", MIXED);
    same([first.uid, second.uid], [1, 2], "APPENDUID");
    const box = await client.mailboxOpen("tour");
    check(box.exists === 2 && typeof box.highestModseq === "bigint" && box.mailboxId, "SELECT");
    const query = { envelope: true, bodyStructure: true, source: true, flags: true, internalDate: true, size: true, threadId: true };
    const [pear, mixed] = await client.fetchAll("1:*", query);
    same([pear.envelope.subject, pear.envelope.from[0].address, pear.envelope.messageId], ["pear", "carol@example.org", "<pear@example.org>"], "ENVELOPE");
    check(pear.source.equals(PEAR) && mixed.source.equals(MIXED), "sources come back as they were");
    check(pear.size === PEAR.length && pear.flags.has("\\Flagged"), "size and flags");
    check(pear.internalDate.toISOString() === "2026-01-01T12:00:00.000Z", "INTERNALDATE");
    same([mixed.bodyStructure.type, ...mixed.bodyStructure.childNodes.map((part) => [part.part, part.type])], ["multipart/mixed", ["1", "text/plain"], ["2", "application/octet-stream"]], "BODYSTRUCTURE");
    check(pear.emailId && pear.threadId && pear.emailId !== mixed.emailId, "EMAILID and THREADID");
    const { content } = await client.download("2", "1");
    let body = "";
    for await (const part of content) {
        body += part;
    }
    same(body.trim(), "Grüße", "download decodes a part");
    const again = await client.append("Archive", PEAR);
    await client.mailboxOpen("Archive");
    check((await client.fetchOne(again.uid, { uid: true }, { uid: true })).emailId !== undefined, "EMAILID in another mailbox");
    await client.mailboxOpen("tour");
    same(await client.search({ subject: "pear" }, { uid: true }), [1], "SEARCH SUBJECT");
    same(await client.search({ emailId: mixed.emailId }, { uid: true }), [2], "SEARCH EMAILID");
    same(await client.search({ or: [{ flagged: true }, { body: "nothing" }], since: new Date("2025-12-31") }), [1], "SEARCH OR");
}

/** Names and headers beyond ASCII, in UTF-8 (RFC 6855), which imapflow enables, and in modified UTF-7. */
async function beyond(client) {
    check(client.enabled.has("UTF8=ACCEPT"), "UTF8=ACCEPT is enabled");
    const { client: seven } = await connect({ port: Number(args.imap), secure: false, disableCompression: true, disableIMAP4rev2: true });
    const path = "Entwürfe & mehr/日本 ~peter";
    check((await client.mailboxCreate(path)).created, "a name in UTF-8 is made");
    check((await client.list()).some((entry) => entry.path === path), "and listed");
    const raw = Buffer.from("From: Jürgen <jürgen@example.org>\r\nSubject: Grüße aus Köln\r\n\r\nSchöne Grüße, 日本\r\n");
    await client.append(path, raw);
    check((await client.status(path, { messages: true })).messages === 1, "STATUS finds it");
    await client.mailboxOpen(path);
    same(await client.search({ subject: "grüße" }, { uid: true }), [1], "SEARCH SUBJECT beyond ASCII");
    same(await client.search({ body: "日本" }, { uid: true }), [1], "SEARCH BODY beyond ASCII");
    const { source, envelope, bodyParts, headers } = await client.fetchOne("1", { source: true, envelope: true, bodyParts: ["text", "1"], headers: ["subject"] });
    check(source.equals(raw) && envelope.subject === "Grüße aus Köln", "its source and envelope");
    check(bodyParts.get("1").equals(bodyParts.get("text")) && headers.toString().startsWith("Subject: Gr"), "its parts and header");
    await seven.mailboxOpen(path);
    check(seven.mailbox.exists === 1, "another session finds it");
    await client.mailboxClose();
    await client.mailboxRename(path, "Entwürfe & mehr/übrig");
    check((await seven.list()).some((entry) => entry.path === "Entwürfe & mehr/übrig"), "renamed");
    await seven.mailboxClose();
    await client.mailboxDelete("Entwürfe & mehr/übrig");
    await client.mailboxOpen("tour", { readOnly: true });
    const { bodyParts: decoded } = await client.fetchOne("2", { bodyParts: ["2"] }, { uid: true, binary: true });
    same([...decoded.get("2")], [0, 1, 2, 3, 4, 5], "BINARY decodes a part");
    check(!(await client.fetchOne("2", { flags: true }, { uid: true })).flags.has("\\Seen"), "EXAMINE leaves \\Seen alone");
    await client.mailboxOpen("tour");
    await seven.logout();
}

async function changes(client) {
    const before = client.mailbox.highestModseq;
    await client.messageFlagsAdd("2", ["\\Seen", "$Label1"], { uid: true });
    const changed = await client.fetchAll("1:*", { flags: true }, { changedSince: before });
    same(changed.map((message) => [message.uid, [...message.flags].sort()]), [[2, ["$Label1", "\\Seen"]]], "CHANGEDSINCE");
    check(changed[0].modseq > before, "and its MODSEQ");
    await client.messageFlagsRemove("2", ["$Label1"], { uid: true });
    await client.messageFlagsSet("1", ["\\Answered"], { uid: true });
    const { flags } = await client.fetchOne("1", { flags: true }, { uid: true });
    same([...flags], ["\\Answered"], "STORE FLAGS");
    const copied = await client.messageCopy("2", "Trash", { uid: true });
    same([...copied.uidMap], [[2, 1]], "COPYUID");
    const id = (await client.fetchOne("2", { uid: true }, { uid: true })).emailId;
    const moved = await client.messageMove("2", "Junk", { uid: true });
    same([moved.destination, [...moved.uidMap]], ["Junk", [[2, 1]]], "MOVE");
    for (const path of ["Trash", "Junk"]) {
        await client.mailboxOpen(path);
        check((await client.fetchOne("1", { uid: true })).emailId === id, `EMAILID stays in ${path}`);
    }
}

async function resynchronising(client) {
    const { client: quick, said } = await connect({ qresync: true });
    check(quick.enabled.has("QRESYNC") && quick.enabled.has("CONDSTORE"), "QRESYNC is enabled");
    const known = await quick.mailboxOpen("tour");
    await quick.mailboxClose();
    await client.mailboxOpen("tour");
    await client.append("tour", text("new", "", "New.\r\n"));
    await client.messageDelete("1", { uid: true });
    const [gone, told] = [[], []];
    quick.on("expunge", (event) => gone.push([event.uid, event.vanished, event.earlier]));
    quick.on("flags", (event) => told.push(event.uid));
    await quick.mailboxOpen("tour", { changedSince: known.highestModseq, uidValidity: known.uidValidity });
    same(gone, [[1, true, true]], "VANISHED (EARLIER) names what went");
    same(told, [3], "FETCH names what came");
    check(said.some((line) => line.includes("(QRESYNC (")), "all of it from SELECT");
    const expunged = next(quick, "expunge");
    const idling = quick.idle();
    await client.messageDelete("3", { uid: true });
    const event = await expunged;
    check(event.uid === 3 && event.vanished && !event.earlier, "VANISHED while idle");
    await quick.noop();
    await idling;
    await quick.logout();
}

async function idling(client) {
    const { client: other } = await connect({});
    await client.mailboxOpen("INBOX");
    const { exists } = client.mailbox;
    const arrived = next(client, "exists");
    const idle = client.idle();
    await other.append("INBOX", PEAR);
    const event = await arrived;
    same([event.path, event.count, event.prevCount], ["INBOX", exists + 1, exists], "EXISTS while idle");
    await client.noop();
    await idle;
    await other.logout();
}

run(async () => {
    const client = await compression();
    await mailboxes(client);
    await messages(client);
    await beyond(client);
    await changes(client);
    await resynchronising(client);
    await idling(client);
    await client.logout();
    console.log("ok: the whole tour");
});
