// nodemailer on both submission ports: logins, senders, DSN parameters, attachments, and what arrives, octet by octet.
"use strict";

const { createHash, randomBytes } = require("node:crypto");
const nodemailer = require("nodemailer");
const { ImapFlow } = require("imapflow");
const { ALICE, BOB, PASSWORD, arguments: read, check, run, same, tls } = require("./common.cjs");

const args = read();
const [starttls, implicit] = args.rest.map(Number);

/** A transport as alice; `secure` is TLS from the first octet. */
const transport = (port, secure, auth = {}, more = {}) =>
    nodemailer.createTransport({
        host: "localhost",
        port,
        secure,
        requireTLS: !secure,
        name: "client.example.org",
        auth: { user: ALICE, pass: PASSWORD, ...auth },
        tls: tls(args),
        ...more,
    });

/** The response code and text of a refusal. */
async function refused(sending) {
    try {
        await sending;
    } catch (error) {
        return `${error.responseCode} ${error.response}`;
    }
    throw new Error("it was accepted");
}

async function box(user = BOB) {
    const client = new ImapFlow({
        host: "localhost",
        port: Number(args.imaps),
        secure: true,
        auth: { user, pass: PASSWORD },
        tls: tls(args),
        logger: false,
    });
    await client.connect();
    await client.mailboxOpen("INBOX");
    return client;
}

/** The one message with this subject, without what the server put in front and behind the header. */
async function arrived(client, subject, sent) {
    await client.noop();
    const [uid, ...others] = await client.search({ subject }, { uid: true });
    check(uid && !others.length, `${subject} arrived once`);
    const { source } = await client.fetchOne(String(uid), { source: true }, { uid: true });
    const at = source.indexOf(sent);
    check(at > 0, `${subject} came back as it was sent`);
    check(at + sent.length === source.length, "and nothing stands behind it");
    return source.subarray(0, at).toString();
}

/** Both ports and both mechanisms, a message with every octet in an attachment, DSN parameters. */
async function submissions(client) {
    const octets = Buffer.concat([Buffer.from([...Array(256).keys()]), randomBytes(70_000)]);
    for (const [port, secure, method] of [
        [starttls, false, "PLAIN"],
        [implicit, true, "PLAIN"],
        [starttls, false, "LOGIN"],
        [implicit, true, "LOGIN"],
    ]) {
        const mail = transport(port, secure, { method });
        await mail.verify();
        const subject = `${secure ? "implicit" : "starttls"}-${method}`;
        const built = await nodemailer
            .createTransport({ streamTransport: true, buffer: true, newline: "windows" })
            .sendMail({
                from: `Alice <${ALICE}>`,
                to: BOB,
                subject,
                text: "Grüße\r\n.\r\n..dots\r\nFrom the start\r\n",
                html: "<p>Grüße</p>",
                attachments: [{ filename: "ünï.bin", content: octets }],
            });
        const info = await mail.sendMail({
            envelope: { from: ALICE, to: [BOB] },
            raw: built.message,
            dsn: { id: `id-${subject}`, return: "headers", notify: ["failure", "delay"], recipient: BOB },
        });
        same([info.accepted, info.rejected, info.response.slice(0, 3)], [[BOB], [], "250"], subject);
        const added = await arrived(client, subject, built.message);
        check(/ with ESMTPSA id /.test(added) && /^DKIM-Signature: /m.test(added), "Received and DKIM-Signature");
        const { content } = await client.download("*", "2");
        const hash = createHash("sha256");
        for await (const part of content) {
            hash.update(part);
        }
        check(hash.digest("hex") === createHash("sha256").update(octets).digest("hex"), "the attachment too");
        mail.close();
    }
}

async function refusals() {
    const mail = transport(implicit, true);
    const other = await refused(mail.sendMail({ from: BOB, to: BOB, subject: "not mine", text: "x" }));
    check(/^553 553 5\.7\.1 /.test(other), `another's address: ${other}`);
    const forged = await refused(
        mail.sendMail({ envelope: { from: ALICE, to: BOB }, from: BOB, to: BOB, subject: "not mine", text: "x" }),
    );
    check(/^550 550 5\.7\.1 /.test(forged), `another's From: ${forged}`);
    const nobody = await refused(mail.sendMail({ from: ALICE, to: "nobody@example.test", subject: "x", text: "x" }));
    check(/^550 550 5\.1\.1 /.test(nobody), `nobody there: ${nobody}`);
    const some = await mail.sendMail({ from: ALICE, to: [BOB, "nobody@example.test"], subject: "some", text: "x" });
    same([some.accepted, some.rejected], [[BOB], ["nobody@example.test"]], "one of two is accepted");
    const wrong = await refused(transport(starttls, false, { pass: "wrong" }).verify());
    check(/^535 535 5\.7\.8 /.test(wrong), `a wrong password: ${wrong}`);
    const without = nodemailer.createTransport({ host: "localhost", port: implicit, secure: true, tls: tls(args) });
    const anonymous = await refused(without.sendMail({ from: ALICE, to: BOB, subject: "x", text: "x" }));
    check(/^530 530 5\.7\.0 /.test(anonymous), `no login: ${anonymous}`);
}

/** NOTIFY=SUCCESS for a mailbox here: the sender is told, under the ENVID that came with the message (RFC 3461 §6.2.1). */
async function success() {
    const mail = transport(implicit, true);
    const dsn = { id: "tell+me", return: "headers", notify: "success", recipient: `rfc822;${BOB}` };
    await mail.sendMail({ from: ALICE, to: BOB, subject: "told", text: "x", dsn });
    const client = await box(ALICE);
    const deadline = Date.now() + 30_000;
    let found = [];
    while (!found.length && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        await client.noop();
        found = await client.search({ body: "Original-Envelope-Id" }, { uid: true });
    }
    check(found.length === 1, "one report came");
    const { source, bodyStructure } = await client.fetchOne(String(found[0]), { source: true, bodyStructure: true }, { uid: true });
    check(bodyStructure.type === "multipart/report", "it is a report");
    const text = source.toString();
    check(text.includes("Original-Envelope-Id: tell+me") && text.includes("Action: delivered"), "and says what became of it");
    check(text.includes(`Original-Recipient: rfc822; ${BOB}`) && /^Return-Path: <>/m.test(text), "from nobody, about whom it was for");
    await client.logout();
}

/** One connection, many messages. */
async function pool(client) {
    const mail = transport(implicit, true, {}, { pool: true, maxConnections: 2 });
    const sent = [...Array(20).keys()].map((n) => mail.sendMail({ from: ALICE, to: BOB, subject: `pooled ${n}`, text: "x" }));
    same((await Promise.all(sent)).length, 20, "twenty over two connections");
    mail.close();
    await client.noop();
    same((await client.search({ subject: "pooled" })).length, 20, "and all arrived");
}

run(async () => {
    const client = await box();
    await submissions(client);
    await refusals();
    await success();
    await pool(client);
    await client.logout();
    console.log("ok: the whole tour");
});
