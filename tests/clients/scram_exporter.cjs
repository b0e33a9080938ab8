// SCRAM-SHA-256-PLUS bound by tls-exporter (RFC 9266), which Node's tls can tell and Python's cannot; written out here.
"use strict";

const { createHash, createHmac, pbkdf2Sync, randomBytes } = require("node:crypto");
const connect = require("node:tls").connect;
const { ALICE, PASSWORD, arguments: read, check, run, tls } = require("./common.cjs");

const args = read();
const mac = (key, text) => createHmac("sha256", key).update(text).digest();

/** Lines of a connection, one at a time. */
async function* lines(socket) {
    let buffer = "";
    for await (const octets of socket) {
        buffer += octets;
        for (let end; (end = buffer.indexOf("\r\n")) >= 0; buffer = buffer.slice(end + 2)) {
            yield buffer.slice(0, end);
        }
    }
}

/** One AUTHENTICATE over TLS 1.3; the tagged answer, and whether the server proved itself. */
async function login(spoil) {
    const socket = connect({ host: "localhost", port: Number(args.imaps), minVersion: "TLSv1.3", ...tls(args) });
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    const reader = lines(socket);
    const line = async () => (await reader.next()).value;
    const answer = async (text) => {
        socket.write(`${text}\r\n`);
        return await line();
    };
    check((await line()).includes(" AUTH=SCRAM-SHA-256-PLUS"), "SCRAM-SHA-256-PLUS is offered");
    const binding = socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
    binding[0] ^= spoil ? 1 : 0;
    const [header, nonce] = ["p=tls-exporter,,", randomBytes(18).toString("base64")];
    const bare = `n=${ALICE},r=${nonce}`;
    const first = await answer(`a AUTHENTICATE SCRAM-SHA-256-PLUS ${Buffer.from(header + bare).toString("base64")}`);
    if (!first.startsWith("+ ")) {
        socket.destroy();
        return { tagged: first };
    }
    const challenge = Buffer.from(first.slice(2), "base64").toString();
    const [, all, salt, rounds] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(challenge);
    const salted = pbkdf2Sync(PASSWORD, Buffer.from(salt, "base64"), Number(rounds), 32, "sha256");
    const bound = Buffer.concat([Buffer.from(header), binding]).toString("base64");
    const whole = `${bare},${challenge},c=${bound},r=${all}`;
    const key = mac(salted, "Client Key");
    const signature = mac(createHash("sha256").update(key).digest(), whole);
    const proof = Buffer.from(key.map((octet, at) => octet ^ signature[at])).toString("base64");
    const last = await answer(Buffer.from(`c=${bound},r=${all},p=${proof}`).toString("base64"));
    if (!last.startsWith("+ ")) {
        socket.destroy();
        return { tagged: last };
    }
    const expected = `v=${mac(mac(salted, "Server Key"), whole).toString("base64")}`;
    const proved = Buffer.from(last.slice(2), "base64").toString() === expected;
    const tagged = await answer("");
    socket.destroy();
    return { tagged, proved };
}

run(async () => {
    const right = await login(false);
    check(right.tagged.startsWith("a OK") && right.proved, "tls-exporter");
    const wrong = await login(true);
    check(wrong.tagged.startsWith("a NO"), `another channel is refused: ${wrong.tagged}`);
    console.log("ok: the whole tour");
});
